//! What is still to be done about deliveries once their transaction is over: events to be written, failures to be acted upon.
//!
//! Not here: doing it. Invariant: what is owed is written down with the delivery and forgotten when it is done, so that it is done at
//! least once, whatever kills the process.

use super::Index;
use super::query::{COLUMNS, FROM, StoredDelivery, found};
use crate::clock::DAY_MS;
use crate::error::Result;
use rusqlite::params;

/// Older failures are not acted on: the journal may have forgotten that they were.
pub(crate) const ACTED_ON_FOR_MS: i64 = 9 * DAY_MS;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PendingWork {
    /// It is written into a file of events.
    Event,
    /// It is acted upon, as a report about it would be.
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

/// Deliveries about which something is to be done.
#[derive(Debug)]
pub(crate) struct WorkBatch {
    /// Each with its row; those that retention removed are not among them.
    pub(crate) deliveries: Vec<(i64, StoredDelivery)>,
    /// The row up to which these are all.
    pub(crate) last: i64,
}

impl Index {
    /// Up to `most` deliveries about which this is to be done; none if there is nothing to do.
    pub(crate) fn pending_work(&self, what: PendingWork, most: usize) -> Result<Option<WorkBatch>> {
        let last =
            format!("SELECT max(row) FROM (SELECT row FROM owed WHERE what = ?1 ORDER BY row LIMIT {most})");
        let last: Option<i64> =
            self.told(self.connection.query_row(&last, [what.name()], |row| row.get(0)))?;
        let Some(last) = last else { return Ok(None) };
        let sql = format!(
            "SELECT {COLUMNS}, row FROM owed JOIN {FROM} WHERE deliveries.id = row AND what = ?1 AND row <= ?2 ORDER BY row"
        );
        let rows = (|| {
            let mut select = self.connection.prepare(&sql)?;
            let rows =
                select.query_map(params![what.name(), last], |row| Ok((row.get("row")?, found(row)?)))?;
            rows.collect()
        })();
        Ok(Some(WorkBatch { deliveries: self.told(rows)?, last }))
    }

    /// Forgets what was to be done about deliveries up to a row.
    pub(crate) fn finish_work(&self, what: PendingWork, last: i64) -> Result<()> {
        let forget = "DELETE FROM owed WHERE what = ?1 AND row <= ?2";
        self.told(self.connection.execute(forget, params![what.name(), last])).map(drop)
    }

    /// When a delivery to an address last succeeded, in milliseconds since 1970.
    pub(crate) fn last_success(&self, address: &str) -> Result<Option<i64>> {
        let last = "SELECT max(+last_seen) FROM deliveries
            WHERE (recipient = ?1 OR original_recipient = ?1) AND +status = 'sent'";
        self.told(self.connection.query_row(last, [address], |row| row.get(0)))
    }
}
