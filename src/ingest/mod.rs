//! THE PATH OF A LOG LINE into the index, one transaction for many lines:
//!
//! 1. source: the lines that are new (`line_source`, `powermta_source`, `kumomta_source`,
//!    `journald_source`)
//! 2. correlate: lines become states of deliveries (`crate::maillog`)
//! 3. count: what is new of each (`delivery_counter`, `delivery_counts`)
//! 4. classify: why deliveries failed, asked of the policy many at a time (`classifier`)
//! 5. write: each row once, with what is to be done about it (`delivery_writer`)
//! 6. commit: all of it, together with the position in the log (`log_reader`)
//!
//! In a long log of lines, one thread does the first three and another the rest (`reading_thread`).
//!
//! Not here: the tables (`crate::index`). Invariant: a commit holds every line up to the position
//! and none after it; a run that is stopped or killed goes on from there.

mod classifier;
mod classifying_policy;
mod correlated_piece;
mod count_slot;
mod counted_classes;
mod delivery_counter;
mod delivery_counts;
mod delivery_writer;
mod journald_source;
mod kumomta_source;
mod log_inspection;
mod log_lines;
mod log_reader;
mod line_source;
mod name_count;
mod reading_thread;
mod record_source;
mod powermta_source;
mod reclassify;

pub(crate) use classifying_policy::ClassifyingPolicy;
pub(crate) use reclassify::reclassify;

use crate::clock;
use crate::config::{Config, LogKind, MailLog, OwnMail};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::index::Index;
use crate::maillog::Lines;
use crate::maillog::log_health::UnreadableLog;
use delivery_writer::DeliveryWriter;
use log_reader::LogReader;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What was done.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Ingested {
    /// Bytes of whole lines.
    pub(crate) bytes: u64,
    #[serde(flatten)]
    pub(crate) lines: Lines,
    /// States of deliveries that were written.
    pub(crate) deliveries: u64,
    /// Deliveries that were removed because they were too old, or too many.
    pub(crate) expired: u64,
    /// Another tick is reading; this one did nothing.
    pub(crate) busy: bool,
    /// It was stopped before everything was read.
    pub(crate) stopped: bool,
    /// A log had its share of the tick before it was read to its end; the next tick goes on.
    pub(crate) unfinished: bool,
    /// Logs that cannot be read.
    pub(crate) unreadable: Vec<UnreadableLog>,
    /// Parts that were not read, and other things for the operator.
    pub(crate) notes: Vec<String>,
}

/// How a run is watched and stopped.
pub(crate) struct Watch<'a> {
    /// Set to stop it.
    pub(crate) stop: &'a AtomicBool,
    /// Called with the bytes read, and an estimate of the bytes remaining.
    pub(crate) progress: &'a dyn Fn(u64, u64),
}

impl Watch<'_> {
    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Reads what is new in all logs of the config.
pub(crate) fn run(config: &Arc<Config>, watch: &Watch<'_>) -> Result<Ingested> {
    let logs = config.mail_logs.get()?;
    if logs.is_empty() {
        return Ok(Ingested::default());
    }
    let path = config.index_path();
    let Some(_lock) = Index::lock(&path)? else {
        return Ok(Ingested { busy: true, ..Ingested::default() });
    };
    let index = Index::open(&path)?;
    let (writer, done) = (DeliveryWriter::new(config), Ingested::default());
    let mut reading = LogsReading { config, index: &index, watch, writer, done };
    // Logs take turns: one that is huge holds up no other.
    let mut unfinished: Vec<&MailLog> = logs.iter().collect();
    while !unfinished.is_empty() {
        let first_reading = index.is_first_reading()?;
        let mut left = Vec::new();
        for log in unfinished {
            if reading.read_share(log)? {
                left.push(log);
            }
            if watch.stopped() {
                return Ok(Ingested { stopped: true, ..reading.done });
            }
        }
        if !first_reading {
            reading.done.unfinished = !left.is_empty();
            break;
        }
        unfinished = left;
    }
    index.forget_logs_except(&logs.iter().map(MailLog::name).collect::<Vec<_>>())?;
    index.complete()?;
    let LogsReading { mut writer, mut done, .. } = reading;
    done.expired = index.expire(clock::now_ms(), &config.index, &|| watch.stopped())?;
    index.make_anonymous(clock::now_ms(), config.index.anonymous_days, &|| watch.stopped())?;
    done.notes.extend(writer.classifier.note());
    Ok(done)
}

/// All logs on their way into the index.
struct LogsReading<'a> {
    config: &'a Arc<Config>,
    index: &'a Index,
    watch: &'a Watch<'a>,
    writer: DeliveryWriter,
    done: Ingested,
}

impl LogsReading<'_> {
    /// Reads what is new in one log, for as long as its share lasts. Returns whether there may be
    /// more.
    fn read_share(&mut self, log: &MailLog) -> Result<bool> {
        let LogsReading { config, index, watch, writer, done } = self;
        let progress = index.log(&log.name())?;
        // A log that is the only one, and was read before, has no line twice.
        let is_alone = config.mail_logs.get()?.len() == 1 && progress.position.is_some();
        writer.set_may_repeat(!is_alone && !index.is_empty()?);
        let share = Deadline::after(Duration::from_secs(config.index.seconds_each.into()));
        let own = OwnMail::of(log, config);
        let mut reader = LogReader::new(index, (progress.clone(), own), writer, watch, share, done)?;
        let read = read(&mut reader, log);
        let (reading, unfinished) = reader.into_reading();
        if read.is_err() {
            // The other logs are still read, without what is left in memory of this transaction.
            done.notes.extend(writer.classifier.note());
            *writer = DeliveryWriter::new(config);
        }
        let read = read.map(|()| reading);
        if !watch.stopped() || read.is_err() {
            let inspected = log_inspection::inspect(index, log, &progress, read)?;
            done.unreadable.extend(inspected.unreadable);
            done.notes.extend(inspected.note);
        }
        Ok(unfinished)
    }
}

fn read(reader: &mut LogReader<'_>, log: &MailLog) -> Result<()> {
    match log.kind {
        LogKind::Postfix | LogKind::Exim => line_source::read(reader, log),
        LogKind::PowerMta => powermta_source::read(reader, log),
        LogKind::KumoMta => kumomta_source::read(reader, log),
        LogKind::Journald => journald_source::read(reader, log),
    }
}
