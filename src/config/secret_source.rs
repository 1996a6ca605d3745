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

/// The secrets of a list.
pub(super) fn all(written: &[String]) -> Result<Vec<String>> {
    written.iter().map(|one| read(one)).collect()
}

/// Whether a secret is written somewhere else.
pub(super) fn is_elsewhere(written: &str) -> bool {
    written.starts_with(FILE) || written.starts_with(CREDENTIAL)
}

/// The key of the databases, which cannot be in the config itself.
pub(super) fn store_key(written: &str) -> Result<String> {
    match is_elsewhere(written) {
        true => read(written),
        false => Err(Error::new("[store] key: the key cannot be written here")
            .remedy("write it into a file, and name that: key = \"file:/etc/carom/store.key\"")),
    }
}

fn read(written: &str) -> Result<String> {
    if let Some(path) = written.strip_prefix(FILE) {
        let path = Path::new(path);
        if !path.is_absolute() {
            return Err(Error::new(format_args!("{written} does not name a file"))
                .remedy("write the whole path: file:/etc/carom/verp.key"));
        }
        return first_line(path).map_err(|error| {
            error.remedy("write the secret in its first line, and let the mail user read the file")
        });
    }
    let Some(name) = written.strip_prefix(CREDENTIAL) else { return Ok(written.to_owned()) };
    let remedy =
        format!("add LoadCredential={name}:FILE to the systemd unit; a mail server's pipe needs file:…");
    if name.is_empty() || name.contains('/') {
        return Err(Error::new(format_args!("{written} does not name a credential"))
            .remedy("write its name: credential:verp"));
    }
    let Some(directory) = std::env::var_os(DIRECTORY) else {
        return Err(Error::new(format_args!("{written}: systemd has given no credentials")).remedy(remedy));
    };
    first_line(&Path::new(&directory).join(name)).map_err(|error| error.remedy(remedy))
}

fn first_line(path: &Path) -> Result<String> {
    let text = regular::read_text(path, LONGEST).context(path.display())?;
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(Error::new(format_args!("{}: its first line is empty", path.display()))),
    }
}

/// The file that a secret is read from, if it is in one.
pub(super) fn file(written: &str) -> Option<PathBuf> {
    written.strip_prefix(FILE).map(PathBuf::from)
}

/// The files that keys and secrets are read from.
pub(super) fn files(tables: &Tables) -> Vec<PathBuf> {
    let written = tables.verp.keys.iter().chain(tables.notify.iter().flat_map(|table| &table.secrets));
    let written = written.chain(&tables.store.key);
    let of_events = tables.events.iter().flat_map(|table| table.secrets.iter().chain(&table.password));
    written.chain(of_events).filter_map(|one| file(one)).collect()
}
