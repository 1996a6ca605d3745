//! Lines that have to be correlated, in one transaction: messages under way come from the shelf,
//! and go back there at the end.

use super::delivery_counter::ChangedDeliveries;
use super::log_lines::{LogLines, are_many};
use super::log_reader::{LogReader, Piece, to_store};
use crate::clock::DAY_MS;
use crate::config::{LogKind, MailLog, OwnMail};
use crate::error::Result;
use crate::index::{Batch, Shelved};
use crate::maillog::correlate::{Correlator, CorrelatorState, MemoryLimits};
use crate::maillog::postfix::{Grammar, LogServer};
use crate::memory;
use std::sync::Arc;

/// A message without a new line is forgotten after this time: one on hold may be released weeks
/// later.
const FORGOTTEN_MS: i64 = 60 * DAY_MS;

/// Bytes of messages under way whose memory is worth giving back.
const LARGE: u64 = 16 << 20;

/// How the lines of a log are to be read.
pub(crate) fn grammar(log: &MailLog, own: &Arc<OwnMail>) -> Grammar {
    let server = if log.kind == LogKind::Exim { LogServer::Exim } else { LogServer::Postfix };
    Grammar {
        server,
        zone: log.zone.clone(),
        client_header: log.client_header.clone(),
        campaign_headers: log.campaign_headers.clone(),
        own: own.clone(),
    }
}

pub(crate) struct CorrelatedPiece<'i> {
    pub(crate) batch: Batch<'i>,
    pub(crate) shelf: Shelved<'i>,
    pub(crate) correlator: Correlator,
}

impl<'i> CorrelatedPiece<'i> {
    /// Begins a transaction. Lines are not much younger than `reference_ms`.
    pub(crate) fn begin(
        reader: &LogReader<'i>,
        grammar: &Grammar,
        reference_ms: i64,
        state: CorrelatorState,
    ) -> Result<CorrelatedPiece<'i>> {
        let batch = reader.index.begin()?;
        let shelf = batch.shelf(reader.log.id)?;
        let correlator = Correlator::new(grammar, MemoryLimits::default(), reference_ms, state);
        Ok(CorrelatedPiece { batch, shelf, correlator })
    }

    /// Writes everything that has changed.
    pub(crate) fn write_changed(&mut self, reader: &mut LogReader<'i>) -> Result<()> {
        let CorrelatedPiece { batch, shelf, correlator } = self;
        let (mut changed, memory) = (ChangedDeliveries::default(), correlator.weight());
        let mut written = Ok(());
        correlator.drain(shelf, |delivery| {
            reader.counter().take(delivery, &mut changed);
            if are_many(&changed) && written.is_ok() {
                written = reader.write(batch, std::mem::take(&mut changed), memory);
            }
        });
        written.and_then(|()| reader.write(batch, changed, memory))
    }

    /// Reads to the end of the transaction; returns whether there may be more.
    pub(crate) fn read(&mut self, reader: &mut LogReader<'i>, lines: LogLines<'_>) -> Result<bool> {
        let CorrelatedPiece { batch, shelf, correlator } = self;
        let mut counter = reader.take_counter();
        let more = lines.read(correlator, shelf, &mut counter, |changed, read| {
            reader.write(batch, changed, read.memory)?;
            reader.show_progress(read.bytes, read.ahead);
            Ok(())
        })?;
        reader.give_back(counter);
        Ok(more)
    }

    /// Commits; returns what the next transaction has to know.
    pub(crate) fn commit(
        self,
        reader: &mut LogReader<'i>,
        position: Option<String>,
        bytes: u64,
    ) -> Result<CorrelatorState> {
        let CorrelatedPiece { mut batch, mut shelf, mut correlator } = self;
        let (reading, newest_ms) = (correlator.take_reading(), correlator.newest_ms());
        // Their memory is free while rows and counts are written.
        let was_large = correlator.weight() > LARGE;
        let state = correlator.shelve(&mut shelf);
        if was_large {
            memory::give_small_blocks_back();
        }
        reader.finish(&mut batch)?;
        batch.tidy_shelf(reader.log.id, newest_ms, FORGOTTEN_MS)?;
        let piece = Piece { bytes, reading, newest_ms, position, state: to_store(&state)? };
        reader.commit(batch, Some(shelf), piece)?;
        Ok(state)
    }
}
