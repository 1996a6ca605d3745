//! One transaction of the index: deliveries, classes, messages under way, and the position.
//!
//! Not here: a delivery's row (`delivery_row`) and statistics (`sum_writer`). Invariant: nothing is
//! written unless `commit` returns; a fault of the shelf, which cannot be reported when it happens,
//! is reported there.

use super::delivery_row::{DeliveryRow, row_id};
use super::meaning::{self, Meanings};
use super::shelf::Shelved;
use super::stored_routes::Routes;
use super::{Index, LogProgress};
use crate::class::Class;
use crate::clock::DAY_MS;
use crate::error::Result;
use crate::maillog::delivery::ReportedState;
use crate::maillog::{Delivery, Lines};
use rusqlite::{OptionalExtension, Statement, params};
use std::cmp::Ordering;

/// A closed message stays for this long (in milliseconds of the log), as in memory.
const GRACE_MS: i64 = 10_000;

/// A transaction; it is rolled back if it is dropped.
pub(crate) struct Batch<'i> {
    index: &'i Index,
    put: DeliveryRow<'i>,
    state: Statement<'i>,
    classify: Statement<'i>,
    class: Statement<'i>,
    learn: Statement<'i>,
    change: Statement<'i>,
    failure: Statement<'i>,
    meanings: Meanings,
    routes: Routes,
    open: bool,
}

impl<'i> Batch<'i> {
    pub(crate) fn begin(index: &'i Index) -> Result<Batch<'i>> {
        let db = &index.connection;
        let begun = (|| {
            db.execute_batch("BEGIN IMMEDIATE")?;
            Ok(Batch {
                index,
                put: DeliveryRow::new(db)?,
                state: db.prepare("SELECT last_seen, attempts, status FROM deliveries WHERE id = ?1 AND mark = ?2")?,
                classify: db.prepare("UPDATE deliveries SET meaning = ?2 WHERE id = ?1")?,
                class: db.prepare(
                    "SELECT reason, category, severity, rule, about FROM classes JOIN meanings ON id = meaning WHERE text = ?1",
                )?,
                learn: db.prepare("INSERT OR REPLACE INTO classes (text, meaning) VALUES (?1, ?2)")?,
                meanings: Meanings::default(),
                routes: Routes::default(),
                change: db.prepare("INSERT INTO changed (row) VALUES (?1)")?,
                failure: db.prepare("INSERT OR IGNORE INTO owed (what, row) VALUES ('failure', ?1)")?,
                open: true,
            })
        })();
        index.checked(begun)
    }

    pub(crate) fn index(&self) -> &'i Index {
        self.index
    }

    /// How the last known state of a delivery compares with this one: there is none or an earlier
    /// one (`Less`), it is this one, or a later one (`Greater`). `waiting`: one that is not written
    /// yet.
    pub(crate) fn known(
        &mut self,
        delivery: &Delivery<'_>,
        waiting: Option<ReportedState>,
    ) -> Result<Ordering> {
        let compare = |last_ms: i64, attempts: u32, status: &str| {
            if (last_ms, attempts, status) == (delivery.last_seen, delivery.attempts, delivery.status.name())
            {
                Ordering::Equal
            } else if last_ms > delivery.last_seen && attempts >= delivery.attempts {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        };
        if let Some(last) = waiting {
            return Ok(compare(last.last_seen, last.attempts, last.status.name()));
        }
        let key = [row_id(delivery), (delivery.id >> 32) as i64];
        let row =
            self.state.query_row(key, |row| Ok(compare(row.get(0)?, row.get(1)?, row.get_ref(2)?.as_str()?)));
        Ok(self.index.checked(row.optional())?.unwrap_or(Ordering::Less))
    }

    /// Writes the state of a delivery; returns its row.
    pub(crate) fn put(&mut self, delivery: &Delivery<'_>, class: Option<&Class>) -> Result<i64> {
        let db = &self.index.connection;
        let put = (|| {
            let meaning = class.map(|class| self.meanings.number(db, class)).transpose()?;
            let route = self.routes.number(db, &delivery.route)?;
            self.put.put(delivery, meaning, route)
        })();
        self.index.checked(put)
    }

    /// Notes that the delivery in a row changed, for an event.
    pub(crate) fn note_change(&mut self, row: i64) -> Result<()> {
        self.index.checked(self.change.execute([row])).map(drop)
    }

    /// Notes that the failure in a row is to be handled as a report about it would be.
    pub(crate) fn note_failure(&mut self, row: i64) -> Result<()> {
        self.index.checked(self.failure.execute([row])).map(drop)
    }

    /// Writes why the delivery in a row failed.
    pub(crate) fn classify(&mut self, row: i64, class: &Class) -> Result<()> {
        let meaning = self.meanings.number(&self.index.connection, class);
        let done = meaning.and_then(|meaning| self.classify.execute([row, meaning]));
        self.index.checked(done).map(drop)
    }

    /// The remembered class of a reply.
    pub(crate) fn class(&mut self, text: u64) -> Result<Option<Class>> {
        let found = self.class.query_row([text as i64], meaning::class);
        self.index.checked(found.optional())
    }

    /// Remembers the class of a reply.
    pub(crate) fn learn(&mut self, text: u64, class: &Class) -> Result<()> {
        let meaning = self.meanings.number(&self.index.connection, class);
        let done = meaning.and_then(|meaning| self.learn.execute([text as i64, meaning]));
        self.index.checked(done).map(drop)
    }

    /// Forgets the remembered classes if they are another policy's, or more than `most`; returns
    /// whether any are left.
    pub(crate) fn keep_classes_of(&mut self, policy: &str, most: i64) -> Result<bool> {
        let db = &self.index.connection;
        let many: i64 =
            self.index.checked(db.query_row("SELECT count(*) FROM classes", [], |row| row.get(0)))?;
        if self.index.remembered("policy")?.as_deref() != Some(policy) || many > most {
            self.index.checked(db.execute("DELETE FROM classes", []))?;
            self.index.remember("policy", policy)?;
            return Ok(false);
        }
        Ok(many > 0)
    }

    /// Writes how far a log was read.
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
        self.index.checked(done).map(drop)
    }

    /// The messages of a log that are under way.
    pub(crate) fn shelf(&self, log: i64) -> Result<Shelved<'i>> {
        self.index.checked(Shelved::new(&self.index.connection, log))
    }

    /// Forgets closed messages, and once a day (of the log) those without a line for `age_ms`.
    pub(crate) fn tidy_shelf(&mut self, log: i64, newest_ms: i64, age_ms: i64) -> Result<()> {
        let db = &self.index.connection;
        let over = "DELETE FROM under_way WHERE closed = 1 AND last_ms < ?2 AND log = ?1";
        self.index.checked(db.execute(over, [log, newest_ms - GRACE_MS]))?;
        let (name, day) = (format!("tidied {log}"), newest_ms.div_euclid(DAY_MS).to_string());
        if self.index.remembered(&name)?.as_deref() != Some(&day) {
            let old = "DELETE FROM under_way WHERE log = ?1 AND last_ms < ?2";
            self.index.checked(db.execute(old, [log, newest_ms - age_ms]))?;
            self.index.remember(&name, &day)?;
        }
        self.index.forget_left_recipients()
    }

    pub(crate) fn commit(mut self, shelf: Option<Shelved<'i>>) -> Result<()> {
        if let Some(error) = shelf.and_then(Shelved::into_fault) {
            return self.index.checked(Err(error));
        }
        self.index.checked(self.index.connection.execute_batch("COMMIT"))?;
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
