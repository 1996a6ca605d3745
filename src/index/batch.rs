//! Writing to the index: one transaction with deliveries, classes, what is under way, and the position.
//!
//! Invariant: nothing of it is there unless `commit` returned; a fault on the shelf, which cannot be told at once, is told then.

use super::meaning::{self, Meanings};
use super::pending_work::PendingWork;
use super::shelf::Shelved;
use super::{Index, LogProgress};
use crate::class::Class;
use crate::clock::DAY_MS;
use crate::error::Result;
use crate::maillog::{Delivery, Lines};
use rusqlite::{OptionalExtension, Statement, ToSql, params};
use std::cmp::Ordering;

/// A closed message stays so long (milliseconds of the log), as in memory.
const GRACE_MS: i64 = 10_000;

/// So many rows are tried, from the one that a delivery should have.
const PROBES: i64 = 1 << 16;

/// Changes nothing if another delivery has the row.
const PUT: &str = "INSERT INTO deliveries (id, mark, status, attempts, first_seen, last_seen, queue_id, message_id, client_id,
    sender, recipient, original_recipient, relay, dsn, reply, meaning, delay, delays, size, nrcpt, host, requeued_as, parent,
    notification, logged_category)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)
    ON CONFLICT (id) DO UPDATE SET status = ?3, attempts = ?4, first_seen = ?5, last_seen = ?6, queue_id = ?7, message_id = ?8,
    client_id = ?9, sender = ?10, recipient = ?11, original_recipient = ?12, relay = ?13, dsn = ?14, reply = ?15, meaning = ?16,
    delay = ?17, delays = ?18, size = ?19, nrcpt = ?20, host = ?21, requeued_as = ?22, parent = ?23, notification = ?24,
    logged_category = ?25
    WHERE mark = ?2 AND queue_id IS ?7 AND host IS ?21 AND (queue_id IS NOT NULL OR recipient IS ?11)";

/// A transaction.
pub(crate) struct Batch<'i> {
    index: &'i Index,
    put: Row<'i>,
    stands: Statement<'i>,
    classify: Statement<'i>,
    class: Statement<'i>,
    learn: Statement<'i>,
    owe: Statement<'i>,
    meanings: Meanings,
    open: bool,
}

impl<'i> Batch<'i> {
    pub(crate) fn begin(index: &'i Index) -> Result<Batch<'i>> {
        let db = &index.connection;
        let begun = (|| {
            db.execute_batch("BEGIN IMMEDIATE")?;
            Ok(Batch {
                index,
                put: Row { statement: db.prepare(PUT)?, absent: u32::MAX, texts: Default::default() },
                stands: db.prepare("SELECT last_seen, attempts, status FROM deliveries WHERE id = ?1 AND mark = ?2")?,
                classify: db.prepare("UPDATE deliveries SET meaning = ?2 WHERE id = ?1")?,
                class: db.prepare(
                    "SELECT reason, category, severity, rule FROM classes JOIN meanings ON id = meaning WHERE text = ?1",
                )?,
                learn: db.prepare("INSERT OR REPLACE INTO classes VALUES (?1, ?2)")?,
                meanings: Meanings::default(),
                owe: db.prepare("INSERT OR IGNORE INTO owed VALUES (?1, ?2)")?,
                open: true,
            })
        })();
        index.told(begun)
    }

    pub(crate) fn index(&self) -> &'i Index {
        self.index
    }

    /// What the index has of a delivery beside this state: nothing or an earlier one (`Less`), this one, or a later one (`Greater`).
    pub(crate) fn known(&mut self, delivery: &Delivery<'_>) -> Result<Ordering> {
        let key = [row_id(delivery), (delivery.id >> 32) as i64];
        let row = self.stands.query_row(key, |row| {
            let (last_ms, attempts): (i64, u32) = (row.get(0)?, row.get(1)?);
            let same = (last_ms, attempts) == (delivery.last_seen, delivery.attempts)
                && row.get_ref(2)?.as_str()? == delivery.status.name();
            let later = last_ms > delivery.last_seen && attempts >= delivery.attempts;
            Ok(if same {
                Ordering::Equal
            } else if later {
                Ordering::Greater
            } else {
                Ordering::Less
            })
        });
        Ok(self.index.told(row.optional())?.unwrap_or(Ordering::Less))
    }

    /// Writes a delivery down as it stands; returns its row.
    pub(crate) fn put(&mut self, delivery: &Delivery<'_>, class: Option<&Class>) -> Result<i64> {
        let put = self.put_first(delivery, class);
        self.index.told(put)
    }

