//! Counters, and the series of minutes.

use super::connection::SharedConnection;
use crate::error::Result;
use crate::store::tally::Tally;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Adds to counters and to the minute, within a transaction.
pub(crate) fn add(db: &Connection, tally: &Tally, at_ms: i64, message: bool) -> rusqlite::Result<()> {
    add_all(db, tally)?;
    match message {
        true => add_messages(db, at_ms.div_euclid(60_000) * 60, 1),
        false => Ok(()),
    }
}

/// Adds to counters.
pub(crate) fn add_all(db: &Connection, tally: &Tally) -> rusqlite::Result<()> {
    const ADD: &str = "INSERT INTO counters (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2";
    if tally.is_empty() {
        return Ok(());
    }
    let mut add = db.prepare_cached(ADD)?;
    for (name, many) in tally.iter() {
        add.execute(params![name, i64::try_from(many).unwrap_or(i64::MAX)])?;
    }
    Ok(())
}

/// Counts one of a counter as one of another.
pub(super) fn move_one(db: &Connection, from: &str, to: &str) -> rusqlite::Result<()> {
    let less = "UPDATE counters SET value = value - 1 WHERE name = ?1 AND value > 0";
    if db.prepare_cached(less)?.execute([from])? > 0 {
        let mut more = Tally::default();
        more.add(to);
        add_all(db, &more)?;
    }
    Ok(())
}

/// Adds to a minute, given by the unix seconds of its start.
pub(crate) fn add_messages(db: &Connection, minute: i64, messages: u64) -> rusqlite::Result<()> {
    const MINUTE: &str = "INSERT INTO series (minute, messages) VALUES (?1, ?2) ON CONFLICT (minute) DO UPDATE SET messages = messages + ?2";
    db.prepare_cached(MINUTE)?.execute([minute, i64::try_from(messages).unwrap_or(i64::MAX)]).map(drop)
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
