//! Collecting: what is new in the index, in the message log and on the suppression list becomes
//! lines of the queue.
//!
//! Not here: sending them. Invariant: what was collected is ticked off only after it is in the
//! queue; a kill between the two gives the same events again, under the same ids.

use super::event_line::{self, id};
use super::event_queue::EventQueue;
use crate::clock;
use crate::config::{Config, EventKind};
use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::index::{DeliveryData, Index};
use crate::maillog::stable_id::stable_id;
use crate::message_log::{self, LinePlaces};
use crate::store::Store;
use crate::text::push_hex;
use serde_json::{Map, Value};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Longest time of a tick for it.
const TIME: Duration = Duration::from_secs(10);
/// Deliveries and changes that are collected together at most, and at least.
const TOGETHER: RangeInclusive<usize> = 64..=10_000;
/// Bytes of an event, more or less.
const USUAL: u64 = 1 << 10;
/// The mark that says which lines of the message log were collected.
pub(super) const LINES: &str = "event lines";
/// How the names of counters begin that count a report.
const REPORTS: [&str; 6] = ["bounce", "complaint", "feedback", "unsubscribe", "auto_reply", "log_failure"];

/// How much of what was there was collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Collected {
    Everything,
    /// The queue has no room for more.
    Full,
    /// The rest waits for another tick.
    InPart,
}

/// What a tick collects within.
pub(super) struct Bounds {
    deadline: Deadline,
    /// Bytes that may be queued. One piece may be a little longer.
    pub(super) room: u64,
}

impl Bounds {
    pub(super) fn of_tick() -> Bounds {
        Bounds { deadline: Deadline::after(TIME), room: 0 }
    }

    /// Why no more is to be collected.
    fn reached(&self) -> Option<Collected> {
        match (self.deadline.passed(), self.room) {
            (true, _) => Some(Collected::InPart),
            (false, 0) => Some(Collected::Full),
            (false, _) => None,
        }
    }

    /// Events to be collected together.
    fn together(&self) -> usize {
        let many = usize::try_from(self.room / USUAL).unwrap_or(usize::MAX);
        many.clamp(*TOGETHER.start(), *TOGETHER.end())
    }

    fn append(&mut self, queue: &mut EventQueue, lines: &[u8]) -> Result<()> {
        self.room = self.room.saturating_sub(lines.len() as u64);
        queue.append(lines)
    }
}

/// Returns how much was collected, and what went wrong; the other sources are collected all the
/// same.
pub(super) fn collect(
    config: &Config,
    store: &Store,
    index: Option<&Index>,
    wanted: &[EventKind],
    queue: &mut EventQueue,
    bounds: &mut Bounds,
) -> (Collected, Vec<Error>) {
    let host = config.hostname();
    let wants = |kind: EventKind| wanted.contains(&kind);
    let of_messages: Vec<EventKind> = [EventKind::Verdict, EventKind::Report, EventKind::Step]
        .into_iter()
        .filter(|kind| wants(*kind))
        .collect();
    let mut collected = Vec::new();
    if let Some(index) = index.filter(|_| wants(EventKind::Delivery)) {
        collected.push(deliveries(config, index, &host, queue, bounds));
    }
    if !of_messages.is_empty() {
        collected.push(messages(config, store, &of_messages, &host, queue, bounds));
    }
    if wants(EventKind::Suppression) {
        collected.push(suppressions(store, &host, queue, bounds));
    }
    let of_source = |source: &Result<Collected>| *source.as_ref().unwrap_or(&Collected::InPart);
    let least = collected.iter().map(of_source).max().unwrap_or(Collected::Everything);
    (least, collected.into_iter().filter_map(Result::err).collect())
}

fn deliveries(
    config: &Config,
    index: &Index,
    host: &str,
    queue: &mut EventQueue,
    bounds: &mut Bounds,
) -> Result<Collected> {
    // While another tick reads a log, what it notes could be ticked off unseen.
    let Some(_alone) = Index::lock(&config.index_path())? else { return Ok(Collected::InPart) };
    let mut changed = index.changed_deliveries()?;
    let (mut lines, mut id) = (Vec::new(), Vec::new());
    loop {
        if let Some(reached) = bounds.reached() {
            return Ok(reached);
        }
        lines.clear();
        let last = changed.next(bounds.together(), &mut |delivery: &DeliveryData<'_>| {
            let DeliveryData { row, last_seen, json, .. } = delivery;
            id.clear();
            push_hex(&mut id, row.cast_unsigned());
            push_hex(&mut id, stable_id(&[host.as_bytes(), json]));
            event_line::write_rendered(&mut lines, EventKind::Delivery, &id, (host, *last_seen), json);
        })?;
        let Some(last) = last else { return Ok(Collected::Everything) };
        bounds.append(queue, &lines)?;
        index.changes_are_queued(last)?;
    }
}

fn messages(
    config: &Config,
    store: &Store,
    wanted: &[EventKind],
    host: &str,
    queue: &mut EventQueue,
    bounds: &mut Bounds,
) -> Result<Collected> {
    let stored = store.marked(LINES)?;
    let mut places: LinePlaces =
        stored.and_then(|places| serde_json::from_str(&places).ok()).unwrap_or_default();
    loop {
        if let Some(reached) = bounds.reached() {
            return Ok(reached);
        }
        let read = message_log::new_lines(config, &mut places, bounds.room)?;
        if read.is_empty() {
            return Ok(Collected::Everything);
        }
        let mut lines = Vec::new();
        for line in read.split(|byte| *byte == b'\n').filter(|line| line.first() == Some(&b'{')) {
            // A line that was cut off is none.
            let Ok(said) = serde_json::from_slice::<Map<String, Value>>(line) else { continue };
            of_line(&mut lines, said, line, wanted, host)?;
        }
        bounds.append(queue, &lines)?;
        store.mark(LINES, &serde_json::to_string(&places).context("JSON")?)?;
    }
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

fn suppressions(store: &Store, host: &str, queue: &mut EventQueue, bounds: &mut Bounds) -> Result<Collected> {
    loop {
        if let Some(reached) = bounds.reached() {
            return Ok(reached);
        }
        let changes = store.suppression_changes(bounds.together())?;
        let Some(last) = changes.last().map(|change| change.number) else {
            return Ok(Collected::Everything);
        };
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
        bounds.append(queue, &lines)?;
        store.collected_suppression_changes(last)?;
    }
}
