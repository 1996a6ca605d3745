//! A look at the newest entries of the mail system: what they are.
//!
//! Not here: reading on from a cursor (`ingest`). Invariant: nothing is remembered.

use super::{JournalExport, JournalctlErrors, WantedEntries, journalctl};
use crate::error::{Context, Result};
use crate::maillog::Lines;
use crate::maillog::postfix::{Event, LogLine, NotPostfix};
use std::io::BufReader;
use std::path::Path;

/// Entries that are looked at.
const ENTRIES: u32 = 1_000;

pub(crate) fn newest_entries(path: Option<&Path>) -> Result<Lines> {
    let mut child = journalctl(path, WantedEntries::Newest(ENTRIES))?;
    let errors = JournalctlErrors::of(&mut child)?;
    let mut lines = Lines::default();
    if let Some(output) = child.stdout.take() {
        let mut journal = JournalExport::new(BufReader::new(output));
        while let Some(entry) = journal.next_entry().context("journalctl")? {
            *match entry.parse() {
                Err(NotPostfix::Foreign) => &mut lines.foreign,
                Err(NotPostfix::Unknown) | Ok(LogLine { event: Event::Unknown, .. }) => &mut lines.unknown,
                Ok(LogLine { event: Event::Ignored, .. }) => &mut lines.ignored,
                Ok(_) => &mut lines.events,
            } += 1;
        }
    }
    errors.end(&mut child, lines.total() > 0)?;
    Ok(lines)
}
