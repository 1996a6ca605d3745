//! Failures that are still to be acted on: the list, the next try of those that could not be, and
//! how far the store is, so that a store which was restored from a backup is noticed.
//!
//! Not here: acting on them (`crate::log_failures`). Invariant: a failure leaves the list after the
//! store has it on record, or when it is given up.

use super::Index;
use super::filter::IS_OWN;
use super::stored_delivery::{COLUMNS, ID, StoredDelivery, columns, stored_delivery};
use crate::clock::DAY_MS;
use crate::error::{Error, Result};
use rusqlite::params;
use std::fmt::Write;

/// Older failures are ignored: the journal may have forgotten that they were handled.
pub(crate) const ACTED_ON_FOR_MS: i64 = 9 * DAY_MS;
/// Tries of a failure, within about three days.
const TRIES: i64 = 24;
/// The first tries are made at each tick.
const AT_EACH_TICK: i64 = 5;
/// The longest wait between two tries.
const LONGEST_WAIT_MS: i64 = 6 * 3_600_000;

/// What takes a failure, and its row.
pub(crate) type TakeDelivery<'t> = dyn FnMut(i64, &StoredDelivery<&str>) -> Result<()> + 't;

impl Index {
    /// Calls `take` for up to `most` failures in the rows after `after` whose time has come; those
    /// that have expired are left out. Returns all rows with failures, none if there is no more.
    /// Another process may note failures in other rows meanwhile, with lower numbers as well.
    pub(crate) fn pending_failures(
        &self,
        after: i64,
        now_ms: i64,
        most: usize,
        take: &mut TakeDelivery<'_>,
    ) -> Result<Vec<i64>> {
        let sql = format!(
            "SELECT {}, row FROM owed LEFT JOIN deliveries ON deliveries.id = row
             LEFT JOIN meanings ON meanings.id = meaning LEFT JOIN routes ON routes.id = route
             WHERE what = 'failure' AND row > ?1 AND due_ms <= ?2 ORDER BY row LIMIT ?3",
            columns()
        );
        let (mut pending, mut failed): (Vec<i64>, Option<Error>) = (Vec::new(), None);
        let done = (|| {
            let mut select = self.connection.prepare_cached(&sql)?;
            let mut found = select.query(params![after, now_ms, most as i64])?;
            while let Some(row) = found.next()? {
                let number = row.get(COLUMNS)?;
                pending.push(number);
                let has_expired = row.get::<_, Option<i64>>(ID as usize - 1)?.is_none();
                if !has_expired && let Err(error) = take(number, &stored_delivery(row)?) {
                    failed = Some(error);
                    break;
                }
            }
            Ok(())
        })();
        self.checked(done)?;
        failed.map_or(Ok(pending), Err)
    }

    /// Nothing is to be done about the failures in these rows any more.
    pub(crate) fn forget_failures(&self, rows: &[i64]) -> Result<()> {
        let forget = "DELETE FROM owed WHERE what = 'failure' AND row IN (SELECT value FROM json_each(?1))";
        let forgotten = self.connection.prepare_cached(forget);
        self.checked(forgotten.and_then(|mut forget| forget.execute([list(rows)]))).map(drop)
    }

    /// The store has these failures on record, as its batch of this number.
    pub(crate) fn finish_failures(&self, rows: &[i64], batch: u64) -> Result<()> {
        let transaction = self.checked(self.connection.unchecked_transaction())?;
        self.forget_failures(rows)?;
        self.remember("acted", &batch.to_string())?;
        self.checked(transaction.commit())
    }

    /// The name of this file, made when it is first asked for, and the last batch that was finished
    /// (0: none).
    pub(crate) fn acted(&self) -> Result<(String, u64)> {
        let name = match self.remembered("name")? {
            Some(name) => name,
            None => {
                let name = format!("{:016x}", fastrand::u64(..));
                self.remember("name", &name)?;
                name
            }
        };
        let batch = self.remembered("acted")?.and_then(|batch| batch.parse().ok());
        Ok((name, batch.unwrap_or_default()))
    }

    /// These failures could not be acted on. The first tries are made at each tick, the next ones
    /// after waits that double; returns the rows that have had the last one and left the list.
    pub(crate) fn try_later(&self, rows: &[i64], now_ms: i64) -> Result<Vec<i64>> {
        const WHICH: &str = "what = 'failure' AND row IN (SELECT value FROM json_each(?1))";
        let later = format!(
            "UPDATE owed SET tries = tries + 1, due_ms =
                iif(tries < {AT_EACH_TICK}, 0, ?2 + min({LONGEST_WAIT_MS}, 60000 << min(tries - {AT_EACH_TICK}, 20)))
             WHERE {WHICH}"
        );
        let gone = format!("DELETE FROM owed WHERE {WHICH} AND tries >= {TRIES} RETURNING row");
        let rows = list(rows);
        let given_up = (|| {
            self.connection.execute(&later, params![rows, now_ms])?;
            let mut delete = self.connection.prepare(&gone)?;
            delete.query_map([&rows], |row| row.get(0))?.collect()
        })();
        self.checked(given_up)
    }

    /// Puts every failure of our own mail back on the list that is not too old to be acted on;
    /// returns how many.
    pub(crate) fn note_failures_again(&self, now_ms: i64) -> Result<usize> {
        let note = format!(
            "INSERT OR IGNORE INTO owed (what, row) SELECT 'failure', id FROM deliveries
            WHERE status IN ('bounced', 'expired') AND status <> 'sent' AND last_seen > ?1
            AND recipient IS NOT NULL AND sender <> '' AND {IS_OWN}"
        );
        self.checked(self.connection.execute(&note, [now_ms - ACTED_ON_FOR_MS]))
    }
}

/// Rows as a JSON array, for `json_each`.
pub(super) fn list(rows: &[i64]) -> String {
    let mut list = String::with_capacity(rows.len() * 20 + 2);
    for row in rows {
        // Writing to a text cannot fail.
        let _ = write!(list, "{}{row}", if list.is_empty() { '[' } else { ',' });
    }
    if rows.is_empty() { "[]".to_owned() } else { list + "]" }
}
