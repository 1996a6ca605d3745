//! Postfix's lines in the journal of systemd, which `journalctl` prints from where the last tick
//! stopped. Not here: the export format and what lines mean (`crate::maillog`).

use super::correlated_piece::{CorrelatedPiece, grammar};
use super::log_reader::{LogReader, stored, to_store};
use crate::clock;
use crate::config::MailLog;
use crate::error::{Context, Result};
use crate::maillog::correlate::CorrelatorState;
use crate::maillog::journald::{
    JournalExport, JournalctlErrors, JournaldEntry, WantedEntries, journalctl, require_journal,
};
use crate::maillog::postfix::Grammar;
use std::io::{BufRead, BufReader};

/// Entries after which everything that has changed is written.
const WRITE_ENTRIES: u64 = 20_000;
/// Bytes that an entry counts for.
const ENTRY_BYTES: u64 = 200;

pub(crate) fn read(reader: &mut LogReader<'_>, log: &MailLog) -> Result<()> {
    let cursor: Option<String> = stored(reader.log.position.as_deref());
    let wanted = cursor.as_deref().map_or(WantedEntries::All, WantedEntries::After);
    let mut child = journalctl(log.path.as_deref(), wanted)?;
    let errors = JournalctlErrors::of(&mut child)?;
    let Some(output) = child.stdout.take() else { return Ok(()) };
    let mut journal = JournalExport::new(BufReader::with_capacity(1 << 20, output));
    let grammar = grammar(log, &reader.own);
    let mut state: CorrelatorState = stored(reader.log.state.as_deref()).unwrap_or_default();
    let mut has_read = false;
    let more = loop {
        let Some(first) = journal.next_entry().context("journalctl")?.cloned() else { break false };
        has_read = true;
        let more = read_piece(reader, &grammar, &mut state, &first, &mut journal)?;
        if !more || !reader.goes_on() {
            break more;
        }
    };
    if more {
        // It would go on writing, and nobody would read it.
        let _ = child.kill();
    }
    let ended = errors.end(&mut child, has_read);
    if !has_read && cursor.is_none() {
        ended?;
        return require_journal(log.path.as_deref());
    }
    if more { Ok(()) } else { ended }
}

/// One transaction, which begins with `first`; returns whether there may be more.
fn read_piece(
    reader: &mut LogReader<'_>,
    grammar: &Grammar,
    state: &mut CorrelatorState,
    first: &JournaldEntry,
    journal: &mut JournalExport<impl BufRead>,
) -> Result<bool> {
    let mut piece = CorrelatedPiece::begin(reader, grammar, clock::now_ms(), std::mem::take(state))?;
    piece.correlator.take(&first.parse(), &mut piece.shelf);
    let (mut entries, mut more, mut cursor) = (1, true, first.cursor.clone());
    while !reader.is_full(entries * ENTRY_BYTES) {
        let Some(entry) = journal.next_entry().context("journalctl")? else {
            more = false;
            break;
        };
        piece.correlator.take(&entry.parse(), &mut piece.shelf);
        cursor.clone_from(&entry.cursor);
        entries += 1;
        if entries % WRITE_ENTRIES == 0 {
            piece.write_changed(reader)?;
        }
    }
    piece.write_changed(reader)?;
    *state = piece.commit(reader, to_store(&cursor)?, entries * ENTRY_BYTES)?;
    Ok(more)
}
