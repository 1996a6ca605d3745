//! Counters, and the series of minutes.

use super::connection::SharedConnection;
use crate::error::Result;
use crate::store::tally::Tally;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Adds to counters and to the minute, within a transaction.
pub(crate) fn add(db: &Connection, tally: &Tally, at_ms: i64, message: bool) -> rusqlite::Result<()> {
    const ADD: &str = "INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2";
    const MINUTE: &str = "INSERT INTO series (minute, messages) VALUES (?1, 1) ON CONFLICT (minute) DO UPDATE SET messages = messages + 1";
    if !tally.is_empty() {
        let mut add = db.prepare_cached(ADD)?;
        for (name, many) in tally.iter() {
            add.execute(params![name, i64::try_from(many).unwrap_or(i64::MAX)])?;
        }
    }
    if message {
        db.prepare_cached(MINUTE)?.execute([at_ms.div_euclid(60_000) * 60])?;
    }
    Ok(())
}

pub(crate) fn counters(shared: &SharedConnection) -> Result<(Option<String>, BTreeMap<String, u64>)> {
    shared.read(|db| {
        let started =
            db.query_row("SELECT value FROM meta WHERE name = 'startedRunning'", [], |row| row.get(0)).ok();
        let mut select = db.prepare("SELECT name, value FROM counters")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0) as u64)))?;
        Ok((started, rows.collect::<rusqlite::Result<_>>()?))
    })
}

pub(crate) fn series(shared: &SharedConnection) -> Result<Vec<(i64, u64)>> {
    shared.read(|db| {
        let mut select = db.prepare("SELECT minute, messages FROM series ORDER BY minute")?;
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0) as u64)))?;
        rows.collect()
    })
}
