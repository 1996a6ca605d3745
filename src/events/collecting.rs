//! Collecting: what is new in the index, in the message log and on the suppression list becomes
//! lines of the queue.
//!
//! Not here: sending them. Invariant: what was collected is ticked off only after it is in the
//! queue; a kill between the two gives the same events again, under the same ids.

use super::event_line::{self, id};
use super::event_queue::EventQueue;
use crate::clock;
use crate::config::{Config, EventKind, EventSink};
use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::index::{DeliveryData, Index};
use crate::maillog::stable_id::stable_id;
use crate::message_log::{self, LinePlaces};
use crate::store::Store;
use crate::text::push_hex;
use serde_json::{Map, Value};
use std::time::Duration;

/// Longest time of a tick for it.
const TIME: Duration = Duration::from_secs(10);
/// Deliveries and changes that are collected together.
const TOGETHER: usize = 10_000;
/// The mark that says which lines of the message log were collected.
pub(super) const LINES: &str = "event lines";
/// How the names of counters begin that count a report.
const REPORTS: [&str; 6] = ["bounce", "complaint", "feedback", "unsubscribe", "auto_reply", "log_failure"];

/// Returns whether everything was collected that was there, and what went wrong; the other sources
/// are collected all the same.
pub(super) fn collect(
    config: &Config,
    store: &Store,
    index: Option<&Index>,
    sinks: &[EventSink],
    queue: &mut EventQueue,
) -> (bool, Vec<Error>) {
    let deadline = Deadline::after(TIME);
    let host = config.hostname();
    let wants = |kind: EventKind| sinks.iter().any(|sink| sink.takes(kind));
    let of_messages: Vec<EventKind> = [EventKind::Verdict, EventKind::Report, EventKind::Step]
        .into_iter()
        .filter(|kind| wants(*kind))
        .collect();
    let mut collected = Vec::new();
    if let Some(index) = index.filter(|_| wants(EventKind::Delivery)) {
        collected.push(deliveries(config, index, &host, queue, deadline));
    }
    if !of_messages.is_empty() {
        collected.push(messages(config, store, &of_messages, &host, queue, deadline));
    }
    if wants(EventKind::Suppression) {
        collected.push(suppressions(store, &host, queue, deadline));
    }
    let is_complete = collected.iter().all(|source| matches!(source, Ok(true)));
    (is_complete, collected.into_iter().filter_map(Result::err).collect())
}

fn deliveries(
    config: &Config,
    index: &Index,
    host: &str,
    queue: &mut EventQueue,
    deadline: Deadline,
) -> Result<bool> {
    // While another tick reads a log, what it notes could be ticked off unseen.
    let Some(_alone) = Index::lock(&config.index_path())? else { return Ok(false) };
    let mut changed = index.changed_deliveries()?;
    let (mut lines, mut id) = (Vec::new(), Vec::new());
    while !deadline.passed() {
        lines.clear();
        let last = changed.next(TOGETHER, &mut |delivery: &DeliveryData<'_>| {
            let DeliveryData { row, last_seen, json, .. } = delivery;
            id.clear();
            push_hex(&mut id, row.cast_unsigned());
            push_hex(&mut id, stable_id(&[host.as_bytes(), json]));
            event_line::write_rendered(&mut lines, EventKind::Delivery, &id, (host, *last_seen), json);
        })?;
        let Some(last) = last else { return Ok(true) };
        queue.append(&lines)?;
        index.changes_are_queued(last)?;
    }
    Ok(false)
}

fn messages(
    config: &Config,
    store: &Store,
    wanted: &[EventKind],
    host: &str,
    queue: &mut EventQueue,
    deadline: Deadline,
) -> Result<bool> {
    let stored = store.marked(LINES)?;
    let mut places: LinePlaces =
        stored.and_then(|places| serde_json::from_str(&places).ok()).unwrap_or_default();
    while !deadline.passed() {
        let read = message_log::new_lines(config, &mut places)?;
        if read.is_empty() {
            return Ok(true);
        }
        let mut lines = Vec::new();
        for line in read.split(|byte| *byte == b'\n').filter(|line| line.first() == Some(&b'{')) {
            // A line that was cut off is none.
            let Ok(said) = serde_json::from_slice::<Map<String, Value>>(line) else { continue };
            of_line(&mut lines, said, line, wanted, host)?;
        }
        queue.append(&lines)?;
        store.mark(LINES, &serde_json::to_string(&places).context("JSON")?)?;
    }
    Ok(false)
}

