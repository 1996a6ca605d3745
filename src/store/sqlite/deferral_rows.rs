//! How often a message was deferred, and since when mail of its kind is.
//!
//! Both are rows of `memory`, which expire with it. Not here: what names a message
//! (`crate::policy`). Invariant: an expired row is as if it were not there.

use super::connection::SharedConnection;
use crate::error::Result;
use rusqlite::{Connection, OptionalExtension, params};

/// How long the tries of one message are remembered.
const TRIES_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The same for a triplet, as greylisting servers do.
const TRIPLET_MS: i64 = 36 * 24 * 60 * 60 * 1000;

/// How often a message was deferred, and when mail with this triplet first was.
pub(crate) fn deferrals(
    shared: &SharedConnection,
    message: &str,
    triplet: &str,
    now_ms: i64,
) -> Result<(u32, Option<i64>)> {
    shared.read(|db| {
        let times = value(db, &tries_of(message), now_ms)?.unwrap_or(0);
        let first_ms = value(db, &first_of(triplet), now_ms)?;
        Ok((u32::try_from(times).unwrap_or(u32::MAX), first_ms))
    })
}

/// A message was deferred once more.
pub(crate) fn defer(shared: &SharedConnection, message: &str, triplet: &str, now_ms: i64) -> Result<()> {
    let (tries, first) = (tries_of(message), first_of(triplet));
    shared.write(move |db| {
        let times = value(db, &tries, now_ms)?.unwrap_or(0) + 1;
        put(db, &tries, times, now_ms + TRIES_MS)?;
        let first_ms = value(db, &first, now_ms)?.unwrap_or(now_ms);
        put(db, &first, first_ms, now_ms + TRIPLET_MS)
    })
}

fn tries_of(message: &str) -> String {
    format!("deferred {message}")
}

fn first_of(triplet: &str) -> String {
    format!("greylisted {triplet}")
}

fn value(db: &Connection, name: &str, now_ms: i64) -> rusqlite::Result<Option<i64>> {
    let mut select = db.prepare_cached("SELECT value FROM memory WHERE name = ?1 AND expires_ms > ?2")?;
    select.query_row(params![name, now_ms], |row| row.get(0)).optional()
}

fn put(db: &Connection, name: &str, value: i64, expires_ms: i64) -> rusqlite::Result<()> {
    let put = "INSERT OR REPLACE INTO memory (name, value, expires_ms) VALUES (?1, ?2, ?3)";
    db.prepare_cached(put)?.execute(params![name, value, expires_ms]).map(drop)
}
