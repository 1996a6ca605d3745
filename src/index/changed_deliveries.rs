//! Deliveries that changed, in the order of their changes, for events: each is noted at the end of
//! a table, and forgotten when every sink has it.
//!
//! Not here: the events (`crate::events`) and what they say (`delivery_data`). Invariant: a change
//! is noted in the transaction that makes it. A queue of events that is lost can be made again.

use super::Index;
use super::delivery_data::{self, DeliveryData};
use crate::error::Result;
use rusqlite::{OptionalExtension, params};

/// What is remembered: changes up to this number are in the queue of events.
const QUEUED: &str = "queued changes";
/// Changes that are looked at together for deliveries that changed again.
const AHEAD: i64 = 1 << 18;

/// Changes whose events are to be queued, read from the oldest on. The caller has the lock of the
/// index.
pub(crate) struct UnqueuedChanges<'i> {
    index: &'i Index,
    data: DeliveryData<'i>,
    /// The last change that was read, and the last one that was looked at.
    read: i64,
    known: i64,
    /// Changes up to `known` that another one of the same delivery follows, in order.
    superseded: Vec<i64>,
}

impl<'i> UnqueuedChanges<'i> {
    /// Gives `take` the deliveries of the next `most` changes; those that have expired and those
    /// that changed again are left out. Returns the number of the last change; `None`: there are no
    /// more.
    pub(crate) fn next(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(&DeliveryData<'i>),
    ) -> Result<Option<i64>> {
        if self.read == self.known {
            self.look_ahead()?;
        }
        let sql = format!(
            "SELECT number, {} FROM changed LEFT JOIN deliveries ON deliveries.id = row
             WHERE number > ?1 AND number <= ?2 ORDER BY number LIMIT ?3",
            delivery_data::columns()
        );
        let before = self.read;
        let done = (|| {
            let mut select = self.index.connection.prepare_cached(&sql)?;
            let mut found = select.query(params![before, self.known, most as i64])?;
            while let Some(row) = found.next()? {
                self.read = row.get(0)?;
                let is_last = self.superseded.binary_search(&self.read).is_err();
                if is_last && self.data.read(row, 1)? {
                    take(&self.data);
                }
            }
            Ok(())
        })();
        self.index.checked(done)?;
        Ok((self.read > before).then_some(self.read))
    }

    fn look_ahead(&mut self) -> Result<()> {
        let select = "SELECT row, number FROM changed WHERE number > ?1 ORDER BY number LIMIT ?2";
        let found: rusqlite::Result<Vec<(i64, i64)>> = (|| {
            let mut select = self.index.connection.prepare_cached(select)?;
            select.query_map([self.read, AHEAD], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })();
        let mut changes = self.index.checked(found)?;
        self.known = changes.last().map_or(self.read, |(_, number)| *number);
        changes.sort_unstable();
        let again = changes.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].1);
        self.superseded = again.collect();
        self.superseded.sort_unstable();
        Ok(())
    }
}

impl Index {
    /// The changes whose events are not in the queue.
    pub(crate) fn changed_deliveries(&self) -> Result<UnqueuedChanges<'_>> {
        let (read, data) = (self.queued_changes()?, self.checked(DeliveryData::new(&self.connection))?);
        Ok(UnqueuedChanges { index: self, data, read, known: read, superseded: Vec::new() })
    }

    fn queued_changes(&self) -> Result<i64> {
        Ok(self.remembered(QUEUED)?.and_then(|number| number.parse().ok()).unwrap_or_default())
    }

    /// The events of changes up to this number are in the queue. The caller has the lock of the
    /// index.
    pub(crate) fn changes_are_queued(&self, number: i64) -> Result<()> {
        self.remember(QUEUED, &number.to_string())
    }

    /// Whether the events of any changes are in the queue.
    pub(crate) fn has_queued_changes(&self) -> Result<bool> {
        let first = self.connection.query_row("SELECT number FROM changed LIMIT 1", [], |row| row.get(0));
        let first: Option<i64> = self.checked(first.optional())?;
        Ok(first.is_some_and(|first| first <= self.queued_changes().unwrap_or_default()))
    }

    /// Every sink has them. The caller has the lock of the index.
    pub(crate) fn changes_are_delivered(&self) -> Result<()> {
        let queued = self.queued_changes()?;
        let forgotten = (|| {
            let all = self.connection.unchecked_transaction()?;
            let more = "SELECT EXISTS (SELECT 1 FROM changed WHERE number > ?1)";
            if all.query_row(more, [queued], |row| row.get(0))? {
                all.execute("DELETE FROM changed WHERE number <= ?1", [queued])?;
            } else {
                // SQLite empties a table much faster than it deletes rows. Numbers begin again.
                all.execute_batch(&format!("DELETE FROM changed; DELETE FROM meta WHERE name = '{QUEUED}'"))?;
            }
            all.commit()
        })();
        self.checked(forgotten)
    }

    /// The queue is lost: none of them is in it. The caller has the lock of the index.
    pub(crate) fn changes_are_lost(&self) -> Result<()> {
        self.changes_are_queued(0)
    }
}
