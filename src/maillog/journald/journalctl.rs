//! Starts journalctl.
//!
//! Not here: reading what it writes (`export_format`). Invariant: only entries with the facility
//! `mail` after the cursor are asked for; journalctl cannot select Postfix by a part of its name,
//! so entries of other programs come along.

use crate::error::{Context, Error, Result};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Which entries are wanted.
#[derive(Clone, Copy)]
pub(crate) enum WantedEntries<'a> {
    All,
    After(&'a str),
    /// The last ones, this many.
    Newest(u32),
    /// In this time, in seconds since 1970.
    Between(i64, i64),
}

/// `path` is a directory or a file of a journal; without it, that of this machine is read.
pub(crate) fn journalctl(path: Option<&Path>, wanted: WantedEntries<'_>) -> Result<Child> {
    let mut command = journal_command(path);
    command.arg("--output=export");
    match wanted {
        WantedEntries::All => {}
        WantedEntries::After(cursor) => {
            command.arg(format!("--after-cursor={cursor}"));
        }
        WantedEntries::Newest(number) => {
            command.arg(format!("--lines={number}"));
        }
        WantedEntries::Between(from, to) => {
            command.arg(format!("--since=@{from}")).arg(format!("--until=@{to}"));
        }
    }
    command.arg("SYSLOG_FACILITY=2").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().context("journalctl").map_err(|error| error.remedy(INSTALL))
}

/// Error: there is no journal at all, so that no entry will ever come.
pub(crate) fn require_journal(path: Option<&Path>) -> Result<()> {
    let headers = journal_command(path).arg("--header").stdin(Stdio::null()).output();
    let headers = headers.context("journalctl").map_err(|error| error.remedy(INSTALL))?;
    if !headers.status.success() || !headers.stdout.is_empty() {
        return Ok(());
    }
    let whose = path.map_or_else(|| "on this host".to_owned(), |path| format!("in {}", path.display()));
    Err(Error::new(format_args!("there is no journal {whose}")).remedy(
        "read the file that Postfix logs to: kind = \"postfix\" and path of [[logs]] (postconf -h maillog_file, or \
         /var/log/mail.log)",
    ))
}

const INSTALL: &str = "install systemd, or read a file instead";

fn journal_command(path: Option<&Path>) -> Command {
    let mut command = Command::new("journalctl");
    command.args(["--no-pager", "--quiet"]);
    match path {
        Some(path) if path.is_dir() => command.arg("--directory").arg(path),
        Some(path) => command.arg("--file").arg(path),
        None => &mut command,
    };
    command
}
