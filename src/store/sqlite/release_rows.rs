//! Entries that leave the suppression list because they were wrong, and the promise to say so.
//!
//! Not here: which ones (`crate::release`). Invariant: an entry, the soft bounces that led to it
//! and the promise of the notification are one transaction; an entry that has changed since it was
//! looked up stays.

use super::connection::SharedConnection;
use super::counter_rows;
use super::promise_rows::PromiseRows;
use super::report_rows;
use super::shared_ranks::ENTRY_RANK;
use super::suppression_rows::{COLUMNS, insert, row};
use crate::error::Result;
use crate::store::suppressed::{Released, Suppressed};
use crate::store::tally::Tally;
use rusqlite::{Connection, params};
use std::ops::Range;

/// What only soft bounces put on the list.
const SOFT: &str = "soft_bounces > 0 AND source = 'report' AND NOT EXISTS (SELECT 1 FROM earlier_suppressions AS earlier \
    WHERE earlier.address = suppressions.address AND earlier.sender_domain = suppressions.sender_domain \
    AND (earlier.soft_bounces = 0 OR earlier.source <> 'report'))";

pub(crate) fn between(
    shared: &SharedConnection,
    since_ms: i64,
    until_ms: i64,
) -> Result<(Vec<Suppressed>, Vec<Suppressed>)> {
    shared.read(|db| {
        let of = |table: &str| -> rusqlite::Result<Vec<Suppressed>> {
            let sql = format!(
                "SELECT {COLUMNS} FROM {table} WHERE added_ms >= ?1 AND added_ms < ?2 ORDER BY address, sender_domain"
            );
            db.prepare(&sql)?.query_map([since_ms, until_ms], row)?.collect()
        };
        Ok((of("suppressions")?, of("earlier_suppressions")?))
    })
}

pub(crate) fn earlier(
    shared: &SharedConnection,
    address: &str,
    sender_domain: &str,
) -> Result<Vec<Suppressed>> {
    shared.read(|db| {
        let sql = format!(
            "SELECT {COLUMNS} FROM earlier_suppressions WHERE address = ?1 AND sender_domain = ?2
             ORDER BY {ENTRY_RANK} DESC, source DESC, key DESC"
        );
        db.prepare_cached(&sql)?.query_map([address, sender_domain], row)?.collect()
    })
}

pub(crate) fn soft(shared: &SharedConnection, address: &str) -> Result<Vec<Suppressed>> {
    shared.read(|db| {
        let sql = format!("SELECT {COLUMNS} FROM suppressions WHERE address = ?1 AND {SOFT}");
        db.prepare_cached(&sql)?.query_map([address], row)?.collect()
    })
}

pub(crate) fn soft_after(shared: &SharedConnection, after: &str, most: usize) -> Result<Vec<Suppressed>> {
    shared.read(|db| {
        let sql = format!(
            "SELECT {COLUMNS} FROM suppressions WHERE address > ?1 AND {SOFT} ORDER BY address LIMIT ?2"
        );
        db.prepare_cached(&sql)?.query_map(params![after, most as i64], row)?.collect()
    })
}

/// Calls `put` for each address that soft bounces have suppressed.
pub(crate) fn each_soft(shared: &SharedConnection, mut put: impl FnMut(&str)) -> Result<()> {
    shared.read(|db| {
        let mut select = db.prepare_cached("SELECT address FROM suppressions WHERE soft_bounces > 0")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            put(row.get_ref(0)?.as_str()?);
        }
        Ok(())
    })
}

/// Those that they have suppressed since `forget_new_soft`.
pub(crate) fn new_soft(shared: &SharedConnection) -> Result<Vec<String>> {
    shared.read(|db| db.prepare("SELECT address FROM new_soft")?.query_map([], |row| row.get(0))?.collect())
}

