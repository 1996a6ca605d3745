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
    /// Write it into a file of events.
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
    /// These are all up to this row.
    pub(crate) last: i64,
}

impl Index {
    /// Up to `most` deliveries with this work; `None` if there is no work.
    pub(crate) fn pending_work(&self, what: PendingWork, most: usize) -> Result<Option<WorkBatch>> {
        let last =
            format!("SELECT max(row) FROM (SELECT row FROM owed WHERE what = ?1 ORDER BY row LIMIT {most})");
        let last: Option<i64> =
            self.checked(self.connection.query_row(&last, [what.name()], |row| row.get(0)))?;
        let Some(last) = last else { return Ok(None) };
        let sql = format!(
            "SELECT {COLUMNS}, row FROM owed JOIN {FROM} WHERE deliveries.id = row AND what = ?1 AND row <= ?2 ORDER BY row"
        );
        let rows = (|| {
            let mut select = self.connection.prepare(&sql)?;
            let rows = select
                .query_map(params![what.name(), last], |row| Ok((row.get("row")?, stored_delivery(row)?)))?;
            rows.collect()
        })();
        Ok(Some(WorkBatch { deliveries: self.checked(rows)?, last }))
    }

    /// The work is done for all deliveries up to this row.
    pub(crate) fn finish_work(&self, what: PendingWork, last: i64) -> Result<()> {
        let forget = "DELETE FROM owed WHERE what = ?1 AND row <= ?2";
        self.checked(self.connection.execute(forget, params![what.name(), last])).map(drop)
    }
}
