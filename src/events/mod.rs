//! EVENTS: what happened, as JSON, to files, ClickHouse and webhooks; from the tick, never in the
//! message path.
//!
//! 1. collect: deliveries that changed, new lines of the message log and changes of the suppression
//!    list become lines of a queue on the disk (`collecting`, `event_queue`), as many as it has
//!    room for, and are then ticked off where they were noted
//! 2. ship: each sink is sent what it has not got, in batches, until its share of the tick is over
//!    (`shipping`); what there is room for then is collected
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

pub(crate) use shipping::ShippedEvents;

use crate::action::Doors;
use crate::config::{Config, EventKind, EventSink};
use crate::error::{Context, Error, Result};
use crate::files::{lock, private};
use crate::index::Index;
use crate::store::Store;
use collecting::{Bounds, Collected};
use event_queue::EventQueue;
use shipping::SinkTurn;
use std::path::PathBuf;

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
    let most = sinks.iter().map(|sink| sink.max_backlog).min().unwrap_or(u64::MAX);
    let mut queue = EventQueue::open(&directory, most)?;
    let store = &doors.store;
    if !known_queue::recall(config, store, index, &mut queue)? {
        return Ok(Vec::new());
    }
    let mut turns: Vec<SinkTurn<'_>> = Vec::with_capacity(sinks.len());
    for sink in sinks {
        turns.push(SinkTurn::begin(store, sink, &queue)?);
    }
    let is_complete = collect_and_ship(config, doors, index, &mut queue, &mut turns, problems)?;
    let has_all = |turn: &SinkTurn<'_>| turn.mark.until.is_none() && queue.waiting(&turn.mark) == 0;
    // What waits for a sink that drops the oldest may be lost.
    if turns.iter().all(|turn| turn.sink.drop_oldest || has_all(turn)) {
        problems.extend(known_queue::is_delivered(config, store, index).err());
    }
    match turns.iter().all(has_all) {
        true => queue.begin_segment()?,
        false => queue.remove_before(turns.iter().map(|turn| turn.mark.segment).min())?,
    }
    known_queue::note(store, &queue)?;
    let ended: Vec<_> = turns.into_iter().map(|turn| turn.end(store, &queue, is_complete)).collect();
    let (shipped, faults): (Vec<_>, Vec<_>) = ended.into_iter().unzip();
    problems.extend(faults.into_iter().flatten());
    Ok(shipped)
}

/// Collects what there is room for, and ships it, until there is no more, or no room for more.
/// Returns whether everything was collected.
fn collect_and_ship(
    config: &Config,
    doors: &Doors,
    index: Option<&Index>,
    queue: &mut EventQueue,
    turns: &mut [SinkTurn<'_>],
    problems: &mut Vec<Error>,
) -> Result<bool> {
    let wanted: Vec<EventKind> = turns.iter().flat_map(|turn| turn.sink.include.clone()).collect();
    let mut bounds = Bounds::of_tick();
    loop {
        for turn in &mut *turns {
            turn.drop_oldest(queue)?;
        }
        queue.remove_before(turns.iter().map(|turn| turn.mark.segment).min())?;
        bounds.room = turns.iter().map(|turn| turn.room(queue)).min().unwrap_or_default();
        let (collected, wrong) =
            collecting::collect(config, &doors.store, index, &wanted, queue, &mut bounds);
        problems.extend(wrong);
        turns.iter_mut().for_each(|turn| turn.ship(config, doors, queue));
        let full = turns.iter().find(|turn| turn.room(queue) == 0);
        match (collected, full) {
            (Collected::Full, None) => {}
            // One that had all in this tick is not behind: its share of the time is over.
            (Collected::Full, Some(turn)) => {
                let is_behind = !turn.had_all;
                problems.extend(is_behind.then(|| behind(turn.sink, queue.waiting(&turn.mark))));
                return Ok(false);
            }
            (Collected::Everything | Collected::InPart, _) => return Ok(collected == Collected::Everything),
        }
    }
}

fn behind(sink: &EventSink, waiting: u64) -> Error {
    let (name, most) = (sink.shown_name(), sink.max_backlog);
    let what = format!(
        "{name}: {waiting} bytes wait for it, and max_backlog is {most}: events stay where they were noted until it \
         has taken some"
    );
    Error::new(what).remedy("see why it takes none, or set max_backlog or drop_oldest of its [[events]]")
}
