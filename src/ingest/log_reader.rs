//! One log on its way into the index, a transaction at a time: when a transaction is full, what
//! goes into it, and its commit together with the position.
//!
//! Not here: where lines come from (the sources) and what a delivery becomes (`delivery_writer`).

use super::delivery_counter::{ChangedDeliveries, DeliveryCounter};
use super::delivery_writer::DeliveryWriter;
use super::log_lines::{TransactionEnd, TransactionSize};
use super::{Ingested, Watch};
use crate::clock;
use crate::config::{MailLog, OwnMail};
use crate::deadline::Deadline;
use crate::error::{Context, Result};
use crate::index::{Batch, Index, LogProgress, Shelved};
use crate::maillog::log_health::LogReading;
use crate::maillog::tail::{Position, Tail};
use crate::memory;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of a log whose transaction leaves much memory free.
const LARGE: u64 = 8 << 20;

pub(crate) struct LogReader<'a> {
    pub(crate) index: &'a Index,
    pub(crate) log: LogProgress,
    /// Which mail of the log is our own.
    pub(crate) own: Arc<OwnMail>,
    watch: &'a Watch<'a>,
    /// When this log has had its share of the tick.
    share: Deadline,
    /// The share ended before the log did.
    unfinished: bool,
    writer: &'a mut DeliveryWriter,
    done: &'a mut Ingested,
    /// When this transaction began.
    since: Instant,
    size: TransactionSize,
    /// States of deliveries in this transaction.
    deliveries: u64,
    /// What was read of this log.
    reading: LogReading,
}

/// What a transaction has read of a log, and where the next one goes on.
pub(crate) struct Piece {
    pub(crate) bytes: u64,
    pub(crate) reading: LogReading,
    /// The time of the newest line.
    pub(crate) newest_ms: i64,
    pub(crate) position: Option<String>,
    pub(crate) state: Option<String>,
}

impl<'a> LogReader<'a> {
    pub(crate) fn new(
        index: &'a Index,
        (log, own): (LogProgress, OwnMail),
        writer: &'a mut DeliveryWriter,
        watch: &'a Watch<'a>,
        share: Deadline,
        done: &'a mut Ingested,
    ) -> Result<LogReader<'a>> {
        let size = if index.is_first_reading()? { TransactionSize::FIRST } else { TransactionSize::USUAL };
        Ok(LogReader {
            index,
            log,
            own: Arc::new(own),
            watch,
            share,
            unfinished: false,
            writer,
            done,
            since: Instant::now(),
            size,
            deliveries: 0,
            reading: LogReading::default(),
        })
    }

    /// Opens a file where the last tick stopped; `None` if the log is not a file.
    pub(crate) fn tail(&self, log: &MailLog) -> Result<Option<Tail>> {
        let Some(path) = log.path.as_deref() else { return Ok(None) };
        let position: Option<Position> = stored(self.log.position.as_deref());
        Tail::open(path, position).map(Some)
    }

    /// When the transaction ends.
    pub(crate) fn end(&self) -> TransactionEnd<'a> {
        let LogReader { since, size, share, .. } = *self;
        TransactionEnd { since, size, stop: self.watch.stop, share }
    }

    /// Whether there is time for another transaction of this log. To be asked when there may be
    /// more to read.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.unfinished = self.share.passed();
        !self.unfinished && !self.watch.stopped()
    }

    /// Whether the transaction ends after this many bytes.
    pub(crate) fn is_full(&self, bytes: u64) -> bool {
        self.end().is_reached(bytes)
    }

    pub(crate) fn show_progress(&self, bytes: u64, ahead: u64) {
        (self.watch.progress)(self.done.bytes + bytes, ahead);
    }

    /// Takes the counter out of the writer, for whoever reads; it is to be given back.
    pub(crate) fn take_counter(&mut self) -> DeliveryCounter {
        let empty = self.writer.counter.emptied();
        std::mem::replace(&mut self.writer.counter, empty)
    }

    pub(crate) fn give_back(&mut self, mut counter: DeliveryCounter) {
        self.deliveries += counter.taken();
        if counter.counts_later {
            counter.counts = std::mem::take(&mut self.writer.counter.counts);
        }
        self.writer.counter = counter;
    }

    /// For counting what is read, where reading and writing take turns.
    pub(crate) fn counter(&mut self) -> &mut DeliveryCounter {
        &mut self.writer.counter
    }

    /// Takes states of deliveries into the transaction. Whoever reads takes `memory` bytes beside
    /// them.
    pub(crate) fn write(
        &mut self,
        batch: &mut Batch<'_>,
        changed: ChangedDeliveries,
        memory: u64,
    ) -> Result<()> {
        self.deliveries += self.writer.counter.taken();
        self.writer.write(batch, changed, memory)
    }

    /// Writes what waits in memory: rows, reasons, and what was counted.
    pub(crate) fn finish(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        self.writer.finish(batch)
    }

    /// Commits the transaction together with the position.
    pub(crate) fn commit(
        &mut self,
        mut batch: Batch<'a>,
        shelf: Option<Shelved<'a>>,
        piece: Piece,
    ) -> Result<()> {
        let Piece { bytes, reading, newest_ms, position, state } = piece;
        let lines = reading.lines;
        batch.add_lines(newest_ms, &lines)?;
        (self.log.position, self.log.state) = (position, state);
        batch.position(&self.log, bytes, &lines, clock::now_ms())?;
        batch.commit(shelf)?;
        if bytes > LARGE {
            memory::give_small_blocks_back();
        }
        self.done.bytes += bytes;
        self.done.lines += lines;
        self.reading += reading;
        self.done.deliveries += std::mem::take(&mut self.deliveries);
        self.since = Instant::now();
        Ok(())
    }

    /// What was read of the log, and whether there may be more.
    pub(crate) fn into_reading(self) -> (LogReading, bool) {
        (self.reading, self.unfinished)
    }

    /// Tells the operator what of a file could not be read.
    pub(crate) fn report(&mut self, log: &MailLog, tail: &Tail) {
        let notes = tail.notes();
        for (path, why) in &notes.unread {
            self.done.notes.push(format!("{}: not read to its end: {why}", path.display()));
        }
        if notes.lost {
            let name = log.name();
            self.done
                .notes
                .push(format!("{name}: the file that was read last is gone; lines may be missing"));
        }
    }
}

/// What the index has kept for a source; `None` if there is nothing, or nothing that can be read.
pub(crate) fn stored<T: DeserializeOwned>(text: Option<&str>) -> Option<T> {
    serde_json::from_str(text?).ok()
}

pub(crate) fn to_store(value: &impl Serialize) -> Result<Option<String>> {
    serde_json::to_string(value).map(Some).context("state of a log")
}
