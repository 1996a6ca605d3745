//! The three kinds of logs, each read in pieces that are one transaction.

use super::LogReader;
use super::reasons::Pending;
use crate::clock::{self, DAY_MS};
use crate::config::MailLog;
use crate::error::{Context, Error, Result};
use crate::index::{Batch, Shelved};
use crate::maillog::correlate::{Correlator, CorrelatorState, MemoryLimits};
use crate::maillog::journald::{JournalExport, journalctl};
use crate::maillog::postfix::Grammar;
use crate::maillog::powermta::Accounting;
use crate::maillog::tail::{Position, Tail};
use crate::maillog::{Delivery, Lines};
use serde::de::DeserializeOwned;
use std::io::BufReader;

/// Chunks of a file between two looks at all that has changed.
const DRAIN_CHUNKS: u32 = 16;
/// A message that no line names for so many milliseconds is forgotten: what is on hold may be released after weeks.
const SHELVED_MS: i64 = 60 * DAY_MS;
/// Entries of the journal between two looks at what has changed.
const DRAIN_ENTRIES: u64 = 20_000;
/// Bytes that an entry of the journal counts for.
const ENTRY: u64 = 200;

fn stored<T: DeserializeOwned>(text: Option<&str>) -> Option<T> {
    serde_json::from_str(text?).ok()
}

fn text(value: &impl serde::Serialize) -> Result<Option<String>> {
    serde_json::to_string(value).map(Some).context("state of a log")
}

/// Writes deliveries down. A fault ends the transaction.
struct Sink<'b, 'i> {
    batch: &'b mut Batch<'i>,
    pending: &'b mut Pending,
    deliveries: &'b mut u64,
    fault: Option<Error>,
}

impl Sink<'_, '_> {
    fn take(&mut self, delivery: &Delivery<'_>) {
        if self.fault.is_none() {
            *self.deliveries += u64::from(!delivery.superseded);
            self.fault = self.pending.put(self.batch, delivery).err();
        }
    }
}

