//! Deliveries whose events are in the queue and have not reached every sink: if the queue is lost,
//! they are collected again.
//!
//! Not here: the queue (`crate::events`). Invariant: a row leaves the pending work in the
//! transaction that notes it here.

use super::Index;
use super::pending_work::PendingWork;
use crate::error::Result;
use rusqlite::params;

/// What these rows are called in `owed`.
pub(super) const QUEUED: &str = "queued event";

impl Index {
    /// The events of all these rows, which `pending_work` has returned, are in the queue. The
    /// caller has the lock of the index.
    pub(crate) fn events_are_queued(&self, rows: &[i64]) -> Result<()> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
        self.move_work(PendingWork::Event.name(), QUEUED, (*first, *last))
    }

    /// Whether there are any.
    pub(crate) fn has_queued_events(&self) -> Result<bool> {
        let any = self.connection.prepare_cached("SELECT 1 FROM owed WHERE what = ?1 LIMIT 1");
        self.checked(any.and_then(|mut any| any.exists([QUEUED])))
    }

    /// Every sink has them. The caller has the lock of the index.
    pub(crate) fn events_are_delivered(&self) -> Result<()> {
        let forgotten = self.connection.execute("DELETE FROM owed WHERE what = ?1", [QUEUED]);
        self.checked(forgotten).map(drop)
    }

    /// The queue is lost: they are pending again. The caller has the lock of the index.
    pub(crate) fn events_are_lost(&self) -> Result<()> {
        self.move_work(QUEUED, PendingWork::Event.name(), (i64::MIN, i64::MAX))
    }

    fn move_work(&self, from: &str, to: &str, (first, last): (i64, i64)) -> Result<()> {
        const COPY: &str = "INSERT OR IGNORE INTO owed (what, row)
            SELECT ?2, row FROM owed WHERE what = ?1 AND row BETWEEN ?3 AND ?4";
        const FORGET: &str = "DELETE FROM owed WHERE what = ?1 AND row BETWEEN ?2 AND ?3";
        let moved = (|| {
            let both = self.connection.unchecked_transaction()?;
            both.prepare_cached(COPY)?.execute(params![from, to, first, last])?;
            both.prepare_cached(FORGET)?.execute(params![from, first, last])?;
            both.commit()
        })();
        self.checked(moved)
    }
}
