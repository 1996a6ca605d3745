//! Rows as facts that hosts share, and facts of other hosts as rows.
//!
//! Kinds, by the first letter of the name: `s` a suppression (address, sender domain, source, key),
//! in force or replaced; `b` a soft bounce (address, sender domain, what bounced); `r` a report
//! that took effect (event, id); `t` whether a host is a tracker. Not here: which version is kept
//! (`store/shared_fact`), and what is shipped (`shared_rows`). Invariant: what is taken over is not
//! noted as a change of this host.

use super::counted_once::LostClaim;
use super::shared_ranks::{place_of, rank_of};
use super::suppression_rows::{self, COLUMNS, bring_back};
use super::{report_rows, strike_threshold};
use crate::digest;
use crate::plan::Grounds;
use crate::store::shared_fact::{FactVersion, SharedFact, rank_of_claim, rank_of_time};
use crate::store::suppressed::Suppressed;
use crate::store::suppression_target::pattern_domain;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

/// What a suppression is found by.
const REGISTER: &str = "address = ?1 AND sender_domain = ?2 AND source = ?3 AND key = ?4";

/// The parts of a name after its kind; missing ones are empty.
fn parts<const N: usize>(name: &str) -> [&str; N] {
    let mut parts = name.get(1..).unwrap_or_default().splitn(N, '\n');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

fn joined(fields: &[&str]) -> String {
    let fields: Vec<String> = fields.iter().map(|field| field.replace('\n', " ")).collect();
    fields.join("\n").trim_end_matches('\n').to_owned()
}

fn fields<const N: usize>(content: &str) -> [&str; N] {
    let mut fields = content.splitn(N, '\n');
    std::array::from_fn(|_| fields.next().unwrap_or_default())
}

fn number(text: &str) -> Option<i64> {
    i64::from_str_radix(text, 16).ok()
}

/// A content, and when it was made or ends, of which the rank of a fact without a stamp is made.
pub(super) struct RowContent {
    pub(super) content: String,
    at_ms: i64,
}

impl RowContent {
    /// The version of a fact that is older than sharing.
    pub(super) fn version(&self, name: &str) -> FactVersion {
        let rank = match name.as_bytes().first() {
            Some(b'r') => rank_of_claim(self.at_ms),
            // When it was asked is not known, only when it ends.
            Some(b't') => 0,
            _ => rank_of_time(self.at_ms),
        };
        FactVersion { rank, host: digest::sha256_number(self.content.as_bytes()) as u32 }
    }
}

/// The version of a fact with this content, if it is older than sharing.
pub(super) fn version_before_sharing(name: &str, content: &str) -> Option<FactVersion> {
    let [at_ms] = fields(content.split('\n').next()?);
    Some(RowContent { content: content.to_owned(), at_ms: number(at_ms)? }.version(name))
}

pub(super) fn suppression(entry: &Suppressed) -> RowContent {
    let Grounds { rule, provider, status, soft_bounces, bounce, .. } = &entry.grounds;
    let (added, expires) =
        (format!("{:x}", entry.added_ms), entry.expires_ms.map(|at_ms| format!("{at_ms:x}")));
    let soft = if *soft_bounces > 0 { soft_bounces.to_string() } else { String::new() };
    let expires = expires.unwrap_or_default();
    let content = joined(&[&added, &entry.reason, &expires, rule, provider, status, &soft, bounce]);
    RowContent { content, at_ms: entry.added_ms }
}

pub(super) fn suppression_name(entry: &Suppressed) -> String {
    let Suppressed { address, sender_domain, source, grounds, .. } = entry;
    format!("s{address}\n{sender_domain}\n{source}\n{}", grounds.key)
}

/// `at_ms`, key, bounce, logged.
pub(super) fn strike(row: &Row<'_>, from: usize) -> rusqlite::Result<RowContent> {
    let (at_ms, key): (i64, String) = (row.get(from)?, row.get(from + 1)?);
    let (bounce, logged): (Option<String>, bool) = (row.get(from + 2)?, row.get(from + 3)?);
    let named = if bounce.is_some() { "1" } else { "" };
    let content = joined(&[&format!("{at_ms:x}"), &key, named, if logged { "1" } else { "" }]);
    Ok(RowContent { content, at_ms })
}

/// Key, `until_ms`, address. Of whom the report is about, other hosts hear a digest.
pub(super) fn report(row: &Row<'_>, from: usize) -> rusqlite::Result<RowContent> {
    let (key, until_ms): (String, i64) = (row.get(from)?, row.get(from + 1)?);
    let digest = report_rows::digest_in(row.get_ref(from + 2)?.as_str()?);
    Ok(RowContent { content: joined(&[&format!("{until_ms:x}"), &key, &digest]), at_ms: until_ms })
}

/// Value, `expires_ms`.
pub(super) fn tracker(row: &Row<'_>, from: usize) -> rusqlite::Result<RowContent> {
    let (value, expires_ms): (i64, i64) = (row.get(from)?, row.get(from + 1)?);
    Ok(RowContent { content: joined(&[&format!("{expires_ms:x}"), &value.to_string()]), at_ms: expires_ms })
}

/// What the tables say of a fact.
pub(super) fn content(db: &Connection, name: &str) -> rusqlite::Result<Option<RowContent>> {
    match name.as_bytes().first() {
        Some(b's') => {
            let [address, sender_domain, source, key] = parts(name);
            for table in ["suppressions", "earlier_suppressions"] {
                let select = format!("SELECT {COLUMNS} FROM {table} WHERE {REGISTER}");
                let register = [address, sender_domain, source, key];
                let found =
                    db.prepare_cached(&select)?.query_row(register, suppression_rows::row).optional()?;
                if let Some(found) = found {
                    return Ok(Some(suppression(&found)));
                }
            }
            Ok(None)
        }
        Some(b'b') => {
            let [address, sender_domain, what] = parts(name);
            let select =
                "SELECT at_ms, key, bounce, logged FROM strikes WHERE address = ?1 AND sender_domain = ?2
                AND proven AND coalesce(bounce, key) = ?3 ORDER BY at_ms LIMIT 1";
            let bounce = [address, sender_domain, what];
            db.prepare_cached(select)?.query_row(bounce, |row| strike(row, 0)).optional()
        }
        Some(b'r') => {
            let [event, id] = parts(name);
            let select = "SELECT key, until_ms, address FROM reported WHERE event = ?1 AND id = ?2";
            db.prepare_cached(select)?.query_row([event, id], |row| report(row, 0)).optional()
        }
        Some(b't') => {
            let [host] = parts(name);
            let select = "SELECT value, expires_ms FROM memory WHERE name = ?1";
            db.prepare_cached(select)?.query_row([host], |row| tracker(row, 0)).optional()
        }
        _ => Ok(None),
    }
}

/// What was known of a fact before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// A version of this host.
    Own,
    /// A version of another host, or from before sharing.
    Other,
}

