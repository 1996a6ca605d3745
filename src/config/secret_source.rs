//! A secret as the config writes it: itself, or where it is.
//!
//! ```text
//! keys = ["file:/etc/carom/verp.key"]          # the first line of a file
//! secrets = ["credential:webhook"]             # LoadCredential=webhook:… of a systemd unit
//! ```
//!
//! Not here: what a secret must look like (`return_path`, `webhook`). Invariant: an error names the
//! file, and never what is in it.

use super::tables::Tables;
use crate::error::{Context, Error, Result};
use crate::files::regular;
use std::path::{Path, PathBuf};

const FILE: &str = "file:";
const CREDENTIAL: &str = "credential:";
/// Where systemd puts the credentials of a unit.
const DIRECTORY: &str = "CREDENTIALS_DIRECTORY";
/// No secret is as long.
const LONGEST: u64 = 4096;

/// The secrets of a list. Error: one of them cannot be had here and now.
pub(super) fn all(written: &[String]) -> Result<Vec<String>> {
    written.iter().map(|one| read(one)).collect()
}

/// Error: one of a list can nowhere be had, because of the way in which it is written.
pub(super) fn check(written: &[String]) -> Result<()> {
    written.iter().try_for_each(|one| place(one).map(drop))
}

/// Whether systemd has given credentials to this process.
pub(crate) fn has_credentials() -> bool {
    std::env::var_os(DIRECTORY).is_some()
}

/// Error: this user cannot have the secret in this file.
pub(crate) fn try_file(path: &Path) -> Result<()> {
    first_line(path).map(drop)
}

/// Whether a secret is written somewhere else.
pub(super) fn is_elsewhere(written: &str) -> bool {
    written.starts_with(FILE) || written.starts_with(CREDENTIAL)
}

/// The key of the databases, as far as this process can have it. Error: it cannot be in the config
/// itself.
pub(super) fn store_key(written: &str) -> Result<Result<String>> {
    match is_elsewhere(written) {
        true => {
            check(&[written.to_owned()])?;
            Ok(read(written))
        }
        false => Err(Error::new("the key cannot be written here")
            .remedy("write it into a file, and name that: key = \"file:/etc/carom/store.key\"")),
    }
}

/// Where a secret is.
enum SecretPlace<'a> {
    Here(&'a str),
    File(&'a Path),
    Credential(&'a str),
}

fn place(written: &str) -> Result<SecretPlace<'_>> {
    if let Some(path) = written.strip_prefix(FILE).map(Path::new) {
        return match path.is_absolute() {
            true => Ok(SecretPlace::File(path)),
            false => Err(Error::new("what follows file: does not name a file")
                .remedy("write the whole path: file:/etc/carom/verp.key")),
        };
    }
    match written.strip_prefix(CREDENTIAL) {
        None => Ok(SecretPlace::Here(written)),
        Some(name) if name.is_empty() || name.contains('/') => {
            Err(Error::new("what follows credential: does not name a credential")
                .remedy("write its name: credential:verp"))
        }
        Some(name) => Ok(SecretPlace::Credential(name)),
    }
}

fn read(written: &str) -> Result<String> {
    let name = match place(written)? {
        SecretPlace::Here(secret) => return Ok(secret.to_owned()),
        SecretPlace::File(path) => {
            return first_line(path).map_err(|error| {
                error.remedy("write the secret in its first line, and let the mail user read the file")
            });
        }
        SecretPlace::Credential(name) => name,
    };
    let remedy = format!(
        "add LoadCredential={name}:FILE to the systemd unit, or at a prompt run: systemd-run --pipe --wait \
         -p LoadCredential={name}:FILE carom …; a mail server's pipe needs file:…"
    );
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return Err(Error::new(format_args!("{written}: systemd has given no credentials")).remedy(remedy));
    };
    first_line(&Path::new(&directory).join(name)).map_err(|error| error.remedy(remedy))
}

fn first_line(path: &Path) -> Result<String> {
    let text = regular::read_text(path, LONGEST).context(path.display())?;
    // Some editors write a byte order mark: it is no part of the secret.
    let text = text.trim_start_matches('\u{feff}');
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(Error::new(format_args!("{}: its first line is empty", path.display()))),
    }
}

/// The files that the keys and secrets of these tables are read from.
pub(super) fn files(tables: &Tables) -> Vec<PathBuf> {
    written(tables).filter_map(|(_, one)| one.strip_prefix(FILE)).map(PathBuf::from).collect()
}

/// The key of these tables that names the file.
pub(super) fn key_of(tables: &Tables, file: &Path) -> Option<Vec<String>> {
    let names_it = |one: &String| one.strip_prefix(FILE).is_some_and(|path| Path::new(path) == file);
    written(tables).find(|(_, one)| names_it(one)).map(|(key, _)| key)
}

/// Whether a key or secret of these tables is a credential.
pub(super) fn names_credentials(tables: &Tables) -> bool {
    written(tables).any(|(_, one)| one.starts_with(CREDENTIAL))
}

/// Each as it is written, with its key from the top.
fn written(tables: &Tables) -> impl Iterator<Item = (Vec<String>, &String)> {
    fn key(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }
    fn listed<'t>(
        table: &'static str,
        number: usize,
        secrets: &'t [String],
    ) -> impl Iterator<Item = (Vec<String>, &'t String)> {
        let path = move |at: usize| key(&[table, &number.to_string(), "secrets", &at.to_string()]);
        secrets.iter().enumerate().map(move |(at, one)| (path(at), one))
    }
    let keys = tables.verp.keys.iter().enumerate();
    let keys = keys.map(|(at, one)| (key(&["verp", "keys", &at.to_string()]), one));
    let notify = tables.notify.iter().enumerate();
    let notify = notify.flat_map(|(number, table)| listed("notify", number, &table.secrets));
    let store = tables.store.key.iter().map(|one| (key(&["store", "key"]), one));
    let shared = tables.shared.password.iter().map(|one| (key(&["shared", "password"]), one));
    let events = tables.events.iter().enumerate().flat_map(|(number, table)| {
        let password = move |one| (key(&["events", &number.to_string(), "password"]), one);
        listed("events", number, &table.secrets).chain(table.password.iter().map(password))
    });
    let alerts = tables.alert.iter().enumerate();
    let alerts = alerts.flat_map(|(number, table)| listed("alert", number, &table.secrets));
    keys.chain(notify).chain(store).chain(shared).chain(events).chain(alerts)
}
