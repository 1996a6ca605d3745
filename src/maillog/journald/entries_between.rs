//! The entries of the mail system in some time, for a look at them.
//!
//! Not here: reading on from a cursor (`crate::ingest`). Invariants: journalctl is not waited for
//! after the deadline; nothing is remembered.

use super::{JournalExport, JournalctlErrors, JournaldEntry, WantedEntries, journalctl};
use crate::deadline::Deadline;
use crate::deadline::readiness::readable;
use crate::error::{Context, Result};
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ChildStdout;

/// Gives each entry, the oldest first. Times are in milliseconds since 1970. Error: journalctl
/// failed, or had not ended at the deadline.
pub(crate) fn entries_between(
    path: Option<&Path>,
    (from_ms, to_ms): (i64, i64),
    deadline: Deadline,
    mut each: impl FnMut(&JournaldEntry),
) -> Result<()> {
    let mut child = journalctl(path, WantedEntries::Between(from_ms / 1000, to_ms / 1000 + 1))?;
    let errors = JournalctlErrors::of(&mut child)?;
    let Some(output) = child.stdout.take() else { return Ok(()) };
    let mut journal = JournalExport::new(BufReader::with_capacity(1 << 20, TimedOutput { output, deadline }));
    let mut has_read = false;
    let read = loop {
        match journal.next_entry().context("journalctl") {
            Ok(Some(entry)) => each(entry),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
        has_read = true;
    };
    if read.is_err() {
        let _ = child.kill();
    }
    let ended = errors.end(&mut child, has_read);
    read.and(ended)
}

/// What journalctl writes, until the deadline.
struct TimedOutput {
    output: ChildStdout,
    deadline: Deadline,
}

impl Read for TimedOutput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.deadline.passed() {
                return Err(ErrorKind::TimedOut.into());
            }
            if readable(&[self.output.as_fd()], self.deadline.left()) == [true] {
                return self.output.read(buffer);
            }
        }
    }
}
