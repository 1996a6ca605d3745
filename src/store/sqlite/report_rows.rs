//! Reports that have taken effect, so that one counts once however often it comes, and complaints
//! that match nobody.
//!
//! A report that took effect on another host names its address by a digest: what is undone here is
//! forgotten on all hosts. Not here: what makes two reports the same (`policy/fingerprint`).
//! Invariant: of any number of processes with the same report, one is the first.

use super::connection::SharedConnection;
use crate::digest;
use crate::error::Result;
use crate::mailbox_syntax::{in_a_labels, without_needless_quotes};
use crate::plan::Unmatched;
use crate::store::suppressed::{Effect, SoftBounce};
use rusqlite::{Connection, OptionalExtension, params};

/// The event of a failure since which an operator has taken its address off the list.
pub(super) const REMOVED: &str = "removed";
/// That of soft bounces which have reached the threshold.
pub(super) const THRESHOLD: &str = "soft-threshold";
/// What the digest of an address begins with in its column.
const DIGEST: char = '#';
/// Digits of a digest.
const DIGITS: usize = 16;
/// The time in which a process suppresses an address that has reached the threshold.
const SUPPRESSED_WITHIN_MS: i64 = 15 * 60_000;

pub(crate) fn take_effect(shared: &SharedConnection, effect: &Effect<'_>) -> Result<bool> {
    let Effect { event, id, address, key, at_ms, until_ms } = *effect;
    let texts = [event, id, address, key].map(str::to_owned);
    shared.write(move |db| {
        let [event, id, address, key] = &texts;
        let effect = Effect { event, id, address, key, at_ms, until_ms };
        is_first(db, &effect)
    })
}

pub(crate) fn effect_of(shared: &SharedConnection, effect: &Effect<'_>) -> Result<Option<String>> {
    const KEY: &str = "SELECT key FROM reported WHERE event = ?1 AND id = ?2 AND until_ms > ?3";
    let wanted = params![effect.event, effect.id, effect.at_ms];
    shared.read(|db| db.prepare_cached(KEY)?.query_row(wanted, |row| row.get(0)).optional())
}

pub(crate) fn take_over(shared: &SharedConnection, effect: &Effect<'_>, other: &str) -> Result<bool> {
    let texts = [effect.event, effect.id, effect.key, other].map(str::to_owned);
    let until_ms = effect.until_ms;
    shared.write(move |db| {
        let [event, id, key, other] = &texts;
        db.prepare_cached(
            "UPDATE reported SET key = ?3, until_ms = ?5 WHERE event = ?1 AND id = ?2 AND key = ?4",
        )?
        .execute(params![event, id, key, other, until_ms])
        .map(|changed| changed > 0)
    })
}

/// Whether the report with this key is the one that takes effect.
pub(super) fn is_first(db: &Connection, effect: &Effect<'_>) -> rusqlite::Result<bool> {
    let Effect { event, id, address, key, at_ms, until_ms } = *effect;
    let first: Option<String> = db
        .prepare_cached("SELECT key FROM reported WHERE event = ?1 AND id = ?2 AND until_ms > ?3")?
        .query_row(params![event, id, at_ms], |row| row.get(0))
        .optional()?;
    if let Some(first) = first {
        return Ok(first == key);
    }
    db.prepare_cached(
        "INSERT OR REPLACE INTO reported (event, id, address, key, until_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![event, id, address, key, until_ms])?;
    Ok(true)
}

/// Whether this soft bounce is the one that reaches the threshold. Another one may have done so a
/// moment ago, and its process suppresses the address next; or it is suppressed already.
pub(super) fn is_first_to_reach(db: &Connection, bounce: &SoftBounce<'_>) -> rusqlite::Result<bool> {
    let SoftBounce { address, sender_domain, key, at_ms, .. } = *bounce;
    const SUPPRESSED: &str = "SELECT EXISTS (SELECT 1 FROM suppressions
        WHERE address = ?1 AND sender_domain = ?2 AND soft_bounces > 0 AND key <> ?3
        AND (expires_ms IS NULL OR expires_ms > ?4))";
    let suppressed = params![address, sender_domain, key, at_ms];
    if db.prepare_cached(SUPPRESSED)?.query_row(suppressed, |row| row.get(0))? {
        return Ok(false);
    }
    let (event, id) =
        (THRESHOLD, digest::sha256_hex(&[sender_domain.as_bytes(), b" ", address.as_bytes()], 32));
    let (id, until_ms) = (id.as_str(), at_ms + SUPPRESSED_WITHIN_MS);
    is_first(db, &Effect { event, id, address, key, at_ms, until_ms })
}

/// What is reported about an address takes effect again, but for what operators have decided about.
pub(super) fn forget(db: &Connection, address: &str) -> rusqlite::Result<()> {
    let forget = format!("DELETE FROM reported WHERE address IN (?1, ?2) AND event <> '{REMOVED}'");
    db.prepare_cached(&forget)?.execute(columns_of(address)).map(drop)
}

/// The address, as it is in its column: named by this host, or by another one.
pub(super) fn columns_of(address: &str) -> [String; 2] {
    [address.to_owned(), digested(&address_digest(address))]
}

/// What is reported about an address still takes effect once, but no row names it.
pub(super) fn forget_address(db: &Connection, address: &str) -> rusqlite::Result<()> {
    let blank = "UPDATE reported SET address = '' WHERE address IN (?1, ?2)";
    db.prepare_cached(blank)?.execute(columns_of(address)).map(drop)
}

/// What other hosts hear instead of the address in this column; empty: it names none.
pub(super) fn digest_in(column: &str) -> String {
    match column.strip_prefix(DIGEST) {
        _ if column.is_empty() => String::new(),
        Some(digest) if is_digest(digest) => digest.to_owned(),
        _ => address_digest(column),
    }
}

/// The column for the digest that another host says.
pub(super) fn digested(digest: &str) -> String {
    if is_digest(digest) { format!("{DIGEST}{digest}") } else { String::new() }
}

fn is_digest(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Of all spellings of an address the same.
pub(super) fn address_digest(address: &str) -> String {
    let address = address.to_lowercase();
    digest::sha256_hex(&[without_needless_quotes(&in_a_labels(&address)).as_bytes()], DIGITS)
}

pub(crate) fn put_unmatched(shared: &SharedConnection, complaint: &Unmatched, at_ms: i64) -> Result<()> {
    let complaint = complaint.clone();
    shared.write(move |db| {
        let Unmatched { id, found_by, feedback_type, reporter } = &complaint;
        db.prepare_cached(
            "INSERT OR IGNORE INTO unmatched_complaints (id, at_ms, feedback_type, reporter, found_by)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![id, at_ms, feedback_type, reporter, found_by.join("\n")])
        .map(drop)
    })
}

pub(crate) fn unmatched(shared: &SharedConnection, (from_ms, to_ms): (i64, i64)) -> Result<u64> {
    shared.read(|db| {
        db.prepare_cached("SELECT count(*) FROM unmatched_complaints WHERE at_ms >= ?1 AND at_ms < ?2")?
            .query_row([from_ms, to_ms], |row| row.get::<_, i64>(0))
            .map(i64::unsigned_abs)
    })
}