    /// Puts a delivery into its row, or the next that no other delivery has.
    fn put_first(&mut self, d: &Delivery<'_>, class: Option<&Class>) -> rusqlite::Result<i64> {
        let meaning = match class {
            Some(class) => Some(self.meanings.number(&self.index.connection, class)?),
            None => None,
        };
        let size = d.size.and_then(|size| i64::try_from(size).ok());
        let put = &mut self.put;
        put.bind(2, Some((d.id >> 32) as i64))?;
        put.bind_text(3, Some(d.status.name()))?;
        put.bind(4, Some(d.attempts))?;
        put.bind(5, Some(d.first_seen))?;
        put.bind(6, Some(d.last_seen))?;
        let texts = [d.queue_id, d.message_id, d.client_id, d.sender, d.recipient, d.original_recipient];
        for (at, text) in (7..).zip(texts.into_iter().chain([d.relay, d.dsn, d.reply])) {
            put.bind_text(at, text)?;
        }
        put.bind(16, meaning)?;
        put.bind(17, d.delay)?;
        put.bind_text(18, d.delays)?;
        put.bind(19, size)?;
        put.bind(20, d.nrcpt)?;
        for (at, text) in (21..).zip([d.host, d.requeued_as, d.parent, d.notification, d.category]) {
            put.bind_text(at, text)?;
        }
        let first = row_id(d);
        for row in first..first + PROBES {
            put.bind(1, Some(row))?;
            if put.statement.raw_execute()? > 0 {
                return Ok(row);
            }
        }
        Err(rusqlite::Error::StatementChangedRows(0))
    }

    /// Remembers that something is to be done about the delivery in a row.
    pub(crate) fn add_work(&mut self, what: PendingWork, row: i64) -> Result<()> {
        let done = self.owe.execute(params![what.name(), row]);
        self.index.told(done).map(drop)
    }

    /// Says why the delivery in a row failed.
    pub(crate) fn classify(&mut self, row: i64, class: &Class) -> Result<()> {
        let meaning = self.meanings.number(&self.index.connection, class);
        let done = meaning.and_then(|meaning| self.classify.execute([row, meaning]));
        self.index.told(done).map(drop)
    }

    /// What a text means, if it was asked for before.
    pub(crate) fn class(&mut self, text: u64) -> Result<Option<Class>> {
        let found = self.class.query_row([text as i64], meaning::class);
        self.index.told(found.optional())
    }

    /// Remembers what a text means.
    pub(crate) fn learn(&mut self, text: u64, class: &Class) -> Result<()> {
        let meaning = self.meanings.number(&self.index.connection, class);
        let done = meaning.and_then(|meaning| self.learn.execute([text as i64, meaning]));
        self.index.told(done).map(drop)
    }

    /// Forgets what texts mean if another policy said so, or if they are too many.
    pub(crate) fn keep_classes_of(&mut self, policy: &str, most: i64) -> Result<()> {
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
    pub(crate) fn position(
        &mut self,
        log: &LogProgress,
        bytes: u64,
        lines: &Lines,
        at_ms: i64,
    ) -> Result<()> {
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
    pub(crate) fn shelf(&self, log: i64) -> Result<Shelved<'i>> {
        self.index.told(Shelved::new(&self.index.connection, log))
    }

    /// Forgets messages under way that are over, and once a day of the log those that were not heard of for too long.
    pub(crate) fn tidy_shelf(&mut self, log: i64, newest_ms: i64, age_ms: i64) -> Result<()> {
        let db = &self.index.connection;
        let over = "DELETE FROM under_way WHERE closed = 1 AND last_ms < ?2 AND log = ?1";
        self.index.told(db.execute(over, [log, newest_ms - GRACE_MS]))?;
        let (name, day) = (format!("tidied {log}"), newest_ms.div_euclid(DAY_MS).to_string());
        if self.index.remembered(&name)?.as_deref() != Some(&day) {
            let old = "DELETE FROM under_way WHERE log = ?1 AND last_ms < ?2";
            self.index.told(db.execute(old, [log, newest_ms - age_ms]))?;
            self.index.remember(&name, &day)?;
        }
        Ok(())
    }

    /// Commits all of it.
    pub(crate) fn commit(mut self, shelf: Option<Shelved<'i>>) -> Result<()> {
        if let Some(error) = shelf.and_then(Shelved::into_fault) {
            return self.index.told(Err(error));
        }
        self.index.told(self.index.connection.execute_batch("COMMIT"))?;
        self.open = false;
        Ok(())
    }
}

/// The statement that writes a row. It keeps what it was given, so that what is the same in row after row (the host, the message of
/// several recipients, and all that is absent) costs nothing.
struct Row<'i> {
    statement: Statement<'i>,
    /// A bit for each parameter.
    absent: u32,
    /// What texts were last, by parameter.
    texts: [String; 26],
}

impl Row<'_> {
    fn bind(&mut self, parameter: usize, value: Option<impl ToSql>) -> rusqlite::Result<()> {
        let (bit, was) = (1 << parameter, self.absent);
        self.absent = if value.is_none() { was | bit } else { was & !bit };
        if was & self.absent & bit != 0 {
            Ok(())
        } else {
            self.statement.raw_bind_parameter(parameter, value)
        }
    }

    fn bind_text(&mut self, parameter: usize, text: Option<&str>) -> rusqlite::Result<()> {
        if let Some(text) = text {
            let last = &mut self.texts[parameter];
            if last == text && self.absent & (1 << parameter) == 0 {
                return Ok(());
            }
            last.clear();
            last.push_str(text);
        }
        self.bind(parameter, text)
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if self.open {
            let _ = self.index.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Rows are in order of time, so that inserting appends, and what is old lies together.
pub(crate) fn row_id(delivery: &Delivery<'_>) -> i64 {
    first_row(delivery.first_seen) | (delivery.id & 0xffff_ffff) as i64
}

/// The first row of a time.
pub(crate) fn first_row(at_ms: i64) -> i64 {
    at_ms.div_euclid(1000).clamp(0, 0x7fff_ffff) << 32
}
