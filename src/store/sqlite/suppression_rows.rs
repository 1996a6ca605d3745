//! Addresses that get no more mail, and the soft bounces that count towards it.
//!
//! Not here: who decides (policies, operators). Invariant: a key is counted once, and unproven
//! reports at most once a day for an address.

use super::connection::SharedConnection;
use crate::clock::DAY_MS;
use crate::error::Result;
use crate::store::suppressed::{SoftBounce, StrikeCount, Suppressed};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "address, sender_domain, reason, source, added_ms, expires_ms";

pub(crate) fn suppress_all(shared: &SharedConnection, entries: &[Suppressed]) -> Result<usize> {
    let entries = entries.to_vec();
    shared.write(move |db| {
        let mut new = 0;
        for entry in &entries {
            new += usize::from(find(db, &entry.address, &entry.sender_domain)?.is_none());
            db.prepare_cached(&format!(
                "INSERT OR REPLACE INTO suppressions ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
            ))?
            .execute(params![
                entry.address,
                entry.sender_domain,
                entry.reason,
                entry.source,
                entry.added_ms,
                entry.expires_ms
            ])?;
        }
        Ok(new)
    })
}

pub(crate) fn unsuppress(
    shared: &SharedConnection,
    address: &str,
    sender_domain: Option<&str>,
) -> Result<bool> {
    let (address, sender_domain) = (address.to_owned(), sender_domain.map(str::to_owned));
    shared.write(move |db| {
        const WHOSE: &str = "address = ?1 AND (?2 IS NULL OR sender_domain = ?2)";
        db.execute(&format!("DELETE FROM strikes WHERE {WHOSE}"), params![address, sender_domain])?;
        let gone =
            db.execute(&format!("DELETE FROM suppressions WHERE {WHOSE}"), params![address, sender_domain])?;
        Ok(gone > 0)
    })
}

pub(crate) fn suppressed(
    shared: &SharedConnection,
    address: &str,
    sender_domain: &str,
    now_ms: i64,
) -> Result<Option<Suppressed>> {
    let found = shared.read(|db| {
        let general = find(db, address, "")?;
        Ok(if general.is_some() { general } else { find(db, address, sender_domain)? })
    })?;
    Ok(found.filter(|entry| entry.expires_ms.is_none_or(|expires| expires > now_ms)))
}

pub(crate) fn suppressions(
    shared: &SharedConnection,
    containing: &str,
    now_ms: i64,
) -> Result<Vec<Suppressed>> {
    shared.read(|db| {
        let mut select = db.prepare(
            &format!(
            "SELECT {COLUMNS} FROM suppressions WHERE (expires_ms IS NULL OR expires_ms > ?1) AND instr(address, ?2) > 0
             ORDER BY address, sender_domain"
        ),
        )?;
        let rows = select.query_map(params![now_ms, containing], row)?;
        rows.collect()
    })
}

pub(crate) fn strike(shared: &SharedConnection, bounce: &SoftBounce<'_>) -> Result<StrikeCount> {
    let (address, domain) = (bounce.address.to_owned(), bounce.sender_domain.to_owned());
    let (key, proven, at_ms) = (bounce.key.to_owned(), bounce.proven, bounce.at_ms);
    let oldest = at_ms - i64::from(bounce.window) * DAY_MS;
    let (what, logged) = bounce.bounce.map_or((None, false), |what| (Some(what.id.clone()), what.logged));
    shared.write(move |db| {
        let known: bool = db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM strikes WHERE address = ?1 AND bounce = ?2 AND logged <> ?3)")?
            .query_row(params![address, what, logged], |row| row.get(0))?;
        let today: bool = db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM strikes WHERE address = ?1 AND sender_domain = ?2 AND at_ms > ?3)")?
            .query_row(params![address, domain, at_ms - DAY_MS], |row| row.get(0))?;
        if !known && (proven || !today) {
            db.prepare_cached("INSERT OR IGNORE INTO strikes (address, sender_domain, key, at_ms, proven, bounce, logged)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![address, domain, key, at_ms, proven, what, logged])?;
        }
        let count = db
            .prepare_cached("SELECT count(*) FROM strikes WHERE address = ?1 AND sender_domain = ?2 AND at_ms > ?3")?
            .query_row(params![address, domain, oldest], |row| row.get(0))?;
        Ok(StrikeCount { count, known })
    })
}

pub(crate) fn forgive(shared: &SharedConnection, alive: Vec<(String, i64)>) -> Result<usize> {
    if alive.is_empty() {
        return Ok(0);
    }
    shared.write(move |db| {
        let mut forget = db.prepare_cached("DELETE FROM strikes WHERE address = ?1 AND at_ms <= ?2")?;
        alive.iter().map(|(address, at_ms)| forget.execute(params![address, at_ms])).sum()
    })
}

pub(crate) fn struck(shared: &SharedConnection) -> Result<Vec<String>> {
    shared.read(|db| {
        let mut select = db.prepare("SELECT DISTINCT address FROM strikes")?;
        select.query_map([], |row| row.get(0))?.collect()
    })
}

pub(crate) fn strikes(shared: &SharedConnection, address: &str) -> Result<Vec<(String, i64, bool)>> {
    shared.read(|db| {
        let mut select =
            db.prepare("SELECT sender_domain, at_ms, proven FROM strikes WHERE address = ?1 ORDER BY at_ms")?;
        let rows = select.query_map([address], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect()
    })
}

fn find(db: &Connection, address: &str, sender_domain: &str) -> rusqlite::Result<Option<Suppressed>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM suppressions WHERE address = ?1 AND sender_domain = ?2"
    ))?
    .query_row(params![address, sender_domain], row)
    .optional()
}

fn row(row: &Row<'_>) -> rusqlite::Result<Suppressed> {
    Ok(Suppressed {
        address: row.get(0)?,
        sender_domain: row.get(1)?,
        reason: row.get(2)?,
        source: row.get(3)?,
        added_ms: row.get(4)?,
        expires_ms: row.get(5)?,
    })
}

/// Removes these entries, except those that were added again since.
pub(crate) fn remove_unchanged(db: &Connection, entries: &[Suppressed]) -> rusqlite::Result<usize> {
    const REMOVE: &str =
        "DELETE FROM suppressions WHERE address = ?1 AND sender_domain = ?2 AND added_ms = ?3";
    let mut remove = db.prepare_cached(REMOVE)?;
    entries
        .iter()
        .map(|entry| remove.execute(params![entry.address, entry.sender_domain, entry.added_ms]))
        .sum()
}
