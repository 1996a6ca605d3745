//! What is removed when its time has passed, in every group: the oldest first, in pieces, so that
//! others write in between.
//!
//! Not here: which entries come back in place of those that expired (`suppression_rows`).
//! Invariant: a transaction removes at most `PIECE` rows of each group; what remains when the time
//! is over waits for the next call.

use super::connection::SharedConnection;
use super::shared_ranks::ENTRY_RANK;
use super::suppression_rows::OPERATOR;
use super::{pending_rows, shared_rows, suppression_rows};
use crate::clock::DAY_MS;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::store::journal_entry::PendingStep;
use rusqlite::{Connection, params};
use std::time::Duration;

/// Finished messages and minutes: as long as bouncy-sink kept its minutes.
const FINISHED_MS: i64 = 10 * DAY_MS;
/// A parked step that no operator has cared for.
const PARKED_MS: i64 = 90 * DAY_MS;
/// Complaints that match nobody.
const UNMATCHED_MS: i64 = 90 * DAY_MS;
/// What people did.
const AUDIT_MS: i64 = 400 * DAY_MS;
/// The longest window in which a policy can count soft bounces.
const STRIKES_MS: i64 = 3650 * DAY_MS;
/// Rows of a group that one transaction removes.
pub(super) const PIECE: usize = 2000;
/// Between two transactions. SQLite tries every 100 ms to get the lock of another process.
const PAUSE: Duration = Duration::from_millis(120);

/// Rows of a table that expire.
struct Group {
    table: &'static str,
    /// The columns of the primary key.
    key: &'static str,
    /// The column that says how old a row is, or when its time is over.
    time: &'static str,
    before: i64,
}

/// Returns the steps that were given up.
pub(crate) fn purge(shared: &SharedConnection, now_ms: i64, deadline: Deadline) -> Result<Vec<PendingStep>> {
    let mut given_up = Vec::new();
    while purge_piece(shared, now_ms, &mut given_up)? && !deadline.passed() {
        std::thread::sleep(PAUSE);
    }
    Ok(given_up)
}

/// Returns whether there may be more.
fn purge_piece(shared: &SharedConnection, now_ms: i64, given_up: &mut Vec<PendingStep>) -> Result<bool> {
    let parked = pending_rows::parked_before(shared, now_ms - PARKED_MS, PIECE)?;
    if !parked.is_empty() {
        pending_rows::visit(shared, &mut |step| {
            if step.state == "parked" && parked.contains(&step.key) {
                given_up.push(pending_rows::parked_for_too_long(step));
            }
            Ok(true)
        })?;
    }
    shared.write(move |db| {
        pending_rows::give_up_parked(db, &parked)?;
        let mut most = parked.len().max(finished(db, now_ms - FINISHED_MS)?);
        forget_replaced(db, now_ms)?;
        // Other hosts let the same rows expire.
        let expired = shared_rows::silently(db, || {
            let mut most = 0;
            for group in groups(now_ms) {
                most = most.max(group.remove(db)?);
            }
            // What has expired among those that were replaced does not come back.
            Ok(most.max(suppressions(db, now_ms)?))
        })?;
        most = most.max(expired);
        Ok(most >= PIECE)
    })
}

fn groups(now_ms: i64) -> [Group; 7] {
    let group = |table, key, time, before| Group { table, key, time, before };
    [
        group("series", "minute", "minute", (now_ms - FINISHED_MS) / 1000),
        group("audit", "id", "at_ms", now_ms - AUDIT_MS),
        group("memory", "name", "expires_ms", now_ms),
        group("earlier_suppressions", "address, sender_domain, source, key", "expires_ms", now_ms),
        group("reported", "event, id", "until_ms", now_ms),
        group("unmatched_complaints", "id", "at_ms", now_ms - UNMATCHED_MS),
        group("strikes", "address, sender_domain, key", "at_ms", now_ms - STRIKES_MS),
    ]
}

impl Group {
    /// Removes the oldest; returns how many.
    fn remove(&self, db: &Connection) -> rusqlite::Result<usize> {
        let Group { table, key, time, before } = self;
        let oldest = format!("SELECT {key} FROM {table} WHERE {time} < ?1 ORDER BY {time} LIMIT {PIECE}");
        db.execute(&format!("DELETE FROM {table} WHERE ({key}) IN ({oldest})"), [before])
    }
}

/// Messages and their steps.
fn finished(db: &Connection, before_ms: i64) -> rusqlite::Result<usize> {
    let oldest = "SELECT key FROM journal WHERE state = 'finished' AND at_ms < ?1 ORDER BY at_ms LIMIT ?2";
    let keys: Vec<String> = db
        .prepare(oldest)?
        .query_map((before_ms, PIECE as i64), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut steps = db.prepare("DELETE FROM steps WHERE key = ?1")?;
    let mut message = db.prepare("DELETE FROM journal WHERE key = ?1")?;
    for key in &keys {
        steps.execute([key])?;
        message.execute([key])?;
    }
    Ok(keys.len())
}

/// After the term of an operator's entry, what operators said before it does not hold again. Of
/// that, the shared store knows no term.
fn forget_replaced(db: &Connection, now_ms: i64) -> rusqlite::Result<usize> {
    const FORGET: &str =
        "DELETE FROM earlier_suppressions WHERE address = ?1 AND sender_domain = ?2 AND source = ?3";
    let mut forgotten = 0;
    for table in ["suppressions", "earlier_suppressions"] {
        let ended = format!(
            "SELECT address, sender_domain, {ENTRY_RANK}, source, key FROM {table} WHERE expires_ms < ?1
             ORDER BY expires_ms LIMIT {PIECE}"
        );
        let forget = format!("{FORGET} AND ({ENTRY_RANK}, key) < (?4, ?5)");
        let (mut ended, mut forget) = (db.prepare_cached(&ended)?, db.prepare_cached(&forget)?);
        let mut rows = ended.query([now_ms])?;
        let mut work = Vec::new();
        while let Some(row) = rows.next()? {
            if row.get_ref(3)?.as_str()? == OPERATOR {
                let (address, sender_domain, key): (String, String, String) =
                    (row.get(0)?, row.get(1)?, row.get(4)?);
                work.push((address, sender_domain, row.get::<_, i64>(2)?, key));
            }
        }
        for (address, sender_domain, rank, key) in work {
            forgotten += forget.execute(params![address, sender_domain, OPERATOR, rank, key])?;
        }
    }
    Ok(forgotten)
}

fn suppressions(db: &Connection, now_ms: i64) -> rusqlite::Result<usize> {
    let gone = format!(
        "DELETE FROM suppressions WHERE (address, sender_domain) IN
         (SELECT address, sender_domain FROM suppressions WHERE expires_ms < ?1 ORDER BY expires_ms LIMIT {PIECE})
         RETURNING address, sender_domain"
    );
    let gone = db
        .prepare(&gone)?
        .query_map([now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
    suppression_rows::bring_back(db, &gone)?;
    Ok(gone.len())
}
