//! Addresses that get no more mail.
//!
//! Not here: who decides (policies, operators), and the soft bounces that count towards it
//! (`strike_rows`). Invariant: an entry that another one replaces comes back when that is undone.

use super::audit_rows;
use super::connection::SharedConnection;
use super::counted_once::{is_first_entry, is_removed};
use super::shared_ranks::ENTRY_RANK;
use crate::error::Result;
use crate::mailbox_syntax::without_needless_quotes;
use crate::plan::Grounds;
use crate::store::audited::AuditEntry;
use crate::store::suppressed::{ImportChange, ReportedEntry, Suppressed};
use crate::store::suppression_target::pattern_domain;
use rusqlite::{Connection, OptionalExtension, Row, Statement, params};
use serde_json::json;
use std::borrow::Cow;

/// Replaced entries that are kept of an address and a sender domain: of reports for each reason,
/// and of operators.
const MOST_EARLIER: u32 = 10;
/// The source of what people put on the list, one address after the other.
pub(super) const OPERATOR: &str = "operator";

pub(crate) const COLUMNS: &str = "address, sender_domain, reason, source, added_ms, expires_ms, rule, provider, status, \
    soft_bounces, key, bounce";

pub(crate) fn suppress_all(
    shared: &SharedConnection,
    entries: &[Suppressed],
    by: Option<&str>,
) -> Result<usize> {
    let (entries, by) = (entries.to_vec(), by.map(str::to_owned));
    shared.write(move |db| {
        let mut new = 0;
        for entry in &entries {
            let entry = &*normal(entry);
            let before = find(db, &entry.address, &entry.sender_domain)?;
            new += usize::from(before.is_none());
            put(db, entry, before.as_ref())?;
            if let Some(who) = &by {
                audit_rows::put(db, &added(who, entry, before.as_ref()))?;
            }
        }
        Ok(new)
    })
}

/// The record of an operator's entry, in the form of that of an action by HTTP.
fn added(who: &str, entry: &Suppressed, before: Option<&Suppressed>) -> AuditEntry {
    let (action, what, at_ms) = ("suppress".to_owned(), entry.address.clone(), entry.added_ms);
    let (after, before) = (json!({ "entry": entry, "new": before.is_none() }), json!(before.as_slice()));
    AuditEntry { id: 0, at_ms, who: who.to_owned(), action, what, before, after }
}

/// Adds the entry of a report. What the same failure put there stays as it is: a report that comes
/// again confirms nothing.
pub(crate) fn suppress(shared: &SharedConnection, entry: &Suppressed) -> Result<ReportedEntry> {
    let entry = entry.clone();
    shared.write(move |db| put_reported(db, &entry))
}

/// The same within a transaction.
pub(super) fn put_reported(db: &Connection, entry: &Suppressed) -> rusqlite::Result<ReportedEntry> {
    let entry = &*normal(entry);
    if is_removed(db, entry)? {
        return Ok(ReportedEntry::Removed);
    }
    let before = find(db, &entry.address, &entry.sender_domain)?;
    let repeats = before.as_ref().is_some_and(|before| is_by_the_same_failure(before, entry));
    let is_known = !repeats && is_known(db, entry)?;
    if !repeats {
        put(db, entry, before.as_ref())?;
    }
    let is_new = !repeats && !is_known && is_first_entry(db, entry)?;
    Ok(if is_new { ReportedEntry::Written } else { ReportedEntry::Known })
}

/// Whether the same failure, from another source, has suppressed the address for another sender
/// domain: a log names that of the return path, a report that of From.
fn is_known(db: &Connection, entry: &Suppressed) -> rusqlite::Result<bool> {
    let Suppressed { address, sender_domain, grounds, .. } = entry;
    let known = "SELECT 1 FROM suppressions
        WHERE address = ?1 AND sender_domain <> ?2 AND bounce = ?3 AND bounce <> '' AND key <> ?4";
    db.prepare_cached(known)?.exists(params![address, sender_domain, grounds.bounce, grounds.key])
}

/// Adds entries that say more than the list does; tells what each is to the list.
pub(crate) fn import(
    shared: &SharedConnection,
    entries: Vec<Suppressed>,
    now_ms: i64,
) -> Result<Vec<ImportChange>> {
    let put_new = format!("{} ON CONFLICT DO NOTHING", put_into("INSERT", "suppressions"));
    shared.write(move |db| {
        let mut put_new = db.prepare_cached(&put_new)?;
        let add = |entry: &Suppressed| {
            let entry = &*normal(entry);
            // Of a long list, most are new.
            if execute(&mut put_new, entry)? > 0 {
                return Ok(ImportChange::New);
            }
            let before = find(db, &entry.address, &entry.sender_domain)?;
            let change = compare(before.as_ref(), entry, now_ms);
            if change != ImportChange::Same {
                put(db, entry, before.as_ref())?;
            }
            Ok(change)
        };
        entries.iter().map(add).collect()
    })
}

