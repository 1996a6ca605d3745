//! Sending a sink what it has not got.
//!
//! Not here: how each kind of sink takes a batch. Invariant: the end of a batch is durable before
//! it is sent, and the position moves after the sink has it; so a batch that may have arrived is
//! sent again as it was. One that was late twice is divided: what it had goes in smaller batches.

use super::event_files;
use super::event_posts;
use super::event_queue::EventQueue;
use super::sink_batch::{SinkBatch, UntakenBatch};
use crate::action::Doors;
use crate::clock;
use crate::config::{Config, EventSink, SinkPlace};
use crate::deadline::{Deadline, stopping};
use crate::error::{Error, Result};
use crate::store::{SinkMark, Store};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Bytes of a batch.
const LARGE: u64 = 8 << 20;
/// The same for a webhook.
const SMALL: u64 = 256 << 10;
/// The same for a sink that is slow.
const LEAST: u64 = 16 << 10;

/// What a tick did for a sink.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ShippedEvents {
    pub(crate) sink: String,
    /// Events that were sent in this tick.
    pub(crate) sent: u64,
    /// Bytes that wait in the queue.
    pub(crate) waiting: u64,
    /// Whether events are still to be collected, which `waiting` does not have.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) uncollected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
}

/// What a tick does for a sink.
pub(super) struct SinkTurn<'s> {
    pub(super) sink: &'s EventSink,
    pub(super) mark: SinkMark,
    pub(super) fault: Option<Error>,
    /// Whether nothing waited for it at some time of the tick.
    pub(super) had_all: bool,
    name: String,
    /// Events that were sent before this tick.
    before: u64,
    /// Time that was used.
    used: Duration,
}

