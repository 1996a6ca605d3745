//! Starts journalctl.
//!
//! Not here: reading what it writes (`export_format`). Invariant: only entries with the facility
//! `mail` after the cursor are asked for; journalctl cannot select Postfix by a part of its name,
//! so entries of other programs come along.

use crate::error::{Context, Result};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Which entries are wanted.
#[derive(Clone, Copy)]
pub(crate) enum WantedEntries<'a> {
    All,
    After(&'a str),
    /// The last ones, this many.
    Newest(u32),
}

/// `path` is a directory or a file of a journal; without it, that of this machine is read.
pub(crate) fn journalctl(path: Option<&Path>, wanted: WantedEntries<'_>) -> Result<Child> {
    let mut command = Command::new("journalctl");
    command.args(["--output=export", "--no-pager", "--quiet"]);
    match path {
        Some(path) if path.is_dir() => command.arg("--directory").arg(path),
        Some(path) => command.arg("--file").arg(path),
        None => &mut command,
    };
    match wanted {
        WantedEntries::All => {}
        WantedEntries::After(cursor) => {
            command.arg(format!("--after-cursor={cursor}"));
        }
        WantedEntries::Newest(number) => {
            command.arg(format!("--lines={number}"));
        }
    }
    command.arg("SYSLOG_FACILITY=2").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
        .spawn()
        .context("journalctl")
        .map_err(|error| error.remedy("install systemd, or read a file instead"))
}
