//! The road of a log line, on one page: tail → line → correlate → classify and count → index, one commit with the position.
//!
//! Not here: how each of them works (`logs`, `store::index`). Invariant: what is committed is whole: every line up to the position
//! is in it, and none behind; a run that is stopped goes on from there.

mod reasons;
mod sources;
mod count;

use crate::clock;
use crate::config::{Config, LogKind, MailLog};
use crate::error::Result;
use crate::index::{Index, LogProgress};
use crate::maillog::Lines;
use reasons::Reasons;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub(crate) use reasons::reclassify;

/// Bytes of a log in one transaction.
const COMMIT_BYTES: u64 = 128 << 20;
/// A transaction is not left open longer.
const COMMIT_AFTER: Duration = Duration::from_secs(5);

/// What was done.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Ingested {
    /// Bytes of whole lines.
    pub(crate) bytes: u64,
    /// What the lines were.
    #[serde(flatten)]
    pub(crate) lines: Lines,
    /// States of deliveries that were written down.
    pub(crate) deliveries: u64,
    /// Deliveries that were too old, or too many.
    pub(crate) expired: u64,
    /// Another tick is at it; this one did nothing.
    pub(crate) busy: bool,
    /// Somebody wanted it to stop before all was read.
    pub(crate) stopped: bool,
    /// What could not be read, and other things that an operator should know.
    pub(crate) notes: Vec<String>,
}

/// What a run may ask while it goes.
pub(crate) struct Watch<'a> {
    /// Set when it is to stop.
    pub(crate) stop: &'a AtomicBool,
    /// Told bytes read and bytes that are left, about.
    pub(crate) progress: &'a dyn Fn(u64, u64),
}

impl Watch<'_> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Reads what is new in all logs of the config.
pub(crate) fn run(config: &Arc<Config>, watch: &Watch<'_>) -> Result<Ingested> {
    let mut done = Ingested::default();
    let logs = config.mail_logs.get()?;
    if logs.is_empty() {
        return Ok(done);
    }
    let path = config.index_path();
    let Some(_lock) = Index::lock(&path)? else {
        done.busy = true;
        return Ok(done);
    };
    let index = Index::open(&path)?;
    let mut reasons = Reasons::new(config);
    for mail_log in logs {
        let log = index.log(&mail_log.name())?;
        // The only log, read on, says nothing twice.
        let alone = logs.len() == 1 && log.position.is_some();
        reasons.pending.again = !alone && !index.is_empty()?;
        let mut work = LogReader {
            index: &index,
            log,
            reasons: &mut reasons,
            watch,
            done: &mut done,
            since: Instant::now(),
        };
        if let Err(error) = work.read(mail_log) {
            // One log that cannot be read does not keep the others from being read.
            done.notes.push(error.to_string());
        }
        if watch.stopped() {
            done.stopped = true;
            return Ok(done);
        }
    }
    index.complete()?;
    done.expired =
        index.expire(clock::now_ms(), config.index.keep_days, config.index.max_rows, &|| watch.stopped())?;
    done.notes.extend(reasons.note());
    Ok(done)
}

/// One log on its way into the index.
struct LogReader<'a> {
    index: &'a Index,
    log: LogProgress,
    reasons: &'a mut Reasons,
    watch: &'a Watch<'a>,
    done: &'a mut Ingested,
    since: Instant,
}

impl LogReader<'_> {
    fn read(&mut self, logs: &MailLog) -> Result<()> {
        match logs.kind {
            LogKind::Postfix => self.postfix(logs),
            LogKind::PowerMta => self.powermta(logs),
            LogKind::Journald => self.journal(logs),
        }
    }

    /// Whether a transaction is to end here.
    fn is_full(&self, bytes: u64) -> bool {
        bytes >= COMMIT_BYTES || self.since.elapsed() > COMMIT_AFTER || self.watch.stopped()
    }

    /// Counts what a transaction had.
    fn count(&mut self, bytes: u64, lines: &Lines, deliveries: u64) {
        let sum = &mut self.done.lines;
        self.done.bytes += bytes;
        sum.events += lines.events;
        sum.ignored += lines.ignored;
        sum.foreign += lines.foreign;
        sum.unknown += lines.unknown;
        sum.cut += lines.cut;
        self.done.deliveries += deliveries;
        self.since = Instant::now();
    }
}
