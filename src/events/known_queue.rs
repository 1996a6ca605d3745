//! A queue that is lost: deleted, or restored from a backup. What had not reached every sink is
//! collected again, under the same ids.
//!
//! The store knows which queue it was and where it ended. What was collected stays on record where
//! it was noted until every sink has it. Not here: the queue (`event_queue`). Invariant: the new
//! queue is known after everything is to be collected again.

use super::collecting::LINES;
use super::event_queue::EventQueue;
use crate::config::Config;
use crate::error::{Context, Result};
use crate::index::Index;
use crate::store::Store;
use serde::{Deserialize, Serialize};

/// The mark of the queue.
const QUEUE: &str = "event queue";
/// The mark that says which lines of the message log every sink has.
const DELIVERED: &str = "event lines delivered";

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KnownQueue {
    id: String,
    segment: u64,
    length: u64,
}

impl KnownQueue {
    fn of(queue: &EventQueue) -> KnownQueue {
        let (segment, length) = queue.end();
        KnownQueue { id: queue.id.clone(), segment, length }
    }

    fn read(store: &Store) -> Result<Option<KnownQueue>> {
        Ok(store.marked(QUEUE)?.and_then(|text| serde_json::from_str(&text).ok()))
    }
}

/// Where the queue ends now.
pub(super) fn note(store: &Store, queue: &EventQueue) -> Result<()> {
    let now = KnownQueue::of(queue);
    match KnownQueue::read(store)?.as_ref() == Some(&now) {
        true => Ok(()),
        false => store.mark(QUEUE, &serde_json::to_string(&now).context("JSON")?),
    }
}

/// Has everything collected again that a lost queue had. Returns whether that could be done: not
/// while another tick reads a log.
pub(super) fn recall(
    config: &Config,
    store: &Store,
    index: Option<&Index>,
    queue: &mut EventQueue,
) -> Result<bool> {
    let Some(known) = KnownQueue::read(store)? else {
        // What this queue had before, if an earlier version made it, is not known.
        let lines = store.marked(LINES)?;
        store.mark(DELIVERED, lines.as_deref().unwrap_or("{}"))?;
        return note(store, queue).map(|()| true);
    };
    let is_shorter = (known.segment, known.length) > queue.end();
    if known.id == queue.id && !is_shorter {
        return Ok(true);
    }
    let Some(_alone) = Index::lock(&config.index_path())? else { return Ok(false) };
    tracing::warn!("the queue of events was lost; events that had not arrived are collected again");
    if is_shorter && known.id == queue.id {
        // A sink may know the token of a batch from the same place.
        queue.rename()?;
    }
    if let Some(places) = store.marked(DELIVERED)? {
        store.mark(LINES, &places)?;
    }
    store.collected_suppression_changes(0)?;
    index.map_or(Ok(()), Index::changes_are_lost)?;
    note(store, queue).map(|()| true)
}

/// Every sink has everything: nothing would have to be collected again.
pub(super) fn is_delivered(config: &Config, store: &Store, index: Option<&Index>) -> Result<()> {
    let (lines, known) = (store.marked(LINES)?, store.marked(DELIVERED)?);
    if let Some(lines) = lines.filter(|lines| known.as_ref() != Some(lines)) {
        store.mark(DELIVERED, &lines)?;
    }
    store.delivered_suppression_changes()?;
    let Some(index) = index else { return Ok(()) };
    if !index.has_queued_changes()? {
        return Ok(());
    }
    // While another tick reads a log, they stay until the next one.
    match Index::lock(&config.index_path())? {
        Some(_alone) => index.changes_are_delivered(),
        None => Ok(()),
    }
}
