//! Can the mail user have the keys and secrets? Root reads them before it becomes that user, so
//! what root could read says little.
//!
//! Not here: who else could read them (`permissions`). Invariant: no secret is shown.

use super::place_findings::user;
use crate::config::{self, Config};
use crate::error::Error;
use crate::files::command::shell_word;
use crate::files::probe;
use crate::finding::Finding;
use crate::store::encryption;
use std::path::{Path, PathBuf};

const SUBJECT: &str = "access";

/// Those that a message needs.
pub(super) fn mail_secrets(config: &Config) -> Vec<Finding> {
    let files = of_files(config, config.mail_secret_files.iter());
    let lacking = config.require_secrets().and_then(|()| encryption::require_key()).err();
    if files.is_empty() { lacking.iter().map(of_credentials).collect() } else { files }
}

/// Those that only `carom cron` needs.
pub(super) fn tick_secrets(config: &Config) -> Vec<Finding> {
    let files =
        of_files(config, config.secret_files().filter(|file| !config.mail_secret_files.contains(file)));
    let sinks = config.events.get().into_iter().flatten();
    let lacking: Vec<Error> = sinks.filter_map(|sink| sink.place.require_secrets().err()).collect();
    if files.is_empty() { lacking.iter().map(of_credentials).collect() } else { files }
}

fn of_files<'a>(config: &Config, files: impl Iterator<Item = &'a PathBuf>) -> Vec<Finding> {
    let of_file = |file: &PathBuf| {
        let place = config.place_of_secret(file);
        of_file(file).map(|finding| Finding { place, ..finding })
    };
    files.filter_map(of_file).collect()
}

fn of_file(file: &Path) -> Option<Finding> {
    let error = config::try_secret_file(file).err()?;
    let (user, typed) = (user(), shell_word(file));
    let found = format!("{}: {user} cannot have this key or secret", error.text());
    let fix = match probe::barred_by(file) {
        Some(bar) => format!("let {user} reach it: setfacl -m u:{user}:x {}", shell_word(bar)),
        None if file.exists() && probe::may_read(file).is_err() => {
            // The user's own group has the user's name or not: chgrp takes a number too.
            let group = rustix::process::getegid().as_raw();
            format!("chgrp {group} {typed} && chmod 640 {typed}")
        }
        None => "correct the path, or write the secret in the first line of the file".to_owned(),
    };
    Some(Finding::wrong(SUBJECT, found, fix))
}

/// A prompt has no credentials: whether they are there is seen only in a unit.
fn of_credentials(error: &Error) -> Finding {
    if config::has_credentials() {
        return Finding::error(SUBJECT, error);
    }
    let fix = "test where a unit has it, with the name and the file of its LoadCredential=: \
               systemd-run --pipe --wait -p LoadCredential=NAME:FILE carom check; Postfix's pipe has no \
               credentials and needs file:…";
    Finding::note(SUBJECT, error.text(), fix)
}
