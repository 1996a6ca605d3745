//! Soft bounces that reach a threshold on two hosts before these exchange: what they do is known as
//! one, by the bounces that both had known before.
//!
//! Both suppress the address and notify the application, under one id; when one of them hears of
//! the other, its count moves. Not here: the threshold (`strike_rows`). Invariant: hosts that knew
//! the same soft bounces find the same id, and it is another one after the next soft bounce.

use super::connection::SharedConnection;
use super::report_rows::{self, THRESHOLD};
use crate::clock::DAY_MS;
use crate::digest;
use crate::error::Result;
use crate::store::suppressed::{Effect, SoftBounce};
use rusqlite::{Connection, OptionalExtension, params};

/// The claim of a host whose soft bounce was the first after those that are known.
pub(super) const CLAIM: &str = "threshold";
const IS_SHARED: &str = "SELECT is_on FROM shared_self";

/// Claims it for this soft bounce. Returns whether no other one has done so.
pub(super) fn claim(db: &Connection, bounce: &SoftBounce<'_>) -> rusqlite::Result<bool> {
    if !db.prepare_cached(IS_SHARED)?.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(true);
    }
    let Some(id) = note(db, bounce)? else { return Ok(true) };
    let SoftBounce { address, key, at_ms, bounce: what, .. } = *bounce;
    // One bounce that reaches both hosts is one: its own claim is lost.
    let key = what.map_or(key, |what| &what.id);
    let claim = Effect { event: CLAIM, id: &id, address, key, at_ms, until_ms: until_ms(bounce) };
    report_rows::is_first(db, &claim)
}

/// Notes for the notification of this report what is known before its soft bounce; `None`: nothing.
pub(super) fn note(db: &Connection, bounce: &SoftBounce<'_>) -> rusqlite::Result<Option<String>> {
    let SoftBounce { address, key, .. } = *bounce;
    let of_report = id_of_report(key, address);
    const NOTED: &str = "SELECT key FROM reported WHERE event = ?1 AND id = ?2";
    let noted = db.prepare_cached(NOTED)?.query_row([THRESHOLD, &of_report], |row| row.get(0)).optional()?;
    if noted.is_some() {
        return Ok(noted);
    }
    let Some(id) = known_before(db, bounce)? else { return Ok(None) };
    const NOTE: &str =
        "INSERT OR REPLACE INTO reported (event, id, address, key, until_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(NOTE)?.execute(params![THRESHOLD, of_report, address, id, until_ms(bounce)])?;
    Ok(Some(id))
}

/// What the notifications of hosts that reach a threshold together have in common; `None`: the
/// report with this key is no such one.
pub(crate) fn noted(shared: &SharedConnection, key: &str, address: &str) -> Result<Option<String>> {
    const NOTED: &str = "SELECT key FROM reported WHERE event = ?1 AND id = ?2";
    let wanted = [THRESHOLD, &id_of_report(key, address)];
    shared.read(|db| db.prepare_cached(NOTED)?.query_row(wanted, |row| row.get(0)).optional())
}

fn id_of_report(key: &str, address: &str) -> String {
    let address = report_rows::address_digest(address);
    digest::sha256_hex(&[key.as_bytes(), b" ", address.as_bytes()], 32)
}

fn until_ms(bounce: &SoftBounce<'_>) -> i64 {
    bounce.at_ms + i64::from(bounce.window.max(30)) * DAY_MS
}

/// A digest of the other soft bounces that count, which are the same on all hosts.
fn known_before(db: &Connection, bounce: &SoftBounce<'_>) -> rusqlite::Result<Option<String>> {
    const OTHERS: &str = "SELECT coalesce(bounce, key) || ' ' || key || ' ' || at_ms FROM strikes
        WHERE address = ?1 AND sender_domain = ?2 AND at_ms > ?3 AND proven AND key <> ?4 ORDER BY 1";
    let SoftBounce { address, sender_domain, key, at_ms, window, .. } = *bounce;
    let from_ms = at_ms - i64::from(window) * DAY_MS;
    let mut select = db.prepare_cached(OTHERS)?;
    let others = select.query_map(params![address, sender_domain, from_ms, key], |row| row.get(0))?;
    let others = others.collect::<rusqlite::Result<Vec<String>>>()?;
    let whose = format!("{sender_domain} {address}");
    let all: Vec<String> = std::iter::once(whose).chain(others).collect();
    Ok((all.len() > 1).then(|| digest::sha256_hex(&[all.join("\n").as_bytes()], 32)))
}