/// Makes the rows say what a fact of another host says. What has expired is not there any more.
pub(super) fn put(db: &Connection, fact: &SharedFact, before: Before, now_ms: i64) -> rusqlite::Result<()> {
    let content = fact.content.as_deref();
    match fact.name.as_bytes().first() {
        Some(b's') => put_suppression(db, fact, before, now_ms),
        Some(b'b') => put_strike(db, fact),
        Some(b'r') => put_report(db, &fact.name, content, before, now_ms),
        Some(b't') => put_tracker(db, &fact.name, content, now_ms),
        _ => Ok(()),
    }
}

fn put_suppression(db: &Connection, fact: &SharedFact, before: Before, now_ms: i64) -> rusqlite::Result<()> {
    let [address, sender_domain, source, key] = parts(&fact.name);
    let register = [address, sender_domain, source, key];
    let mut gone = 0;
    if before != Before::Nothing {
        db.prepare_cached(&format!("DELETE FROM earlier_suppressions WHERE {REGISTER}"))?
            .execute(register)?;
        gone = db.prepare_cached(&format!("DELETE FROM suppressions WHERE {REGISTER}"))?.execute(register)?;
    }
    let whose = (address.to_owned(), sender_domain.to_owned());
    let Some(entry) = fact.content.as_deref().and_then(|content| entry(register, content)) else {
        return if gone > 0 { bring_back(db, &[whose]) } else { Ok(()) };
    };
    if entry.has_expired(now_ms) {
        return if gone > 0 { bring_back(db, &[whose]) } else { Ok(()) };
    }
    let select = format!("SELECT {COLUMNS} FROM suppressions WHERE address = ?1 AND sender_domain = ?2");
    let other =
        db.prepare_cached(&select)?.query_row([address, sender_domain], suppression_rows::row).optional()?;
    // Whoever hears of both, in either order, finds the newer one in force.
    let place = place_of(fact.version.rank, &entry);
    match other {
        Some(other) if place_of(rank_of(db, &other)?, &other) > place => {
            suppression_rows::insert(db, "earlier_suppressions", &entry)
        }
        other => {
            if let Some(other) = other {
                suppression_rows::insert(db, "earlier_suppressions", &other)?;
            }
            suppression_rows::insert(db, "suppressions", &entry)
        }
    }
}