impl<'s> SinkTurn<'s> {
    pub(super) fn begin(store: &Store, sink: &'s EventSink, queue: &EventQueue) -> Result<SinkTurn<'s>> {
        let name = sink.name();
        let mut mark = store.sink_mark(&name)?;
        queue.correct(&mut mark);
        let (before, used) = (mark.sent, Duration::ZERO);
        Ok(SinkTurn { sink, mark, fault: None, had_all: false, name, before, used })
    }

    /// Bytes that may be queued for it now.
    pub(super) fn room(&self, queue: &EventQueue) -> u64 {
        match self.sink.drop_oldest {
            // The oldest of them go before there is more.
            true => queue.longest_segment(),
            false => self.sink.max_backlog.saturating_sub(queue.waiting(&self.mark)),
        }
    }

    pub(super) fn drop_oldest(&mut self, queue: &EventQueue) -> Result<()> {
        if self.sink.drop_oldest {
            queue.drop_oldest(&mut self.mark, self.sink.max_backlog)?;
        }
        Ok(())
    }

    /// Sends batches until there is nothing left, one fails, or the share of the tick is over.
    pub(super) fn ship(&mut self, config: &Config, doors: &Doors, queue: &EventQueue) {
        if self.fault.is_some() {
            return;
        }
        let began = Instant::now();
        let shipped = self.ship_within(config, doors, queue, Deadline::after(self.share() - self.used));
        self.used = (self.used + began.elapsed()).min(self.share());
        self.fault = shipped.err();
    }

    fn share(&self) -> Duration {
        Duration::from_secs(self.sink.seconds.into())
    }

    fn ship_within(
        &mut self,
        config: &Config,
        doors: &Doors,
        queue: &EventQueue,
        deadline: Deadline,
    ) -> Result<()> {
        if let SinkPlace::Files { directory, .. } = &self.sink.place {
            config.may_fill(directory)?;
        }
        let (share, mut part) = (self.share(), Vec::new());
        loop {
            let began = Instant::now();
            queue.correct(&mut self.mark);
            // What is begun late has too little time, and would fail.
            if deadline.left() < share / 2 || stopping::asked() {
                return Ok(());
            }
            queue.read(&self.mark, self.most(), &mut part)?;
            if part.is_empty() {
                self.had_all = true;
                return Ok(());
            }
            let mark = &mut self.mark;
            let end = mark.offset + part.len() as u64;
            let batch = SinkBatch::new(queue, self.sink, mark, end, &part);
            if mark.until.is_none() && batch.events > 0 {
                (mark.until, mark.is_late) = (Some(end), false);
                doors.store.set_sink_mark(&self.name, mark)?;
            }
            let sent = if batch.events > 0 { send(doors, self.sink, &batch, deadline) } else { Ok(()) };
            match sent {
                Ok(()) => self.is_taken(end, batch.events, began.elapsed() < share / 4),
                Err(untaken) => return Err(self.is_untaken(untaken, part.len() as u64)),
            }
            self.note(&doors.store, queue)?;
        }
    }

    /// It has the events up to `end`. A batch that was taken quickly may be followed by a larger
    /// one.
    fn is_taken(&mut self, end: u64, events: u64, quickly: bool) {
        let largest = largest(self.sink);
        let mark = &mut self.mark;
        (mark.offset, mark.until, mark.failing_ms) = (end, None, None);
        mark.fault.clear();
        mark.sent += events;
        if quickly {
            mark.most = mark.most.map(|most| most * 2).filter(|most| *most < largest);
        }
    }

    /// The first time, a batch that is late is repeated as it was: the sink may have it, and know
    /// its token.
    fn is_untaken(&mut self, untaken: UntakenBatch, bytes: u64) -> Error {
        let mark = &mut self.mark;
        mark.failing_ms.get_or_insert(clock::now_ms());
        untaken.error.text().clone_into(&mut mark.fault);
        if untaken.is_late && mark.is_late && bytes > LEAST {
            (mark.most, mark.until) = (Some((bytes / 2).max(LEAST)), None);
        }
        mark.is_late = untaken.is_late;
        untaken.error
    }

    fn most(&self) -> u64 {
        self.mark.most.unwrap_or(u64::MAX).min(largest(self.sink))
    }

    fn note(&mut self, store: &Store, queue: &EventQueue) -> Result<()> {
        self.mark.waiting = queue.waiting(&self.mark);
        store.set_sink_mark(&self.name, &self.mark)
    }

    /// What the tick did; how far the sink is, is noted.
    pub(super) fn end(
        mut self,
        store: &Store,
        queue: &EventQueue,
        is_complete: bool,
    ) -> (ShippedEvents, Option<Error>) {
        self.mark.uncollected = !is_complete;
        let noted = self.note(store, queue).err();
        let fault = self.fault.take().or(noted).map(|error| error.within(self.sink.shown_name()));
        let shipped = ShippedEvents {
            sink: self.sink.shown_name(),
            sent: self.mark.sent - self.before,
            waiting: self.mark.waiting,
            uncollected: self.mark.uncollected,
            fault: fault.as_ref().map(Error::to_string),
        };
        (shipped, fault)
    }
}

/// Bytes of a batch at most, but for a line that is longer.
fn largest(sink: &EventSink) -> u64 {
    match sink.place {
        SinkPlace::Files { max_size, .. } => LARGE.min(max_size),
        SinkPlace::ClickHouse { .. } => LARGE,
        SinkPlace::Webhook { .. } => SMALL,
    }
}

fn send(
    doors: &Doors,
    sink: &EventSink,
    batch: &SinkBatch<'_>,
    deadline: Deadline,
) -> Result<(), UntakenBatch> {
    match &sink.place {
        SinkPlace::Files { directory, max_size, keep_days } => {
            Ok(event_files::append(directory, batch, *max_size, *keep_days)?)
        }
        SinkPlace::ClickHouse { url, database, table, user, password } => {
            let place = event_posts::RowsTable { url, database, table };
            event_posts::to_clickhouse(doors, &place, (user.as_deref(), password.get()?), batch, deadline)
        }
        SinkPlace::Webhook { url, secrets } => {
            event_posts::to_webhook(doors, url, secrets.get()?, batch, deadline)
        }
    }
}
