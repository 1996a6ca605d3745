//! Postfix's log files, from where the last tick stopped. Not here: what lines mean
//! (`crate::maillog`).

use super::correlated_piece::{CorrelatedPiece, grammar};
use super::log_reader::{LogReader, stored, to_store};
use crate::config::MailLog;
use crate::error::Result;
use crate::maillog::correlate::CorrelatorState;

/// Chunks of a file after which everything that has changed is written.
const WRITE_CHUNKS: u32 = 16;

pub(crate) fn read(reader: &mut LogReader<'_>, log: &MailLog) -> Result<()> {
    let Some(mut tail) = reader.tail(log)? else { return Ok(()) };
    let grammar = grammar(log);
    let mut state: CorrelatorState = stored(reader.log.state.as_deref()).unwrap_or_default();
    loop {
        let before = tail.notes().bytes;
        let Some(first) = tail.next_chunk()? else { break };
        let mut piece = CorrelatedPiece::begin(reader, &grammar, first.reference_ms, state)?;
        piece.correlator.read(first.lines, &mut piece.shelf);
        let (mut chunks, mut more) = (1, true);
        loop {
            let full = reader.is_full(tail.notes().bytes - before);
            let next = if full { None } else { tail.next_chunk()? };
            more &= full || next.is_some();
            if chunks % WRITE_CHUNKS == 0 || next.is_none() {
                piece.write_changed(reader)?;
            } else {
                piece.write_ended(reader)?;
            }
            let Some(chunk) = next else { break };
            chunks += 1;
            piece.correlator.set_reference(chunk.reference_ms);
            piece.correlator.read(chunk.lines, &mut piece.shelf);
            reader.show_progress(tail.notes().bytes - before, tail.ahead());
        }
        let bytes = tail.notes().bytes - before;
        state = piece.commit(reader, to_store(&tail.position())?, bytes)?;
        if !more || reader.watch.stopped() {
            break;
        }
    }
    reader.report(log, &tail);
    Ok(())
}
