//! The soft bounces (strikes) of addresses.
//!
//! Not here: who is suppressed (`suppression_rows`), and what is one bounce (`report_rows`).
//! Invariant: a key is counted once; unproven reports are noted at most once a day for an address,
//! and never counted.

use super::connection::SharedConnection;
use super::counted_once::SOFT_BOUNCE;
use super::{reached_thresholds, report_rows};
use crate::clock::DAY_MS;
use crate::error::Result;
use crate::mailbox_syntax::without_needless_quotes;
use crate::store::suppressed::{Effect, SoftBounce, StrikeCount};
use rusqlite::{Connection, params};

pub(crate) fn strike(shared: &SharedConnection, bounce: &SoftBounce<'_>) -> Result<StrikeCount> {
    let texts = [bounce.address, bounce.sender_domain, bounce.key].map(str::to_owned);
    let (threshold, window, proven, at_ms) = (bounce.threshold, bounce.window, bounce.proven, bounce.at_ms);
    let what = bounce.bounce.cloned();
    shared.write(move |db| {
        let [address, sender_domain, key] = &texts;
        let bounce = what.as_ref();
        count(db, &SoftBounce { address, sender_domain, key, threshold, window, proven, at_ms, bounce })
    })
}

/// The same within a transaction.
pub(super) fn count(db: &Connection, bounce: &SoftBounce<'_>) -> rusqlite::Result<StrikeCount> {
    let address = &*without_needless_quotes(bounce.address);
    let bounce = &SoftBounce { address, ..*bounce };
    let SoftBounce { sender_domain, key, threshold, window, proven, at_ms, bounce: what, .. } = *bounce;
    let window_ms = i64::from(window) * DAY_MS;
    let (what, logged) = what.map_or((None, false), |what| (Some(what.id.as_str()), what.logged));
    let today: bool = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM strikes WHERE address = ?1 AND sender_domain = ?2 AND at_ms > ?3)",
        )?
        .query_row(params![address, sender_domain, at_ms - DAY_MS], |row| row.get(0))?;
    let counts = proven || !today;
    let known = match what.filter(|_| counts) {
        None => false,
        Some(id) => {
            // A forged report must not hide the true one.
            let event = if proven { SOFT_BOUNCE } else { "soft-bounce unproven" };
            let until_ms = at_ms + window_ms;
            !report_rows::is_first(db, &Effect { event, id, address, key, at_ms, until_ms })?
        }
    };
    if counts && !known {
        db.prepare_cached(
            "INSERT OR IGNORE INTO strikes (address, sender_domain, key, at_ms, proven, bounce, logged)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![address, sender_domain, key, at_ms, proven, what, logged])?;
    }
    let count: u32 = db
        .prepare_cached(
            "SELECT count(*) FROM strikes WHERE address = ?1 AND sender_domain = ?2 AND at_ms > ?3 AND proven",
        )?
        .query_row(params![address, sender_domain, at_ms - window_ms], |row| row.get(0))?;
    let reaches = proven && !known && count >= threshold;
    let is_first =
        reaches && report_rows::is_first_to_reach(db, bounce)? && reached_thresholds::claim(db, bounce)?;
    let reached_before = reaches && !is_first;
    Ok(StrikeCount { count, known, reached_before })
}

pub(crate) fn forgive(shared: &SharedConnection, alive: Vec<(String, i64)>) -> Result<usize> {
    if alive.is_empty() {
        return Ok(0);
    }
    shared.write(move |db| alive.iter().map(|(address, at_ms)| forget(db, address, *at_ms)).sum())
}

/// Forgets the soft bounces of an address up to a time; returns how many.
pub(super) fn forget(db: &Connection, address: &str, at_ms: i64) -> rusqlite::Result<usize> {
    let forget = "DELETE FROM strikes WHERE address = ?1 AND at_ms <= ?2";
    db.prepare_cached(forget)?.execute(params![without_needless_quotes(address), at_ms])
}

pub(crate) fn struck_after(shared: &SharedConnection, after: &str, most: usize) -> Result<Vec<String>> {
    shared.read(|db| {
        let select = "SELECT DISTINCT address FROM strikes WHERE address > ?1 ORDER BY address LIMIT ?2";
        let mut select = db.prepare_cached(select)?;
        select.query_map(params![after, most as i64], |row| row.get(0))?.collect()
    })
}

pub(crate) fn strikes(shared: &SharedConnection, address: &str) -> Result<Vec<(String, i64, bool)>> {
    shared.read(|db| {
        let mut select =
            db.prepare("SELECT sender_domain, at_ms, proven FROM strikes WHERE address = ?1 ORDER BY at_ms")?;
        let rows = select.query_map([without_needless_quotes(address)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        rows.collect()
    })
}
