//! The shelf: messages under way that are not in memory. Between two ticks that is all of them.
//!
//! Not here: which messages go there (`crate::maillog`). Invariant: what cannot be written or read
//! is reported when the transaction is committed.

use crate::maillog::correlate::{QueuedMessage, Shelf};
use rusqlite::{Connection, OptionalExtension, Statement, params};
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::hash::BuildHasher;

/// After this many queue ids that were not on the shelf, all that are get loaded into memory.
const MISSES: u32 = 1000;
/// Queue ids in memory at most.
const KNOWN: usize = 100_000;

/// The messages of one log that are under way, in a transaction.
pub(crate) struct Shelved<'i> {
    log: i64,
    put: Statement<'i>,
    take: Statement<'i>,
    there: Statement<'i>,
    first: Statement<'i>,
    ids: Statement<'i>,
    misses: u32,
    /// Hashes of all queue ids that are on the shelf, or were in this transaction.
    known: Option<FxHashSet<u64>>,
    fault: Option<rusqlite::Error>,
}

impl<'i> Shelved<'i> {
    pub(crate) fn new(db: &'i Connection, log: i64) -> rusqlite::Result<Shelved<'i>> {
        Ok(Shelved {
            log,
            put: db.prepare(
                "INSERT OR REPLACE INTO under_way (log, queue_id, host, first_id, closed, last_ms, message)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            take: db.prepare(
                "DELETE FROM under_way WHERE log = ?1 AND queue_id = ?2 AND host = ?3 RETURNING message",
            )?,
            there: db.prepare("SELECT 1 FROM under_way WHERE log = ?1 AND queue_id = ?2 AND host = ?3")?,
            first: db
                .prepare("SELECT queue_id FROM under_way WHERE first_id = ?2 AND log = ?1 AND host = ?3")?,
            ids: db.prepare("SELECT queue_id, first_id FROM under_way WHERE log = ?1 LIMIT ?2")?,
            misses: 0,
            known: None,
            fault: None,
        })
    }

    /// The first fault.
    pub(crate) fn into_fault(self) -> Option<rusqlite::Error> {
        self.fault
    }

    /// Counts an id that was not there. In a long run nearly none is, and then memory answers.
    fn missed(&mut self) -> rusqlite::Result<()> {
        self.misses += 1;
        if self.misses != MISSES {
            return Ok(());
        }
        let (mut known, mut many) = (FxHashSet::default(), 0);
        let mut rows = self.ids.query(params![self.log, KNOWN as i64])?;
        while let Some(row) = rows.next()? {
            many += 1;
            for column in 0..2 {
                known.extend(row.get_ref(column)?.as_str_or_null()?.map(hash));
            }
        }
        self.known = (many < KNOWN).then_some(known);
        Ok(())
    }

    fn noted<T>(&mut self, result: rusqlite::Result<T>) -> Option<T> {
        result.map_err(|error| self.fault = self.fault.take().or(Some(error))).ok()
    }

    fn take_first(&mut self, host: &str, queue_id: &str) -> rusqlite::Result<Option<String>> {
        // Most ids are not there, and selecting is cheaper than deleting nothing.
        if !self.there.exists(params![self.log, queue_id, host])? {
            return Ok(None);
        }
        self.take.query_row(params![self.log, queue_id, host], |row| row.get(0)).optional()
    }
}

impl Shelf for Shelved<'_> {
    fn put(&mut self, message: &QueuedMessage) {
        if let Some(known) = &mut self.known {
            known.extend(message.queue_ids().map(hash));
        }
        // Its earlier id may belong to another message by now.
        let (first, requeued) = (message.queue_id(), message.requeued_as());
        let text = serde_json::to_string(message).unwrap_or_default();
        let done = self.put.execute(params![
            self.log,
            requeued.or(first).unwrap_or_default(),
            message.host(),
            requeued.and(first),
            message.closed,
            message.last_ms,
            text
        ]);
        self.noted(done);
    }

    fn take(&mut self, host: &str, queue_id: &str) -> Option<QueuedMessage> {
        if self.known.as_ref().is_some_and(|known| !known.contains(&hash(queue_id))) {
            return None;
        }
        let found = self.take_first(host, queue_id).and_then(|found| match found {
            Some(found) => Ok(Some(found)),
            None => {
                let first = self.first.query_row(params![self.log, queue_id, host], |row| row.get(0));
                let first: Option<String> = first.optional()?;
                first.map_or(Ok(None), |first| self.take_first(host, &first))
            }
        });
        let Some(text) = self.noted(found)? else {
            let counted = self.missed();
            self.noted(counted);
            return None;
        };
        serde_json::from_str(&text).ok()
    }
}

fn hash(queue_id: &str) -> u64 {
    FxBuildHasher.hash_one(queue_id)
}