/// The events of a line of the message log: the verdict, the report that it counted, and each step
/// that it says an end of.
fn of_line(
    to: &mut Vec<u8>,
    mut said: Map<String, Value>,
    line: &[u8],
    wanted: &[EventKind],
    host: &str,
) -> Result<()> {
    let at_ms = said.get("time").and_then(Value::as_str).and_then(clock::parse);
    let Some(at_ms) = at_ms else { return Ok(()) };
    let results = said.remove("results");
    if let Some(key) = said.remove("key") {
        said.insert("id".into(), key);
    }
    let is_decision = !said.contains_key("event") && said.contains_key("verdict");
    let named = decided(&said, host).unwrap_or_else(|| line.to_vec());
    let about = ["id", "sender", "recipient", "original_recipient", "queue_id", "policy"];
    let message: Map<String, Value> =
        about.iter().filter_map(|name| Some(((*name).to_owned(), said.get(*name)?.clone()))).collect();
    let counted = said.get("counted").and_then(Value::as_object);
    let reported: Map<String, Value> = counted
        .into_iter()
        .flatten()
        .filter(|(name, _)| REPORTS.iter().any(|report| name.starts_with(report)))
        .map(|(name, many)| (name.clone(), many.clone()))
        .collect();
    if is_decision && !reported.is_empty() && wanted.contains(&EventKind::Report) {
        let mut report = message.clone();
        report.insert("counted".into(), Value::Object(reported));
        event_line::write(to, EventKind::Report, &id(&[b"report", &named]), (host, at_ms), &report)?;
    }
    if is_decision && wanted.contains(&EventKind::Verdict) {
        event_line::write(to, EventKind::Verdict, &id(&[b"verdict", &named]), (host, at_ms), &said)?;
    }
    let steps = results.as_ref().and_then(Value::as_array);
    for step in steps.into_iter().flatten().filter(|_| wanted.contains(&EventKind::Step)) {
        let Some(ended) = step.as_object() else { continue };
        let mut told = message.clone();
        told.extend(ended.iter().map(|(name, value)| (name.clone(), value.clone())));
        let number = ended.get("step").map(Value::to_string).unwrap_or_default();
        let id = id(&[b"step", line, number.as_bytes()]);
        event_line::write(to, EventKind::Step, &id, (host, at_ms), &told)?;
    }
    Ok(())
}

/// What names a decision: a message that comes again after a kill is on record twice, under one
/// key. One that was deferred is decided again each time that it comes.
fn decided(said: &Map<String, Value>, host: &str) -> Option<Vec<u8>> {
    let is_deferred = said.get("verdict")?.get("defer").is_some();
    let key = said.get("id").and_then(Value::as_str).filter(|_| !is_deferred)?;
    Some([host.as_bytes(), b"\n", key.as_bytes()].concat())
}

fn suppressions(store: &Store, host: &str, queue: &mut EventQueue, deadline: Deadline) -> Result<bool> {
    while !deadline.passed() {
        let changes = store.suppression_changes(TOGETHER)?;
        let Some(last) = changes.last().map(|change| change.number) else { return Ok(true) };
        let mut lines = Vec::new();
        for change in &changes {
            let data: Value = serde_json::from_str(&change.entry).context("JSON")?;
            let number = change.number.to_le_bytes();
            let id = id(&[
                b"suppression",
                host.as_bytes(),
                &number,
                &change.at_ms.to_le_bytes(),
                change.entry.as_bytes(),
            ]);
            event_line::write(&mut lines, EventKind::Suppression, &id, (host, change.at_ms), &data)?;
        }
        queue.append(&lines)?;
        store.collected_suppression_changes(last)?;
    }
    Ok(false)
}
