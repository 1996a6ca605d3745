//! EVENTS: what happened, as JSON, to files, ClickHouse and webhooks; from the tick, never in the
//! message path.
//!
//! 1. collect: deliveries that changed, new lines of the message log and changes of the suppression
//!    list become lines of a queue on the disk (`collecting`, `event_queue`), and are then ticked
//!    off where they were noted
//! 2. ship: each sink is sent what it has not got, in batches, until its share of the tick is over
//!    (`shipping`)
//! 3. tidy: what every sink has is removed
//!
//! Not here: the schema in words (`docs/events.md`). Invariant: an event reaches each sink at least
//! once, always under the same id; a batch that is repeated is the same, under the same token; a
//! sink that fails or is slow holds up no other.

mod event_line;
mod event_queue;
mod known_queue;
pub(crate) mod blanked_events;
mod collecting;
mod sink_batch;
mod event_files;
mod event_posts;
mod shipping;

use crate::action::Doors;
use crate::config::{Config, EventKind, EventSink};
use crate::error::{Context, Error, Result};
use crate::files::{lock, private};
use crate::index::Index;
use crate::store::{SinkMark, Store};
use event_queue::EventQueue;
use serde::Serialize;
use std::path::PathBuf;

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

/// The queue of a config's store.
pub(crate) fn queue_directory(config: &Config) -> PathBuf {
    config.state_dir().join("event-queue")
}

/// Notes changes of the suppression list from now on, if a sink wants them.
pub(crate) fn watch(config: &Config, store: &Store) -> Result<()> {
    match config.events.get() {
        Ok(_) => store.watch_suppressions(config.keeps_events(EventKind::Suppression)),
        // The tick says so when it sends; until it is right, all stays as it is.
        Err(_) => Ok(()),
    }
}

/// Collects and ships; what went wrong is returned.
pub(crate) fn tick(
    config: &Config,
    doors: &Doors,
    index: Option<&Index>,
) -> (Vec<ShippedEvents>, Vec<Error>) {
    let sinks = match config.events.get() {
        Ok(sinks) => sinks,
        Err(error) => return (Vec::new(), vec![error]),
    };
    let directory = queue_directory(config);
    if sinks.is_empty() && !directory.exists() {
        return (Vec::new(), Vec::new());
    }
    let mut problems = Vec::new();
    let shipped = run(config, doors, index, sinks, &mut problems);
    let shipped = shipped.unwrap_or_else(|error| {
        problems.push(error);
        Vec::new()
    });
    (shipped, problems)
}

fn run(
    config: &Config,
    doors: &Doors,
    index: Option<&Index>,
    sinks: &[EventSink],
    problems: &mut Vec<Error>,
) -> Result<Vec<ShippedEvents>> {
    let directory = queue_directory(config);
    private::make_directory(&directory).context(directory.display())?;
    let lock = directory.join("lock");
    // Another tick may be at it.
    let Some(_alone) = lock::try_take(&lock).context(lock.display())? else { return Ok(Vec::new()) };
    let mut queue = EventQueue::open(&directory)?;
    let store = &doors.store;
    if !known_queue::recall(config, store, index, &mut queue)? {
        return Ok(Vec::new());
    }
    let mut marks: Vec<SinkMark> = Vec::with_capacity(sinks.len());
    for sink in sinks {
        let mut mark = store.sink_mark(&sink.name())?;
        queue.correct(&mut mark);
        if sink.drop_oldest {
            queue.drop_oldest(&mut mark, sink.max_backlog)?;
        }
        marks.push(mark);
    }
    let is_full = |(sink, mark): (&EventSink, &SinkMark)| queue.waiting(mark) > sink.max_backlog;
    let (is_complete, wrong) = match sinks.iter().zip(&marks).find(|pair| is_full(*pair)) {
        None => collecting::collect(config, store, index, sinks, &mut queue),
        Some((sink, mark)) => (false, vec![behind(sink, queue.waiting(mark))]),
    };
    problems.extend(wrong);
    let mut shipped = Vec::with_capacity(sinks.len());
    for (sink, mark) in sinks.iter().zip(&mut marks) {
        let before = mark.sent;
        mark.uncollected = !is_complete;
        let ended = shipping::ship(config, doors, sink, &queue, mark);
        let fault = ended.err().map(|error| error.within(sink.shown_name()));
        let (sent, waiting) = (mark.sent - before, mark.waiting);
        shipped.push(ShippedEvents {
            sink: sink.shown_name(),
            sent,
            waiting,
            uncollected: mark.uncollected,
            fault: fault.as_ref().map(Error::to_string),
        });
        problems.extend(fault);
    }
    let has_all = |mark: &SinkMark| mark.until.is_none() && queue.waiting(mark) == 0;
    // What waits for a sink that drops the oldest may be lost.
    if sinks.iter().zip(&marks).all(|(sink, mark)| sink.drop_oldest || has_all(mark)) {
        problems.extend(known_queue::is_delivered(config, store, index).err());
    }
    match marks.iter().all(has_all) {
        true => queue.begin_segment()?,
        false => queue.remove_before(marks.iter().map(|mark| mark.segment).min())?,
    }
    known_queue::note(store, &queue)?;
    Ok(shipped)
}

fn behind(sink: &EventSink, waiting: u64) -> Error {
    let (name, most) = (sink.shown_name(), sink.max_backlog);
    let what = format!(
        "{name}: {waiting} bytes wait for it, more than max_backlog ({most}): events stay where they were noted \
         until it has taken some"
    );
    Error::new(what).remedy("see why it takes none, or set max_backlog or drop_oldest of its [[events]]")
}
