//! Writing to the index: one transaction with deliveries, classes, what is under way, and the position.
//!
//! Invariant: nothing of it is there unless `commit` returned; a fault on the shelf, which cannot be told at once, is told then.

use super::{Index, Log};
use crate::error::Result;
use crate::logs::correlate::{Message, Shelf};
use crate::logs::{Delivery, Lines};
use crate::policy::class::{Class, Severity};
use rusqlite::{OptionalExtension, Statement, params};

/// A closed message stays so long (milliseconds of the log), as in memory.
const GRACE_MS: i64 = 10_000;

const PUT: &str = "INSERT INTO deliveries (id, status, attempts, first_seen, last_seen, queue_id, message_id, client_id, sender,
    recipient, original_recipient, relay, dsn, reply, reason, category, severity, rule, delay, delays, size, nrcpt, host,
    requeued_as, parent, notification, logged_category)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,
    ?26, ?27)
    ON CONFLICT (id) DO UPDATE SET status = ?2, attempts = ?3, first_seen = ?4, last_seen = ?5, queue_id = ?6,
    message_id = ?7, client_id = ?8, sender = ?9, recipient = ?10, original_recipient = ?11, relay = ?12, dsn = ?13, reply = ?14,
    reason = ?15, category = ?16, severity = ?17, rule = ?18, delay = ?19, delays = ?20, size = ?21, nrcpt = ?22, host = ?23,
    requeued_as = ?24, parent = ?25, notification = ?26, logged_category = ?27";

/// A transaction.
pub struct Batch<'i> {
    index: &'i Index,
    put: Statement<'i>,
    classify: Statement<'i>,
    class: Statement<'i>,
    learn: Statement<'i>,
    open: bool,
}