/// Adds suppressions of which nothing is known: neither the address nor the fact.
pub(super) struct UnknownEntries<'d> {
    add: CachedStatement<'d>,
    is_noted: CachedStatement<'d>,
    /// No fact has a stamp, and no entry has replaced another one: only the list is asked.
    pub(super) nothing_noted: bool,
}

impl<'d> UnknownEntries<'d> {
    pub(super) fn new(db: &'d Connection) -> rusqlite::Result<UnknownEntries<'d>> {
        // Not from a SELECT: as there are triggers, SQLite would make a table for each of its rows.
        let add = "INSERT OR IGNORE INTO suppressions (address, sender_domain, source, key, added_ms,
            reason, expires_ms, rule, provider, status, soft_bounces, bounce, pattern_of)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let is_noted = "SELECT 1 FROM shared_stamps WHERE name = ?1 UNION ALL
            SELECT 1 FROM earlier_suppressions WHERE address = ?2 AND sender_domain = ?3";
        let are_noted =
            "SELECT EXISTS (SELECT 1 FROM shared_stamps) OR EXISTS (SELECT 1 FROM earlier_suppressions)";
        Ok(UnknownEntries {
            add: db.prepare_cached(add)?,
            is_noted: db.prepare_cached(is_noted)?,
            nothing_noted: db.query_row(are_noted, [], |row| row.get(0).map(|noted: bool| !noted))?,
        })
    }

    /// Returns whether the fact was one, and is on the list now.
    pub(super) fn add(&mut self, fact: &SharedFact, now_ms: i64) -> rusqlite::Result<bool> {
        let Some(content) = fact.content.as_deref().filter(|_| fact.name.starts_with('s')) else {
            return Ok(false);
        };
        let [address, sender_domain, source, key] = parts(&fact.name);
        let [added, reason, expires, rule, provider, status, soft, bounce] = fields(content);
        let (Some(added_ms), expires_ms) = (number(added), number(expires)) else { return Ok(false) };
        if expires_ms.is_some_and(|at_ms| at_ms <= now_ms) {
            return Ok(false);
        }
        if !self.nothing_noted && self.is_noted.exists([&fact.name, address, sender_domain])? {
            return Ok(false);
        }
        let (soft_bounces, pattern_of) = (soft.parse().unwrap_or(0_u32), pattern_domain(address, source));
        let added = self.add.execute(params![
            address,
            sender_domain,
            source,
            key,
            added_ms,
            reason,
            expires_ms,
            rule,
            provider,
            status,
            soft_bounces,
            bounce,
            pattern_of
        ])?;
        Ok(added > 0)
    }
}

fn entry(register: [&str; 4], content: &str) -> Option<Suppressed> {
    let [address, sender_domain, source, key] = register.map(str::to_owned);
    let [added, reason, expires, rule, provider, status, soft, bounce] = fields(content);
    let texts = [rule, provider, status, bounce].map(str::to_owned);
    let [rule, provider, status, bounce] = texts;
    let soft_bounces = soft.parse().unwrap_or(0);
    let grounds = Grounds { rule, provider, status, soft_bounces, key, bounce };
    let (reason, added_ms, expires_ms) = (reason.to_owned(), number(added)?, number(expires));
    Some(Suppressed { address, sender_domain, reason, source, added_ms, expires_ms, grounds })
}