impl LogReader<'_> {
    pub(crate) fn postfix(&mut self, logs: &MailLog) -> Result<()> {
        let Some(mut tail) = self.tail(logs)? else { return Ok(()) };
        let grammar = Grammar { zone: logs.zone.clone(), client_header: logs.client_header.clone() };
        let mut state: CorrelatorState = stored(self.log.state.as_deref()).unwrap_or_default();
        loop {
            let before = tail.notes().bytes;
            let Some(first) = tail.next_chunk()? else { break };
            let mut batch = self.index.begin()?;
            let mut shelf = batch.shelf(self.log.id)?;
            let mut correlator =
                Correlator::new(&grammar, MemoryLimits::default(), first.reference_ms, state);
            correlator.read(first.lines, &mut shelf);
            let (mut deliveries, mut chunks, mut more) = (0, 1, true);
            loop {
                let full = self.is_full(tail.notes().bytes - before);
                let next = if full { None } else { tail.next_chunk()? };
                more &= full || next.is_some();
                let all = chunks % DRAIN_CHUNKS == 0 || next.is_none();
                self.drain(&mut correlator, &mut batch, all.then_some(&mut shelf), &mut deliveries)?;
                let Some(chunk) = next else { break };
                chunks += 1;
                correlator.set_reference(chunk.reference_ms);
                correlator.read(chunk.lines, &mut shelf);
                (self.watch.progress)(self.done.bytes + tail.notes().bytes - before, tail.ahead());
            }
            let bytes = tail.notes().bytes - before;
            let lines = correlator.take_lines();
            state = self.end(correlator, batch, shelf, text(&tail.position())?, bytes, &lines)?;
            self.count(bytes, &lines, deliveries);
            if !more || self.watch.stopped() {
                break;
            }
        }
        self.report(logs, &tail);
        Ok(())
    }

    pub(crate) fn powermta(&mut self, logs: &MailLog) -> Result<()> {
        let Some(mut tail) = self.tail(logs)? else { return Ok(()) };
        let state = stored(self.log.state.as_deref()).unwrap_or_default();
        let mut accounting = Accounting::new(logs.zone.clone(), clock::now_ms(), state);
        loop {
            let before = tail.notes().bytes;
            let (mut batch, mut deliveries, mut more) = (None, 0, true);
            while !self.is_full(tail.notes().bytes - before) {
                let Some(chunk) = tail.next_chunk()? else {
                    more = false;
                    break;
                };
                if batch.is_none() {
                    batch = Some(self.index.begin()?);
                }
                let Some(batch) = &mut batch else { break };
                let pending = &mut self.reasons.pending;
                let mut sink = Sink { batch, pending, deliveries: &mut deliveries, fault: None };
                accounting.read(&chunk, |delivery| sink.take(delivery));
                if let Some(fault) = sink.fault {
                    return Err(fault);
                }
                (self.watch.progress)(self.done.bytes + tail.notes().bytes - before, tail.ahead());
                self.reasons.ask_many(batch)?;
            }
            let Some(mut batch) = batch else { break };
            self.reasons.end(&mut batch)?;
            let (bytes, lines) = (tail.notes().bytes - before, accounting.take_lines());
            self.log.position = text(&tail.position())?;
            self.log.state = text(accounting.state())?;
            batch.add_lines(accounting.newest_ms(), &lines)?;
            batch.position(&self.log, bytes, &lines, clock::now_ms())?;
            batch.commit(None)?;
            self.count(bytes, &lines, deliveries);
            if !more || self.watch.stopped() {
                break;
            }
        }
        self.report(logs, &tail);
        Ok(())
    }

    pub(crate) fn journal(&mut self, logs: &MailLog) -> Result<()> {
        let cursor: Option<String> = stored(self.log.position.as_deref());
        let mut child = journalctl(logs.path.as_deref(), cursor.as_deref())?;
        let Some(output) = child.stdout.take() else { return Ok(()) };
        let mut journal = JournalExport::new(BufReader::with_capacity(1 << 20, output));
        let grammar = Grammar { zone: logs.zone.clone(), client_header: logs.client_header.clone() };
        let mut state: CorrelatorState = stored(self.log.state.as_deref()).unwrap_or_default();
        let mut more = true;
        while more && !self.watch.stopped() {
            let Some(first) = journal.next_entry().context("journalctl")?.cloned() else { break };
            let mut batch = self.index.begin()?;
            let mut shelf = batch.shelf(self.log.id)?;
            let mut correlator = Correlator::new(&grammar, MemoryLimits::default(), clock::now_ms(), state);
            correlator.take(&first.parse(), &mut shelf);
            let (mut deliveries, mut entries, mut cursor) = (0, 1, first.cursor.clone());
            while !self.is_full(entries * ENTRY) {
                let Some(entry) = journal.next_entry().context("journalctl")? else {
                    more = false;
                    break;
                };
                correlator.take(&entry.parse(), &mut shelf);
                cursor.clone_from(&entry.cursor);
                entries += 1;
                if entries % DRAIN_ENTRIES == 0 {
                    self.drain(&mut correlator, &mut batch, Some(&mut shelf), &mut deliveries)?;
                }
            }
            self.drain(&mut correlator, &mut batch, Some(&mut shelf), &mut deliveries)?;
            let lines = correlator.take_lines();
            state = self.end(correlator, batch, shelf, text(&cursor)?, entries * ENTRY, &lines)?;
            self.count(entries * ENTRY, &lines, deliveries);
        }
        if more {
            // It would go on writing for nobody.
            let _ = child.kill();
        }
        let ended = child.wait().context("journalctl")?;
        if !more || ended.success() || self.watch.stopped() || ended.code() == Some(1) {
            return Ok(());
        }
        Err(Error::new(format_args!("journalctl: {ended}"))
            .remedy("let the user that runs carom read the journal: group systemd-journal"))
    }

    /// Opens a file where the last tick stopped; none if it is not there yet.
    fn tail(&mut self, logs: &MailLog) -> Result<Option<Tail>> {
        let Some(path) = logs.path.as_deref() else { return Ok(None) };
        let position: Option<Position> = stored(self.log.position.as_deref());
        Tail::open(path, position).map(Some)
    }

    /// Writes down what has changed; without a shelf only what came to its end.
    fn drain(
        &mut self,
        correlator: &mut Correlator,
        batch: &mut Batch<'_>,
        shelf: Option<&mut Shelved<'_>>,
        deliveries: &mut u64,
    ) -> Result<()> {
        let mut sink = Sink { batch, pending: &mut self.reasons.pending, deliveries, fault: None };
        match shelf {
            Some(shelf) => correlator.drain(shelf, |delivery| sink.take(delivery)),
            None => correlator.drain_ended(|delivery| sink.take(delivery)),
        }
        if let Some(fault) = sink.fault {
            return Err(fault);
        }
        self.reasons.ask_many(batch)
    }

    /// Ends a transaction: what is under way goes on the shelf.
    fn end<'i>(
        &mut self,
        correlator: Correlator,
        mut batch: Batch<'i>,
        mut shelf: Shelved<'i>,
        position: Option<String>,
        bytes: u64,
        lines: &Lines,
    ) -> Result<CorrelatorState> {
        self.reasons.end(&mut batch)?;
        let newest_ms = correlator.newest_ms();
        batch.add_lines(newest_ms, lines)?;
        let state = correlator.shelve(&mut shelf);
        batch.tidy_shelf(self.log.id, newest_ms, SHELVED_MS)?;
        (self.log.position, self.log.state) = (position, text(&state)?);
        batch.position(&self.log, bytes, lines, clock::now_ms())?;
        batch.commit(Some(shelf))?;
        Ok(state)
    }

    fn report(&mut self, logs: &MailLog, tail: &Tail) {
        let report = tail.notes();
        for (path, why) in &report.unread {
            self.done.notes.push(format!("{}: not read to its end: {why}", path.display()));
        }
        if report.lost {
            let name = logs.name();
            self.done
                .notes
                .push(format!("{name}: the file that was read last is gone; lines may be missing"));
        }
    }
}
