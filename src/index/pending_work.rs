//! Pending work: what is still to be done about deliveries after their transaction.
//!
//! Not here: doing it. Invariant: work is noted in the transaction of its delivery and removed when
//! it is done, so it is done at least once, whatever kills the process.

use super::Index;
use super::stored_delivery::{COLUMNS, FROM, StoredDelivery, stored_delivery};
use crate::clock::DAY_MS;
use crate::error::Result;
use rusqlite::params;

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

/// Deliveries with pending work of one kind.
#[derive(Debug)]
pub(crate) struct WorkBatch {
    /// Each with its row; deliveries that have expired are left out.
    pub(crate) deliveries: Vec<(i64, StoredDelivery)>,
    /// The rows with this work, expired ones too. Another process may note work of other rows
    /// meanwhile, with lower numbers as well.
    pub(crate) rows: Vec<i64>,
}

impl Index {
    /// Up to `most` deliveries with this work; `None` if there is no work.
    pub(crate) fn pending_work(&self, what: PendingWork, most: usize) -> Result<Option<WorkBatch>> {
        self.pending_after(what, (i64::MIN, i64::MAX), most)
    }

    /// The same in the rows after one, and due by a time.
    pub(super) fn pending_after(
        &self,
        what: PendingWork,
        (after, due_ms): (i64, i64),
        most: usize,
    ) -> Result<Option<WorkBatch>> {
        let first = format!(
            "SELECT row FROM owed WHERE what = ?1 AND row > ?2 AND due_ms <= ?3 ORDER BY row LIMIT {most}"
        );
        let rows: rusqlite::Result<Vec<i64>> = (|| {
            let mut select = self.connection.prepare(&first)?;
            select.query_map(params![what.name(), after, due_ms], |row| row.get(0))?.collect()
        })();
        let rows = self.checked(rows)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let sql = format!(
            "SELECT {COLUMNS}, row FROM owed JOIN {FROM} WHERE deliveries.id = row AND what = ?1 \
             AND row IN (SELECT value FROM json_each(?2)) ORDER BY row"
        );
        let deliveries = (|| {
            let mut select = self.connection.prepare(&sql)?;
            let listed = params![what.name(), list(&rows)];
            select.query_map(listed, |row| Ok((row.get("row")?, stored_delivery(row)?)))?.collect()
        })();
        Ok(Some(WorkBatch { deliveries: self.checked(deliveries)?, rows }))
    }

    /// The work of these rows is done.
    pub(crate) fn finish_work(&self, what: PendingWork, rows: &[i64]) -> Result<()> {
        let forget = "DELETE FROM owed WHERE what = ?1 AND row IN (SELECT value FROM json_each(?2))";
        self.checked(self.connection.execute(forget, params![what.name(), list(rows)])).map(drop)
    }
}

/// Rows as a JSON array, for `json_each`.
pub(super) fn list(rows: &[i64]) -> String {
    let rows: Vec<String> = rows.iter().map(i64::to_string).collect();
    format!("[{}]", rows.join(","))
}