impl<'i> Batch<'i> {
    pub(super) fn begin(index: &'i Index) -> Result<Batch<'i>> {
        let db = &index.connection;
        let begun = (|| {
            db.execute_batch("BEGIN IMMEDIATE")?;
            Ok(Batch {
                index,
                put: db.prepare(PUT)?,
                classify: db.prepare(
                    "UPDATE deliveries SET reason = ?2, category = coalesce(logged_category, ?3), severity = ?4, rule = ?5
                     WHERE id = ?1",
                )?,
                class: db.prepare("SELECT reason, category, severity, rule FROM classes WHERE text = ?1")?,
                learn: db.prepare("INSERT OR REPLACE INTO classes VALUES (?1, ?2, ?3, ?4, ?5)")?,
                open: true,
            })
        })();
        index.told(begun)
    }

    /// Writes a delivery down as it stands; returns its row.
    pub fn put(&mut self, delivery: &Delivery<'_>, class: Option<&Class>) -> Result<i64> {
        let d = delivery;
        let id = row_id(d);
        let put = self.put.execute(params![
            id,
            d.status.name(),
            d.attempts,
            d.first_seen,
            d.last_seen,
            d.queue_id,
            d.message_id,
            d.client_id,
            d.sender,
            d.recipient,
            d.original_recipient,
            d.relay,
            d.dsn,
            d.reply,
            class.map(|class| &class.reason),
            d.category.or(class.map(|class| class.category.as_str())),
            class.map(|class| severity_name(class.severity)),
            class.map(|class| &class.rule),
            d.delay,
            d.delays,
            d.size.and_then(|size| i64::try_from(size).ok()),
            d.nrcpt,
            d.host,
            d.requeued_as,
            d.parent,
            d.notification,
            d.category,
        ]);
        self.index.told(put)?;
        Ok(id)
    }

    /// Says why the delivery in a row failed.
    pub fn classify(&mut self, row: i64, class: &Class) -> Result<()> {
        let (severity, rule) = (severity_name(class.severity), &class.rule);
        let done = self.classify.execute(params![row, class.reason, class.category, severity, rule]);
        self.index.told(done).map(drop)
    }

    /// What a text means, if it was asked for before.
    pub fn class(&mut self, text: u64) -> Result<Option<Class>> {
        let found = self.class.query_row([text as i64], |row| {
            let severity: String = row.get(2)?;
            Ok(Class {
                reason: row.get(0)?,
                category: row.get(1)?,
                severity: severity_of(&severity),
                rule: row.get(3)?,
            })
        });
        self.index.told(found.optional())
    }

    /// Remembers what a text means.
    pub fn learn(&mut self, text: u64, class: &Class) -> Result<()> {
        let (severity, rule) = (severity_name(class.severity), &class.rule);
        let done = self.learn.execute(params![text as i64, class.reason, class.category, severity, rule]);
        self.index.told(done).map(drop)
    }

    /// Forgets what texts mean if another policy said so, or if they are too many.
    pub fn classes_of(&mut self, policy: &str, most: i64) -> Result<()> {
        let db = &self.index.connection;
        let many: i64 =
            self.index.told(db.query_row("SELECT count(*) FROM classes", [], |row| row.get(0)))?;
        if self.index.remembered("policy")?.as_deref() != Some(policy) || many > most {
            self.index.told(db.execute("DELETE FROM classes", []))?;
            self.index.remember("policy", policy)?;
        }
        Ok(())
    }

    /// Writes down how far a log was read.
    pub fn position(&mut self, log: &Log, bytes: u64, lines: &Lines, at_ms: i64) -> Result<()> {
        let done = self.index.connection.execute(
            "UPDATE logs SET position = ?2, state = ?3, read_ms = ?4, bytes = bytes + ?5, events = events + ?6,
             ignored = ignored + ?7, other = other + ?8, unknown = unknown + ?9, cut = cut + ?10 WHERE id = ?1",
            params![
                log.id,
                log.position,
                log.state,
                at_ms,
                bytes as i64,
                lines.events as i64,
                lines.ignored as i64,
                lines.foreign as i64,
                lines.unknown as i64,
                lines.cut as i64
            ],
        );
        self.index.told(done).map(drop)
    }

    /// What is under way in a log.
    pub fn shelf(&self, log: i64) -> Result<Shelved<'i>> {
        let db = &self.index.connection;
        let made = (|| {
            Ok(Shelved {
                log,
                put: db.prepare("INSERT OR REPLACE INTO under_way VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?,
                take: db.prepare(
                    "DELETE FROM under_way WHERE log = ?1 AND queue_id = ?2 AND host = ?3 RETURNING message",
                )?,
                there: db
                    .prepare("SELECT 1 FROM under_way WHERE log = ?1 AND queue_id = ?2 AND host = ?3")?,
                first: db.prepare(
                    "SELECT queue_id FROM under_way WHERE requeued_as = ?2 AND log = ?1 AND host = ?3",
                )?,
                fault: None,
            })
        })();
        self.index.told(made)
    }

    /// Forgets messages under way that are over, and once a day of the log those that were not heard of for too long.
    pub fn tidy_shelf(&mut self, log: i64, newest_ms: i64, age_ms: i64) -> Result<()> {
        let db = &self.index.connection;
        let over = "DELETE FROM under_way WHERE closed = 1 AND last_ms < ?2 AND log = ?1";
        self.index.told(db.execute(over, [log, newest_ms - GRACE_MS]))?;
        let (name, day) = (format!("tidied {log}"), newest_ms.div_euclid(86_400_000).to_string());
        if self.index.remembered(&name)?.as_deref() != Some(&day) {
            let old = "DELETE FROM under_way WHERE log = ?1 AND last_ms < ?2";
            self.index.told(db.execute(old, [log, newest_ms - age_ms]))?;
            self.index.remember(&name, &day)?;
        }
        Ok(())
    }

    /// Commits all of it.
    pub fn commit(mut self, shelf: Option<Shelved<'i>>) -> Result<()> {
        if let Some(error) = shelf.and_then(|shelf| shelf.fault) {
            return self.index.told(Err(error));
        }
        self.index.told(self.index.connection.execute_batch("COMMIT"))?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.open {
            let _ = self.index.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Messages under way, in the transaction.
pub struct Shelved<'i> {
    log: i64,
    put: Statement<'i>,
    take: Statement<'i>,
    there: Statement<'i>,
    first: Statement<'i>,
    fault: Option<rusqlite::Error>,
}

impl Shelved<'_> {
    fn noted<T>(&mut self, result: rusqlite::Result<T>) -> Option<T> {
        result.map_err(|error| self.fault = Some(error)).ok()
    }

    fn take_first(&mut self, host: &str, queue_id: &str) -> rusqlite::Result<Option<String>> {
        // Most ids are not there, and looking is cheaper than deleting nothing.
        if !self.there.exists(params![self.log, queue_id, host])? {
            return Ok(None);
        }
        self.take.query_row(params![self.log, queue_id, host], |row| row.get(0)).optional()
    }
}

impl Shelf for Shelved<'_> {
    fn put(&mut self, message: &Message) {
        let text = serde_json::to_string(message).unwrap_or_default();
        let done = self.put.execute(params![
            self.log,
            message.queue_id.as_str(),
            message.host.as_str(),
            message.requeued_as.as_deref(),
            message.closed,
            message.last_ms,
            text
        ]);
        self.noted(done);
    }

    fn take(&mut self, host: &str, queue_id: &str) -> Option<Message> {
        let found = self.take_first(host, queue_id).and_then(|found| match found {
            Some(found) => Ok(Some(found)),
            None => {
                let first = self.first.query_row(params![self.log, queue_id, host], |row| row.get(0));
                let first: Option<String> = first.optional()?;
                first.map_or(Ok(None), |first| self.take_first(host, &first))
            }
        });
        let text = self.noted(found)??;
        serde_json::from_str(&text).ok()
    }
}

/// Rows are in order of time, so that inserting appends, and what is old lies together.
pub(super) fn row_id(delivery: &Delivery<'_>) -> i64 {
    first_row(delivery.first_seen) | (delivery.id & 0xffff_ffff) as i64
}

/// The first row of a time.
pub(super) fn first_row(at_ms: i64) -> i64 {
    at_ms.div_euclid(1000).clamp(0, 0x7fff_ffff) << 32
}

/// The word in the table.
pub(super) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Hard => "hard",
        Severity::Soft => "soft",
        Severity::None => "none",
        Severity::Unknown => "unknown",
    }
}

fn severity_of(word: &str) -> Severity {
    match word {
        "hard" => Severity::Hard,
        "soft" => Severity::Soft,
        "none" => Severity::None,
        _ => Severity::Unknown,
    }
}
