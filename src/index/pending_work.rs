//! Pending work: what is still to be done about deliveries after their transaction.
//!
//! Not here: doing it. Invariant: work is noted in the transaction of its delivery and removed when
//! it is done, so it is done at least once, whatever kills the process.

use super::Index;
use super::stored_delivery::{COLUMNS, ID, StoredDelivery, columns, stored_delivery};
use crate::clock::DAY_MS;
use crate::error::{Error, Result};
use rusqlite::params;
use std::fmt::Write;

/// Older failures are ignored: the journal may have forgotten that they were handled.
pub(crate) const ACTED_ON_FOR_MS: i64 = 9 * DAY_MS;

/// Work that a delivery causes after its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PendingWork {
    /// Tell of it in an event.
    Event,
    /// Handle it as a report about it would be.
    Failure,
}

impl PendingWork {
    pub(crate) fn name(self) -> &'static str {
        match self {
            PendingWork::Event => "event",
            PendingWork::Failure => "failure",
        }
    }
}

/// What takes a delivery with pending work, and its row.
pub(crate) type TakeDelivery<'t> = dyn FnMut(i64, &StoredDelivery<&str>) -> Result<()> + 't;

impl Index {
    /// Calls `take` for up to `most` deliveries with this work; those that have expired are left
    /// out. Returns all rows with this work, none if there is no more. Another process may note
    /// work of other rows meanwhile, with lower numbers as well.
    pub(crate) fn pending_work(
        &self,
        what: PendingWork,
        most: usize,
        take: &mut TakeDelivery<'_>,
    ) -> Result<Vec<i64>> {
        self.pending_after(what, (i64::MIN, i64::MAX), most, take)
    }

    /// The same in the rows after one, and due by a time.
    pub(super) fn pending_after(
        &self,
        what: PendingWork,
        (after, due_ms): (i64, i64),
        most: usize,
        take: &mut TakeDelivery<'_>,
    ) -> Result<Vec<i64>> {
        let sql = format!(
            "SELECT {}, row FROM owed LEFT JOIN deliveries ON deliveries.id = row
             LEFT JOIN meanings ON meanings.id = meaning LEFT JOIN routes ON routes.id = route
             WHERE what = ?1 AND row > ?2 AND due_ms <= ?3 ORDER BY row LIMIT ?4",
            columns()
        );
        let (mut pending, mut failed): (Vec<i64>, Option<Error>) = (Vec::new(), None);
        let done = (|| {
            let mut select = self.connection.prepare_cached(&sql)?;
            let mut found = select.query(params![what.name(), after, due_ms, most as i64])?;
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

    /// The work of these rows is done.
    pub(crate) fn finish_work(&self, what: PendingWork, rows: &[i64]) -> Result<()> {
        let forget = "DELETE FROM owed WHERE what = ?1 AND row IN (SELECT value FROM json_each(?2))";
        let forgotten = self.connection.prepare_cached(forget);
        self.checked(forgotten.and_then(|mut forget| forget.execute(params![what.name(), list(rows)])))
            .map(drop)
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