fn put_strike(db: &Connection, fact: &SharedFact) -> rusqlite::Result<()> {
    let [address, sender_domain, what] = parts(&fact.name);
    let forget =
        "DELETE FROM strikes WHERE address = ?1 AND sender_domain = ?2 AND coalesce(bounce, key) = ?3";
    db.prepare_cached(forget)?.execute([address, sender_domain, what])?;
    let Some(content) = fact.content.as_deref() else { return Ok(()) };
    let [at_ms, key, named, logged] = fields(content);
    let Some(at_ms) = number(at_ms) else { return Ok(()) };
    let bounce = (named == "1").then_some(what);
    let put = "INSERT OR REPLACE INTO strikes (address, sender_domain, key, at_ms, proven, bounce, logged)
        VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)";
    let values = params![address, sender_domain, key, at_ms, bounce, logged == "1"];
    db.prepare_cached(put)?.execute(values)?;
    strike_threshold::reached_together(db, [address, sender_domain], (fact.version.rank, what))
}

/// A row that names a time to come, of a host whose clock was ahead, is of now, and lasts as long.
pub(super) fn set_right(db: &Connection, name: &str, now_ms: i64) -> rusqlite::Result<()> {
    let [address, sender_domain, source, key] = parts(name);
    match name.as_bytes().first() {
        Some(b's') => ["suppressions", "earlier_suppressions"].into_iter().try_for_each(|table| {
            let right = format!(
                "UPDATE {table} SET added_ms = ?5, expires_ms = expires_ms - (added_ms - ?5)
                 WHERE {REGISTER} AND added_ms > ?5"
            );
            let row = params![address, sender_domain, source, key, now_ms];
            db.prepare_cached(&right)?.execute(row).map(drop)
        }),
        Some(b'b') => {
            let right = "UPDATE strikes SET at_ms = ?4 WHERE address = ?1 AND sender_domain = ?2
                AND coalesce(bounce, key) = ?3 AND at_ms > ?4";
            db.prepare_cached(right)?.execute(params![address, sender_domain, source, now_ms]).map(drop)
        }
        _ => Ok(()),
    }
}

fn put_report(
    db: &Connection,
    name: &str,
    content: Option<&str>,
    before: Before,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let [event, id] = parts(name);
    let Some(content) = content else {
        let forget = "DELETE FROM reported WHERE event = ?1 AND id = ?2";
        return db.prepare_cached(forget)?.execute([event, id]).map(drop);
    };
    let [until_ms, key, digest] = fields(content);
    let Some(until_ms) = number(until_ms).filter(|until_ms| *until_ms > now_ms) else { return Ok(()) };
    // The same report may come back without its address, which was erased.
    let known = "SELECT key, address FROM reported WHERE event = ?1 AND id = ?2";
    let known: Option<(String, String)> =
        db.prepare_cached(known)?.query_row([event, id], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    if before == Before::Own
        && let Some((own, address)) = known.filter(|(own, _)| own != key)
    {
        LostClaim { event, id, key: &own, address: &address }.take_back(db)?;
    }
    let put =
        "INSERT OR REPLACE INTO reported (event, id, address, key, until_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    let address = report_rows::digested(digest);
    db.prepare_cached(put)?.execute(params![event, id, address, key, until_ms]).map(drop)
}

fn put_tracker(db: &Connection, name: &str, content: Option<&str>, now_ms: i64) -> rusqlite::Result<()> {
    let ([host], [expires_ms, value]) = (parts(name), fields(content.unwrap_or_default()));
    let Some(expires_ms) = number(expires_ms).filter(|expires_ms| *expires_ms > now_ms) else {
        return Ok(());
    };
    let put = "INSERT OR REPLACE INTO memory (name, value, expires_ms) VALUES (?1, ?2, ?3)";
    db.prepare_cached(put)?.execute(params![host, value == "1", expires_ms]).map(drop)
}
