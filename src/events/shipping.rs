//! Sending a sink what it has not got.
//!
//! Not here: how each kind of sink takes a batch. Invariant: the end of a batch is durable before
//! it is sent, and the position moves after the sink has it; so a batch that may have arrived is
//! sent again as it was.

use super::event_files;
use super::event_posts;
use super::event_queue::EventQueue;
use super::sink_batch::SinkBatch;
use crate::action::Doors;
use crate::clock;
use crate::config::{Config, EventSink, SinkPlace};
use crate::deadline::{Deadline, stopping};
use crate::error::Result;
use crate::store::SinkMark;
use std::time::Duration;

/// Bytes of a batch.
const LARGE: u64 = 8 << 20;
/// The same for a webhook.
const SMALL: u64 = 256 << 10;

/// Sends batches until there is nothing left or the share of the tick is over.
pub(super) fn ship(
    config: &Config,
    doors: &Doors,
    sink: &EventSink,
    queue: &EventQueue,
    mark: &mut SinkMark,
) -> Result<()> {
    if let SinkPlace::Files { directory, .. } = &sink.place {
        config.may_fill(directory)?;
    }
    let share = Duration::from_secs(sink.seconds.into());
    let deadline = Deadline::after(share);
    let name = sink.name();
    let (mut is_first, mut part) = (true, Vec::new());
    loop {
        queue.correct(mark);
        // What is begun late has too little time, and would fail.
        let has_time = is_first || deadline.left() > share / 2;
        match has_time && !stopping::asked() {
            true => queue.read(mark, most(sink), &mut part)?,
            false => part.clear(),
        }
        if part.is_empty() {
            mark.waiting = queue.waiting(mark);
            return doors.store.set_sink_mark(&name, mark);
        }
        is_first = false;
        let end = mark.offset + part.len() as u64;
        let batch = SinkBatch::new(queue, sink, mark, end, &part);
        if mark.until.is_none() && batch.events > 0 {
            mark.until = Some(end);
            doors.store.set_sink_mark(&name, mark)?;
        }
        let sent = if batch.events > 0 { send(doors, sink, &batch, deadline) } else { Ok(()) };
        if let Err(error) = sent {
            mark.failing_ms.get_or_insert(clock::now_ms());
            error.text().clone_into(&mut mark.fault);
            mark.waiting = queue.waiting(mark);
            doors.store.set_sink_mark(&name, mark)?;
            return Err(error);
        }
        (mark.offset, mark.until, mark.failing_ms) = (end, None, None);
        mark.fault.clear();
        mark.sent += batch.events;
        mark.waiting = queue.waiting(mark);
        doors.store.set_sink_mark(&name, mark)?;
    }
}

fn most(sink: &EventSink) -> u64 {
    if matches!(sink.place, SinkPlace::Webhook { .. }) { SMALL } else { LARGE }
}

fn send(doors: &Doors, sink: &EventSink, batch: &SinkBatch<'_>, deadline: Deadline) -> Result<()> {
    match &sink.place {
        SinkPlace::Files { directory, max_size, keep_days } => {
            event_files::append(directory, batch, *max_size, *keep_days)
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
