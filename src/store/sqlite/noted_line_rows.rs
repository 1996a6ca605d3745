//! Lines of the message log that are noted in the transaction of what they say, until they are in
//! the log.
//!
//! Not here: which lines (`crate::log_failures`). Invariant: lines of a process that lives are left
//! to it.

use super::connection::SharedConnection;
use crate::error::Result;
use rusqlite::{Connection, params};

/// Within a transaction.
pub(super) fn note(db: &Connection, batch: u64, owner: &str, lines: &str) -> rusqlite::Result<()> {
    let note = "INSERT OR REPLACE INTO noted_lines (batch, owner, lines) VALUES (?1, ?2, ?3)";
    db.prepare_cached(note)?.execute(params![batch as i64, owner, lines]).map(drop)
}

/// Within a transaction: those of a process up to this batch.
pub(super) fn forget(db: &Connection, owner: &str, up_to: u64) -> rusqlite::Result<()> {
    let forget = "DELETE FROM noted_lines WHERE batch <= ?1 AND owner = ?2";
    db.prepare_cached(forget)?.execute(params![up_to as i64, owner]).map(drop)
}

pub(crate) fn forget_own(shared: &SharedConnection, up_to: u64) -> Result<()> {
    let owner = shared.holders().this_process()?;
    shared.write(move |db| forget(db, &owner, up_to))
}

/// Batches of processes that have ended, and their lines.
pub(crate) fn left(shared: &SharedConnection) -> Result<Vec<(u64, String)>> {
    let noted: Vec<(i64, String, String)> = shared.read(|db| {
        let mut select = db.prepare_cached("SELECT batch, owner, lines FROM noted_lines ORDER BY batch")?;
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    })?;
    let left = noted.into_iter().filter(|(_, owner, _)| shared.holders().is_gone(owner));
    Ok(left.map(|(batch, _, lines)| (batch as u64, lines)).collect())
}

pub(crate) fn forget_left(shared: &SharedConnection, batches: Vec<u64>) -> Result<()> {
    shared.write(move |db| {
        let mut forget = db.prepare_cached("DELETE FROM noted_lines WHERE batch = ?1")?;
        batches.iter().try_for_each(|batch| forget.execute([*batch as i64]).map(drop))
    })
}