/// What `import` would do.
pub(crate) fn compare_all(
    shared: &SharedConnection,
    entries: &[Suppressed],
    now_ms: i64,
) -> Result<Vec<ImportChange>> {
    shared.read(|db| {
        let look = |entry: &Suppressed| {
            let entry = &*normal(entry);
            Ok(compare(find(db, &entry.address, &entry.sender_domain)?.as_ref(), entry, now_ms))
        };
        entries.iter().map(look).collect()
    })
}

fn compare(before: Option<&Suppressed>, entry: &Suppressed, now_ms: i64) -> ImportChange {
    let Some(before) = before.filter(|before| !before.has_expired(now_ms)) else { return ImportChange::New };
    let says_the_same = match before.source == entry.source {
        true => {
            let same_reason = entry.reason.is_empty() || entry.reason == before.reason;
            same_reason && entry.expires_ms == before.expires_ms
        }
        false => before.lasts_as_long_as(entry),
    };
    if says_the_same { ImportChange::Same } else { ImportChange::Changed }
}

/// Writes an entry. What it replaces is kept if somebody else made it, or an operator.
fn put(db: &Connection, entry: &Suppressed, before: Option<&Suppressed>) -> rusqlite::Result<()> {
    if before.is_some_and(|before| is_said_again(before, entry)) {
        return Ok(());
    }
    let entry = &*apart(entry, before);
    if let Some(before) = before.filter(|before| is_by_another(before, entry)) {
        insert(db, "earlier_suppressions", before)?;
        forget_oldest(db, before)?;
    }
    // What a report made, and makes again, is not among those that it replaces.
    let Suppressed { address, sender_domain, source, grounds, .. } = entry;
    const SAME: &str = "DELETE FROM earlier_suppressions
        WHERE address = ?1 AND sender_domain = ?2 AND source = ?3 AND key = ?4";
    db.prepare_cached(SAME)?.execute(params![address, sender_domain, source, grounds.key])?;
    insert(db, "suppressions", entry)
}

/// An operator says again what is on the list.
fn is_said_again(before: &Suppressed, entry: &Suppressed) -> bool {
    [before, entry].iter().all(|one| one.source == OPERATOR)
        && (&before.reason, before.expires_ms) == (&entry.reason, entry.expires_ms)
}

/// The entry, told apart from what operators put there before: that comes back when it is undone.
fn apart<'e>(entry: &'e Suppressed, before: Option<&Suppressed>) -> Cow<'e, Suppressed> {
    match entry.source == OPERATOR && before.is_some() && entry.grounds.key.is_empty() {
        true => {
            let grounds = Grounds { key: format!("~{:x}", entry.added_ms), ..entry.grounds.clone() };
            Cow::Owned(Suppressed { grounds, ..entry.clone() })
        }
        false => Cow::Borrowed(entry),
    }
}

/// An address that is reported again and again keeps its newest reports, and the newest entries of
/// operators. Soft bounces never push out a complaint or a hard bounce.
fn forget_oldest(db: &Connection, entry: &Suppressed) -> rusqlite::Result<()> {
    const ALIKE: &str = "address = ?1 AND sender_domain = ?2 AND source = ?6
        AND (source = 'operator' OR reason = ?3 AND (soft_bounces > 0) = ?4)";
    let forget = format!(
        "DELETE FROM earlier_suppressions WHERE {ALIKE} AND (source, key) NOT IN (SELECT source, key \
         FROM earlier_suppressions WHERE {ALIKE} ORDER BY {ENTRY_RANK} DESC, source DESC, key DESC LIMIT ?5)"
    );
    let Suppressed { address, sender_domain, reason, source, grounds, .. } = entry;
    let (is_soft, most) = (grounds.soft_bounces > 0, MOST_EARLIER);
    let of_it = params![address, sender_domain, reason, is_soft, most, source];
    db.prepare_cached(&forget)?.execute(of_it).map(drop)
}

/// Where these entries have left the list, the newest of those that they had replaced comes back.
/// An entry is named by address and sender domain.
pub(super) fn bring_back(db: &Connection, gone: &[(String, String)]) -> rusqlite::Result<()> {
    const OF_IT: &str = "address = ?1 AND sender_domain = ?2";
    for (address, sender_domain) in gone {
        let whose = [address, sender_domain];
        let back = format!(
            "INSERT OR IGNORE INTO suppressions ({COLUMNS}, pattern_of) SELECT {COLUMNS}, pattern_of
             FROM earlier_suppressions WHERE {OF_IT} ORDER BY {ENTRY_RANK} DESC, source DESC, key DESC LIMIT 1"
        );
        if db.prepare_cached(&back)?.execute(whose)? > 0 {
            let came = format!(
                "DELETE FROM earlier_suppressions WHERE {OF_IT} AND (source, key) =
                 (SELECT source, key FROM suppressions WHERE {OF_IT})"
            );
            db.prepare_cached(&came)?.execute(whose)?;
        }
    }
    Ok(())
}