pub(crate) fn forget_new_soft(shared: &SharedConnection, addresses: Vec<String>) -> Result<()> {
    shared.write(move |db| {
        let mut forget = db.prepare("DELETE FROM new_soft WHERE address = ?1")?;
        addresses.iter().try_for_each(|address| forget.execute([address]).map(drop))
    })
}

pub(crate) fn release(shared: &SharedConnection, releases: &[Released], now_ms: i64) -> Result<usize> {
    let mut work = Vec::with_capacity(releases.len());
    for release in releases {
        let notice = release.notice.as_ref();
        let notice = notice.map(|(key, plan)| PromiseRows::without_message(key, plan, now_ms)).transpose()?;
        work.push((release.clone(), notice));
    }
    shared.write(move |db| {
        let mut released = 0;
        for (release, notice) in &work {
            if !remove(db, release)? {
                continue;
            }
            let mut tally = Tally::default();
            tally.add(if release.restored.is_some() { "suppression_restored" } else { "released" });
            counter_rows::add(db, &tally, now_ms, false)?;
            released += 1;
            if let Some(notice) = notice {
                notice.insert(db, None, 0)?;
            }
        }
        Ok(released)
    })
}

/// Takes an entry off the list; returns whether it was there as it was looked up.
fn remove(db: &Connection, release: &Released) -> rusqlite::Result<bool> {
    const THIS: &str =
        "DELETE FROM suppressions WHERE address = ?1 AND sender_domain = ?2 AND added_ms = ?3 AND key = ?4";
    const STRIKES: &str = "DELETE FROM strikes WHERE address = ?1 AND (?2 = '' OR sender_domain = ?2) AND at_ms >= ?3 AND at_ms < ?4";
    const EARLIER: &str = "DELETE FROM earlier_suppressions WHERE address = ?1 AND sender_domain = ?2";
    let Released { entry, restored, forgotten, .. } = release;
    let Suppressed { address, sender_domain, added_ms, grounds, .. } = entry;
    if db.prepare_cached(THIS)?.execute(params![address, sender_domain, added_ms, grounds.key])? == 0 {
        return Ok(false);
    }
    let (from_ms, to_ms) = (forgotten.start, forgotten.end);
    // A later report of the same failures counts again.
    report_rows::forget(db, address)?;
    db.prepare_cached(STRIKES)?.execute(params![address, sender_domain, from_ms, to_ms])?;
    match restored {
        Some(earlier) => {
            insert(db, "suppressions", earlier)?;
            forget(db, earlier)?;
        }
        None => {
            db.prepare_cached(EARLIER)?.execute([address, sender_domain])?;
        }
    }
    Ok(true)
}

pub(crate) fn forget_strikes(
    shared: &SharedConnection,
    period: Range<i64>,
    sender_domain: Option<String>,
) -> Result<()> {
    const WHICH: &str = "at_ms >= ?1 AND at_ms < ?2 AND (?3 IS NULL OR sender_domain = ?3)";
    shared.write(move |db| {
        let period = params![period.start, period.end, sender_domain];
        let reported = format!("DELETE FROM reported WHERE id IN (SELECT bounce FROM strikes WHERE {WHICH})");
        db.execute(&reported, period)?;
        db.execute(&format!("DELETE FROM strikes WHERE {WHICH}"), period).map(drop)
    })
}

pub(crate) fn forget_replaced(shared: &SharedConnection, entries: &[Suppressed]) -> Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let entries = entries.to_vec();
    shared.write(move |db| entries.iter().try_for_each(|entry| forget(db, entry)))
}

fn forget(db: &Connection, entry: &Suppressed) -> rusqlite::Result<()> {
    const FORGET: &str = "DELETE FROM earlier_suppressions WHERE address = ?1 AND sender_domain = ?2 AND source = ?3 AND key = ?4";
    let Suppressed { address, sender_domain, source, grounds, .. } = entry;
    db.prepare_cached(FORGET)?.execute(params![address, sender_domain, source, grounds.key]).map(drop)
}
