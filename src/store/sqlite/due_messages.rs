//! Messages with steps that are due, in the order in which they are claimed, and their sizes.
//!
//! Not here: claiming (`step_rows`).

use super::connection::SharedConnection;
use crate::error::Result;
use rusqlite::{Connection, params};

/// A step is ready if it is pending, due and not leased, and the step that it waits for has ended.
/// `step_rows::finish` has skipped the steps that waited for another end.
pub(super) const READY: &str = "steps.state = 'pending' AND steps.due_ms <= ?2 AND steps.lease_ms <= ?2 AND (steps.after IS NULL OR \
    EXISTS (SELECT 1 FROM steps AS earlier WHERE earlier.key = steps.key AND earlier.step = steps.after \
    AND earlier.state IN ('succeeded', 'noted', 'given up', 'failed', 'parked')))";

/// The keys of the first `limit` of them that nobody works on, this process included: whoever works
/// on a message takes its steps as they become due, and two threads would free each other's leases.
pub(super) fn keys(
    db: &Connection,
    now_ms: i64,
    lease_ms: i64,
    limit: usize,
) -> rusqlite::Result<Vec<String>> {
    let sql = format!(
        "SELECT DISTINCT key FROM steps INDEXED BY steps_due CROSS JOIN journal USING (key) WHERE {READY} AND
         (owner IS NULL OR due_ms <= ?2 - ?3) LIMIT ?1"
    );
    let mut select = db.prepare_cached(&sql)?;
    select.query_map(params![limit as i64, now_ms, lease_ms], |row| row.get(0))?.collect()
}

/// The size of a message, which is in its row or in a file.
pub(super) fn size(db: &Connection, key: &str) -> rusqlite::Result<u64> {
    let select = "SELECT coalesce(length(message), 0), file FROM journal WHERE key = ?1";
    let (length, file): (i64, Option<String>) =
        db.prepare_cached(select)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let in_file = file.and_then(|file| std::fs::metadata(file).ok()).map_or(0, |metadata| metadata.len());
    Ok(length.unsigned_abs().max(in_file))
}

/// The size of the first message; `None`: no step is due.
pub(crate) fn first_size(shared: &SharedConnection, now_ms: i64, lease_ms: i64) -> Result<Option<u64>> {
    shared.read(|db| {
        let first = keys(db, now_ms, lease_ms, 1)?;
        first.first().map(|key| size(db, key)).transpose()
    })
}
