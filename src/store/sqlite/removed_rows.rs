//! Entries that an operator has taken off the suppression list, and the failures that had made
//! them: these suppress the address no more, whoever reports them again.
//!
//! Not here: entries that are undone because they were wrong (`release_rows`). Invariant: the
//! entry, its soft bounces, the failures and the record of the action are one transaction; what
//! failed and was never reported before suppresses as ever.

use super::audit_rows;
use super::connection::SharedConnection;
use super::counted_once::{SUPPRESSED, of_reason};
use super::report_rows::{self, REMOVED, THRESHOLD};
use super::suppression_rows::{COLUMNS, row};
use crate::clock::DAY_MS;
use crate::error::Result;
use crate::mailbox_syntax::without_needless_quotes;
use crate::store::audited::AuditEntry;
use crate::store::suppressed::Suppressed;
use rusqlite::{Connection, params};
use serde_json::json;

/// How long the decision of an operator holds against reports of the same failure.
const HOLDS_MS: i64 = 366 * DAY_MS;
/// Whose rows: those of an address, for mail of one sender domain or any.
const WHOSE: &str = "address = ?1 AND (?2 IS NULL OR sender_domain = ?2)";

/// Takes an address off the list; returns whether it was on it.
pub(crate) fn remove(
    shared: &SharedConnection,
    address: &str,
    sender_domain: Option<&str>,
    now_ms: i64,
    by: Option<&str>,
) -> Result<bool> {
    let (written, by) = (address.to_owned(), by.map(str::to_owned));
    let sender_domain = sender_domain.map(str::to_owned);
    shared.write(move |db| {
        let (address, sender_domain) = (&*without_needless_quotes(&written), sender_domain.as_deref());
        let gone = taken(db, "suppressions", address, sender_domain)?;
        let earlier = taken(db, "earlier_suppressions", address, sender_domain)?;
        db.execute(&format!("DELETE FROM strikes WHERE {WHOSE}"), params![address, sender_domain])?;
        hold(db, &written, gone.iter().chain(&earlier), now_ms)?;
        if sender_domain.is_none() {
            hold_reported(db, &written, now_ms)?;
        }
        if let Some(who) = by.filter(|_| !gone.is_empty()) {
            let (action, what, before) = ("release".to_owned(), address.to_owned(), json!(gone));
            let after = json!({ "address": address, "released": true });
            let entry = AuditEntry { id: 0, at_ms: now_ms, who, action, what, before, after };
            audit_rows::put(db, &entry)?;
        }
        Ok(!gone.is_empty())
    })
}

/// The entries of a table, which are gone then.
fn taken(
    db: &Connection,
    table: &str,
    address: &str,
    sender_domain: Option<&str>,
) -> rusqlite::Result<Vec<Suppressed>> {
    let take = format!("DELETE FROM {table} WHERE {WHOSE} RETURNING {COLUMNS}");
    db.prepare_cached(&take)?.query_map(params![address, sender_domain], row)?.collect()
}

/// The failures that have made these entries make none again.
fn hold<'e>(
    db: &Connection,
    address: &str,
    entries: impl Iterator<Item = &'e Suppressed>,
    now_ms: i64,
) -> rusqlite::Result<()> {
    const HOLD: &str =
        "INSERT OR REPLACE INTO reported (event, id, address, key, until_ms) VALUES (?1, ?2, ?3, '', ?4)";
    for Suppressed { reason, grounds, .. } in entries.filter(|one| !one.grounds.bounce.is_empty()) {
        let failure = of_reason(&grounds.bounce, reason);
        db.prepare_cached(HOLD)?.execute(params![REMOVED, failure, address, now_ms + HOLDS_MS])?;
    }
    Ok(())
}

/// The same for whatever else has suppressed the address. New soft bounces may reach the threshold.
fn hold_reported(db: &Connection, address: &str, now_ms: i64) -> rusqlite::Result<()> {
    const HOLD: &str = "INSERT OR REPLACE INTO reported (event, id, address, key, until_ms)
        SELECT ?3, id, address, '', ?5 FROM reported WHERE address IN (?1, ?2) AND event = ?4";
    const REACHED: &str = "DELETE FROM reported WHERE address IN (?1, ?2) AND event = ?3";
    let [named, digested] = report_rows::columns_of(address);
    let reported = params![named, digested, REMOVED, SUPPRESSED, now_ms + HOLDS_MS];
    db.prepare_cached(HOLD)?.execute(reported)?;
    db.prepare_cached(REACHED)?.execute(params![named, digested, THRESHOLD]).map(drop)
}