fn is_by_another(before: &Suppressed, entry: &Suppressed) -> bool {
    before.source != entry.source || before.grounds.key != entry.grounds.key
}

/// Whether another report of the same failure made the entry.
fn is_by_the_same_failure(before: &Suppressed, entry: &Suppressed) -> bool {
    let is_the_same = before.source == entry.source
        && before.reason == entry.reason
        && !entry.grounds.bounce.is_empty()
        && before.grounds.bounce == entry.grounds.bounce;
    is_the_same && is_by_another(before, entry) && !before.has_expired(entry.added_ms)
}

pub(crate) fn insert(db: &Connection, table: &str, entry: &Suppressed) -> rusqlite::Result<()> {
    execute(&mut *db.prepare_cached(&put_into("INSERT OR REPLACE", table))?, entry).map(drop)
}

fn put_into(insert: &str, table: &str) -> String {
    format!(
        "{insert} INTO {table} ({COLUMNS}, pattern_of) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
    )
}

/// Runs what puts an entry into a table. Returns how many rows were written.
fn execute(put: &mut Statement<'_>, entry: &Suppressed) -> rusqlite::Result<usize> {
    let Suppressed { address, sender_domain, reason, source, added_ms, expires_ms, grounds } = entry;
    let Grounds { rule, provider, status, soft_bounces, key, bounce } = grounds;
    put.execute(params![
        address,
        sender_domain,
        reason,
        source,
        added_ms,
        expires_ms,
        rule,
        provider,
        status,
        soft_bounces,
        key,
        bounce,
        pattern_domain(address, source)
    ])
}

pub(crate) fn suppressions(
    shared: &SharedConnection,
    containing: &str,
    after: Option<&Suppressed>,
    now_ms: i64,
    most: usize,
) -> Result<Vec<Suppressed>> {
    shared.read(|db| {
        let mut select = db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM suppressions WHERE (address, sender_domain) > (?1, ?2)
             AND (expires_ms IS NULL OR expires_ms > ?3) AND instr(address, ?4) > 0
             ORDER BY address, sender_domain LIMIT ?5"
        ))?;
        let (address, sender_domain) = after.map_or(("", ""), |one| (&one.address, &one.sender_domain));
        let rows = select.query_map(
            params![address, sender_domain, now_ms, containing, i64::try_from(most).unwrap_or(i64::MAX)],
            row,
        )?;
        rows.collect()
    })
}

pub(crate) fn suppressed_count(shared: &SharedConnection, now_ms: i64) -> Result<u64> {
    // Counting without a condition reads no row, and what has expired is soon removed.
    const COUNT: &str = "SELECT (SELECT count(*) FROM suppressions)
        - (SELECT count(*) FROM suppressions WHERE expires_ms IS NOT NULL AND expires_ms <= ?1)";
    shared.read(|db| db.query_row(COUNT, [now_ms], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs))
}

/// The entry under the one form of its address.
fn normal(entry: &Suppressed) -> Cow<'_, Suppressed> {
    match without_needless_quotes(&entry.address) {
        Cow::Borrowed(_) => Cow::Borrowed(entry),
        Cow::Owned(address) => Cow::Owned(Suppressed { address, ..entry.clone() }),
    }
}

fn find(db: &Connection, address: &str, sender_domain: &str) -> rusqlite::Result<Option<Suppressed>> {
    db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM suppressions WHERE address = ?1 AND sender_domain = ?2"
    ))?
    .query_row(params![address, sender_domain], row)
    .optional()
}

pub(crate) fn row(row: &Row<'_>) -> rusqlite::Result<Suppressed> {
    Ok(Suppressed {
        address: row.get(0)?,
        sender_domain: row.get(1)?,
        reason: row.get(2)?,
        source: row.get(3)?,
        added_ms: row.get(4)?,
        expires_ms: row.get(5)?,
        grounds: Grounds {
            rule: row.get(6)?,
            provider: row.get(7)?,
            status: row.get(8)?,
            soft_bounces: row.get(9)?,
            key: row.get(10)?,
            bounce: row.get(11)?,
        },
    })
}

/// Removes these entries, except those that were added again since, with what the same source put
/// there before. An entry of another source comes back.
pub(crate) fn remove_unchanged(db: &Connection, entries: &[Suppressed]) -> rusqlite::Result<usize> {
    const REMOVE: &str =
        "DELETE FROM suppressions WHERE address = ?1 AND sender_domain = ?2 AND added_ms = ?3";
    const EARLIER: &str =
        "DELETE FROM earlier_suppressions WHERE address = ?1 AND sender_domain = ?2 AND source = ?3";
    let mut removed = Vec::new();
    for Suppressed { address, sender_domain, source, added_ms, .. } in entries {
        if db.prepare_cached(REMOVE)?.execute(params![address, sender_domain, added_ms])? > 0 {
            db.prepare_cached(EARLIER)?.execute([address, sender_domain, source])?;
            removed.push((address.clone(), sender_domain.clone()));
        }
    }
    bring_back(db, &removed)?;
    Ok(removed.len())
}
