//! Counters, the series of minutes, and remembered answers.

use super::{Record, Store, Tally, outbox, suppressions};
use crate::error::Result;
use rusqlite::{Connection, params};
use std::collections::BTreeMap;

/// Ten days, as long as bouncy-sink kept its minutes.
pub(crate) const KEPT_MS: i64 = 10 * 86_400_000;
/// Remembered answers at most: the names are chosen by whoever writes links.
const MEMORY_ROWS: i64 = 100_000;

/// Adds to counters and to the minute, within a transaction.
pub(crate) fn add(db: &Connection, tally: &Tally, at_ms: i64, message: bool) -> rusqlite::Result<()> {
    const ADD: &str =
        "INSERT INTO counters VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = value + ?2";
    const MINUTE: &str =
        "INSERT INTO series VALUES (?1, 1) ON CONFLICT (minute) DO UPDATE SET messages = messages + 1";
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

impl Store {
    /// Counts a message that is over and done with. A key that is on record already changes nothing.
    pub fn record(&self, record: &Record<'_>) -> Result<()> {
        let key = record.key.map(str::to_owned);
        let (tally, at_ms, message) = (record.tally.clone(), record.at_ms, record.message);
        self.shared.write(move |db| {
            if let Some(key) = key {
                const ONCE: &str =
                    "INSERT OR IGNORE INTO journal (key, state, at_ms) VALUES (?1, 'finished', ?2)";
                if db.prepare_cached(ONCE)?.execute(params![key, at_ms])? == 0 {
                    return Ok(());
                }
            }
            add(db, &tally, at_ms, message)
        })
    }

    /// When carom first ran here (RFC 3339), and every counter.
    pub(crate) fn counters(&self) -> Result<(Option<String>, BTreeMap<String, u64>)> {
        self.shared.read(|db| {
            let started = db
                .query_row("SELECT value FROM meta WHERE name = 'startedRunning'", [], |row| row.get(0))
                .ok();
            let mut select = db.prepare("SELECT name, value FROM counters")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0) as u64)))?;
            Ok((started, rows.collect::<rusqlite::Result<_>>()?))
        })
    }

    /// Messages of each minute, oldest first: unix seconds of the minute's start, and how many.
    pub(crate) fn series(&self) -> Result<Vec<(i64, u64)>> {
        self.shared.read(|db| {
            let mut select = db.prepare("SELECT minute, messages FROM series ORDER BY minute")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.max(0) as u64)))?;
            rows.collect()
        })
    }

    /// What was remembered under a name, if it has not expired.
    pub(crate) fn remembered(&self, name: &str, now_ms: i64) -> Result<Option<bool>> {
        self.shared.read(|db| {
            let mut select =
                db.prepare_cached("SELECT value FROM memory WHERE name = ?1 AND expires_ms > ?2")?;
            let mut rows = select.query(params![name, now_ms])?;
            rows.next()?.map(|row| row.get(0)).transpose()
        })
    }

    /// Remembers an answer until `expires_ms`. With too many remembered already, this one is not.
    pub fn remember(&self, name: &str, value: bool, expires_ms: i64) -> Result<()> {
        let name = name.to_owned();
        self.shared.write(move |db| {
            let rows: i64 = db.query_row("SELECT count(*) FROM memory", [], |row| row.get(0))?;
            if rows < MEMORY_ROWS {
                db.execute(
                    "INSERT OR REPLACE INTO memory VALUES (?1, ?2, ?3)",
                    params![name, value, expires_ms],
                )?;
            }
            Ok(())
        })
    }

    /// Removes what is older than it need be: finished journal rows and minutes after ten days, expired answers.
    pub(crate) fn purge(&self, now_ms: i64) -> Result<()> {
        let oldest = now_ms - KEPT_MS;
        self.shared.write(move |db| {
            outbox::purge(db, now_ms)?;
            db.execute(
                "DELETE FROM steps WHERE key IN (SELECT key FROM journal WHERE state = 'finished' AND at_ms < ?1)",
                [oldest],
            )?;
            db.execute("DELETE FROM journal WHERE state = 'finished' AND at_ms < ?1", [oldest])?;
            db.execute("DELETE FROM series WHERE minute < ?1", [oldest / 1000])?;
            db.execute("DELETE FROM memory WHERE expires_ms < ?1", [now_ms])?;
            suppressions::purge(db, now_ms)
        })
    }
}
