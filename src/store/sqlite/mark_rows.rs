//! Marks of the tick, and answers that expire.
//!
//! Not here: what the tick does (`crate::cron`, `crate::cycle`). Invariant: a purge and its mark
//! are one transaction.

use super::connection::SharedConnection;
use super::suppression_rows;
use crate::error::{Context, Result};
use crate::store::observed::Heartbeat;
use crate::store::suppressed::Suppressed;
use rusqlite::{Connection, OptionalExtension, params};

/// Remembered answers at most: their names come from links, so from strangers.
const MEMORY_ROWS: i64 = 100_000;

pub(crate) fn beat(shared: &SharedConnection, beat: &Heartbeat) -> Result<()> {
    let text = serde_json::to_string(beat).context("heartbeat")?;
    shared.write(move |db| put(db, "tick", &text))
}

pub(crate) fn heartbeat(shared: &SharedConnection) -> Result<Option<Heartbeat>> {
    Ok(marked(shared, "tick")?.and_then(|text| serde_json::from_str(&text).ok()))
}

pub(crate) fn marked(shared: &SharedConnection, name: &str) -> Result<Option<String>> {
    shared.read(|db| value(db, name))
}

/// The same within a transaction.
pub(super) fn value(db: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
}

pub(crate) fn purge_suppressions(
    shared: &SharedConnection,
    entries: &[Suppressed],
    name: &str,
    value: &str,
) -> Result<usize> {
    let (entries, name, value) = (entries.to_vec(), name.to_owned(), value.to_owned());
    shared.write(move |db| {
        let gone = suppression_rows::remove_unchanged(db, &entries)?;
        put(db, &name, &value)?;
        Ok(gone)
    })
}

pub(super) fn put(db: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    const PUT: &str =
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
    db.prepare_cached(PUT)?.execute([name, value]).map(drop)
}

pub(crate) fn remembered(shared: &SharedConnection, name: &str, now_ms: i64) -> Result<Option<bool>> {
    shared.read(|db| {
        let mut select = db.prepare_cached("SELECT value FROM memory WHERE name = ?1 AND expires_ms > ?2")?;
        let mut rows = select.query(params![name, now_ms])?;
        rows.next()?.map(|row| row.get(0)).transpose()
    })
}

pub(crate) fn remember(shared: &SharedConnection, name: &str, value: bool, expires_ms: i64) -> Result<()> {
    let name = name.to_owned();
    shared.write(move |db| {
        let rows: i64 = db.query_row("SELECT count(*) FROM memory", [], |row| row.get(0))?;
        if rows < MEMORY_ROWS {
            db.execute(
                "INSERT OR REPLACE INTO memory (name, value, expires_ms) VALUES (?1, ?2, ?3)",
                params![name, value, expires_ms],
            )?;
        }
        Ok(())
    })
}
