//! Log files of Postfix and Exim, from where the last tick stopped. Not here: what lines mean
//! (`crate::maillog`).

use super::correlated_piece::{CorrelatedPiece, grammar};
use super::log_lines::LogLines;
use super::log_reader::{LogReader, stored, to_store};
use super::reading_thread;
use crate::config::MailLog;
use crate::error::Result;
use crate::maillog::correlate::CorrelatorState;

/// With more bytes than this, reading and writing are worth a thread each.
const LONG: u64 = 8 << 20;

pub(crate) fn read(reader: &mut LogReader<'_>, log: &MailLog) -> Result<()> {
    let Some(mut tail) = reader.tail(log)? else { return Ok(()) };
    let grammar = grammar(log, &reader.own);
    let mut state: CorrelatorState = stored(reader.log.state.as_deref()).unwrap_or_default();
    loop {
        let before = tail.notes().bytes;
        let Some(first) = tail.next_chunk()? else { break };
        let mut piece = CorrelatedPiece::begin(reader, &grammar, first.reference_ms, state)?;
        piece.correlator.read(first.lines, &mut piece.shelf);
        let known = if tail.ahead() > LONG { piece.shelf.queue_ids() } else { None };
        let lines = LogLines { tail: &mut tail, end: reader.end(), before };
        let more = match known {
            Some(known) => reading_thread::read(reader, &mut piece, lines, known)?,
            None => piece.read(reader, lines)?,
        };
        let bytes = tail.notes().bytes - before;
        state = piece.commit(reader, to_store(&tail.position())?, bytes)?;
        if !more || !reader.goes_on() {
            break;
        }
    }
    reader.report(log, &tail);
    Ok(())
}
