//! Keeping a copy of a message: in the directory of handled messages, or in the archive of an
//! address.
//!
//! Invariant: keeping a message again changes nothing. A copy is dated with the arrival of its
//! message: one of the same bytes and date that is there under its name is the copy.

use super::own_failure::retry_own_failure;
use crate::archive;
use crate::config::Config;
use crate::error::{Context, Result};
use crate::files::private;
use crate::files::publish::{Unfinished, sync_directory};
use crate::mail::{KeptCopy, Mail};
use crate::plan::StepEnd;
use crate::store::Performed;
use std::fs::{self, Metadata};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// In the directory of handled messages.
pub(crate) fn keep(mail: &Mail, config: &Config, attempts: u32) -> Performed {
    match write(&mail.kept_copy(config.done_dir()), mail) {
        Ok(path) => Performed::new(StepEnd::Succeeded, "kept", format!("kept as {}", path.display())),
        Err(error) => retry_own_failure(mail, attempts, format!("not kept: {error}")),
    }
}

/// In the archive of an address.
pub(crate) fn keep_for(address: &str, mail: &Mail, config: &Config, attempts: u32) -> Performed {
    if mail.raw().is_empty() {
        let note = "nothing to keep: a line of the mail log has no message".to_owned();
        return Performed::new(StepEnd::Succeeded, "", note);
    }
    match archive::keep(config, address, mail.key.text(), mail.at_ms, mail.raw()) {
        Ok(_) => Performed::new(StepEnd::Succeeded, "report_kept", format!("kept for {address}")),
        Err(error) => retry_own_failure(mail, attempts, format!("not kept: {error}")),
    }
}

/// Writes the copy; it is whole and on disk on return.
fn write(copy: &KeptCopy, mail: &Mail) -> Result<PathBuf> {
    private::make_directory(&copy.directory).context(copy.directory.display())?;
    let written = Unfinished::create(&copy.directory).and_then(|mut file| {
        file.write_all(mail.raw())?;
        file.set_modified(arrival(mail))?;
        place(copy, &file, mail)
    });
    written.context(copy.directory.display())
}

fn place(copy: &KeptCopy, file: &Unfinished, mail: &Mail) -> std::io::Result<PathBuf> {
    for number in 0..10_000 {
        let name = if number == 0 { copy.name.clone() } else { format!("{number}-{}", copy.name) };
        let path = copy.directory.join(name);
        match file.place(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if is_copy(&path, mail) {
                    // A kill may have come before its name was durable.
                    sync_directory(&copy.directory)?;
                    return Ok(path);
                }
            }
            placed => return placed.map(|()| path),
        }
    }
    Err(ErrorKind::AlreadyExists.into())
}

/// Whether a file is a copy of this message, and not of another one with the same bytes. A file
/// that another run has just removed is not.
fn is_copy(path: &Path, mail: &Mail) -> bool {
    let raw = mail.raw();
    let fits = |file: Metadata| {
        file.is_file()
            && file.len() == raw.len() as u64
            && file.modified().is_ok_and(|at| at == arrival(mail))
    };
    fs::symlink_metadata(path).is_ok_and(fits) && fs::read(path).is_ok_and(|bytes| bytes == **raw)
}

fn arrival(mail: &Mail) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(mail.at_ms.unsigned_abs())
}
