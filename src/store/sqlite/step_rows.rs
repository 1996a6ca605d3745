//! The rows of steps under way: claimed, settled and released.
//!
//! Whoever claims steps first puts on record what ended while the store was locked. Not here: what
//! the steps mean (`crate::journal`), how they are written down (`promise_rows`), and how long a
//! settle is tried (`settling`). Invariant: a step changes from `pending` to its end once, and its
//! counters change in the same transaction.

use super::connection::SharedConnection;
use super::due_messages::READY;
use super::holder::Holders;
use super::unsettled_steps::UnsettledSteps;
use super::{counter_rows, due_messages};
use crate::clock::{self, DAY_MS};
use crate::error::Result;
use crate::mail::{Content, Key, Mail, MessageFile};
use crate::memory::MemoryBudget;
use crate::plan::{Plan, StepEnd};
use crate::store::journal_entry::{Claimed, DueSteps, Performed};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// How long a file of unsettled steps is known after it was taken in.
const TAKEN_IN_MS: i64 = 90 * DAY_MS;

/// The end in the column `state`, and the time in `due_ms` if there is another try.
pub(super) fn state_of(end: StepEnd) -> (&'static str, Option<i64>) {
    let due_ms = match end {
        StepEnd::Later { at_ms } | StepEnd::Held { at_ms } => Some(at_ms),
        _ => None,
    };
    (end.word(), due_ms)
}

pub(crate) fn claim(
    shared: &SharedConnection,
    keys: &[&str],
    now_ms: i64,
    lease_ms: i64,
) -> Result<Vec<Vec<usize>>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    write_settled(shared, move |db| keys.iter().map(|key| claim_steps(db, key, now_ms, lease_ms)).collect())
}

/// Puts on record, within a transaction, how steps ended while the store was locked. A file is
/// taken in once, whoever does it and wherever it is killed: its name is on record with what it
/// says. Returns the names of what is to be dropped after the commit.
pub(super) fn take_in(db: &Connection, unsettled: &UnsettledSteps) -> rusqlite::Result<Vec<String>> {
    const ONCE: &str = "INSERT OR IGNORE INTO memory (name, value, expires_ms) VALUES (?1, 1, ?2)";
    let mut names = Vec::new();
    for (name, steps) in unsettled.kept() {
        let at_ms = steps.iter().map(|step| step.at_ms).max().unwrap_or(0);
        let mark = format!("unsettled {name}");
        if db.prepare_cached(ONCE)?.execute(params![mark, at_ms + TAKEN_IN_MS])? > 0 {
            for step in &steps {
                settle_step(db, &step.key, step.step, &step.done(), step.at_ms)?;
                finish(db, &step.key)?;
            }
            tracing::info!(
                name,
                steps = steps.len(),
                "steps that ended while the store was locked are on record"
            );
        }
        names.push(name);
    }
    Ok(names)
}

/// Writes after all that has ended is on record.
fn write_settled<T: Send + Sync + 'static>(
    shared: &SharedConnection,
    operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T> {
    let unsettled = shared.unsettled().clone();
    let (taken, done) = shared.write(move |db| Ok((take_in(db, &unsettled)?, operation(db)?)))?;
    shared.unsettled().drop_taken(&taken);
    Ok(done)
}

pub(crate) fn claim_message(
    shared: &SharedConnection,
    key: &str,
    now_ms: i64,
    lease_ms: i64,
) -> Result<Option<DueSteps>> {
    let (key, holders, this) = (key.to_owned(), shared.holders().clone(), shared.holders().this_process()?);
    write_settled(shared, move |db| {
        let select = "SELECT owner FROM journal WHERE key = ?1";
        let owned: Option<Option<String>> = db.query_row(select, [&key], |row| row.get(0)).optional()?;
        match owned.flatten() {
            Some(other) if holders.is_gone(&other) => release_leases(db, &key)?,
            Some(other) if other != this => return Ok(None),
            _ => {}
        }
        let steps = claim_steps(db, &key, now_ms, lease_ms)?;
        if steps.is_empty() {
            return Ok(None);
        }
        own(db, &key, &this)?;
        Ok(match due_steps(db, &key, steps)? {
            Due::Steps(due) => Some(*due),
            Due::Damaged | Due::Without => None,
        })
    })
}

pub(crate) fn claim_due(
    shared: &SharedConnection,
    now_ms: i64,
    lease_ms: i64,
    limit: usize,
    bytes: u64,
) -> Result<Claimed> {
    let (holders, this) = (shared.holders().clone(), shared.holders().this_process()?);
    write_settled(shared, move |db| {
        release_the_dead(db, &holders)?;
        let keys = due_messages::keys(db, now_ms, lease_ms, limit)?;
        let mut claimed = Claimed { due: Vec::with_capacity(keys.len()), damaged: Vec::new() };
        let mut left = bytes;
        for key in keys {
            match left.checked_sub(MemoryBudget::needed_by(due_messages::size(db, &key)?)) {
                Some(rest) => left = rest,
                None => break,
            }
            let steps = claim_steps(db, &key, now_ms, lease_ms)?;
            own(db, &key, &this)?;
            match due_steps(db, &key, steps)? {
                Due::Steps(due) => claimed.due.push(*due),
                Due::Damaged => claimed.damaged.push(key),
                Due::Without => {}
            }
        }
        Ok(claimed)
    })
}

pub(crate) fn release(shared: &SharedConnection, left: &[(&str, &Arc<Vec<u8>>)]) -> Result<()> {
    if left.is_empty() {
        return Ok(());
    }
    let left: Vec<(String, Arc<Vec<u8>>)> =
        left.iter().map(|(key, raw)| ((*key).to_owned(), (*raw).clone())).collect();
    let this = shared.holders().this_process()?;
    shared.write(move |db| {
        for (key, raw) in &left {
            copy_message(db, key, raw)?;
            give_up(db, key, &this)?;
        }
        Ok(())
    })
}

/// The same for messages with steps that are leased to this process.
pub(crate) fn give_back(shared: &SharedConnection, keys: Vec<String>) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let this = shared.holders().this_process()?;
    shared.write(move |db| keys.iter().try_for_each(|key| give_up(db, key, &this)))
}

/// Keeps a message whose steps somebody else may be doing.
pub(crate) fn take_source(shared: &SharedConnection, key: &str, raw: &Arc<Vec<u8>>) -> Result<()> {
    let (key, raw) = (key.to_owned(), raw.clone());
    shared.write(move |db| copy_message(db, &key, &raw))
}

/// A message and its steps are not this process's any more.
fn give_up(db: &Connection, key: &str, this: &str) -> rusqlite::Result<()> {
    let mut release = db.prepare_cached("UPDATE journal SET owner = NULL WHERE key = ?1 AND owner = ?2")?;
    match release.execute([key, this])? {
        0 => Ok(()),
        _ => release_leases(db, key),
    }
}

/// Copies a message into its row if that names a file, which the caller can remove then.
fn copy_message(db: &Connection, key: &str, raw: &[u8]) -> rusqlite::Result<()> {
    let in_file =
        db.prepare_cached("SELECT 1 FROM journal WHERE key = ?1 AND file IS NOT NULL")?.exists([key])?;
    if in_file {
        db.prepare_cached("UPDATE journal SET message = ?2, file = NULL WHERE key = ?1")?
            .execute(params![key, raw])?;
    }
    Ok(())
}

fn claim_steps(db: &Connection, key: &str, now_ms: i64, lease_ms: i64) -> rusqlite::Result<Vec<usize>> {
    let sql = format!("UPDATE steps SET lease_ms = ?3 WHERE key = ?1 AND {READY} RETURNING step");
    let mut update = db.prepare_cached(&sql)?;
    let rows = update.query_map(params![key, now_ms, now_ms + lease_ms], |row| row.get::<_, i64>(0))?;
    let mut steps = rows.map(|step| step.map(|step| step as usize)).collect::<rusqlite::Result<Vec<_>>>()?;
    steps.sort_unstable();
    Ok(steps)
}

/// Makes this process the owner of the message. If the process is killed, others can claim its
/// steps before the lease ends.
fn own(db: &Connection, key: &str, this: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE journal SET owner = ?2 WHERE key = ?1")?.execute(params![key, this])?;
    Ok(())
}

fn release_leases(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE steps SET lease_ms = 0 WHERE key = ?1 AND state = 'pending'")?
        .execute([key])?;
    Ok(())
}

/// Frees the steps of processes that have died. Leases are for processes that hang.
fn release_the_dead(db: &Connection, holders: &Holders) -> rusqlite::Result<()> {
    // Each owner once, however many messages it has: one look into the index for each.
    const NEXT: &str = "SELECT min(owner) FROM journal WHERE owner IS NOT NULL AND owner > ?1";
    let mut owner = String::new();
    let mut next = db.prepare_cached(NEXT)?;
    while let Some(other) = next.query_row([&owner], |row| row.get::<_, Option<String>>(0))? {
        if holders.is_gone(&other) {
            db.prepare_cached(
                "UPDATE steps SET lease_ms = 0 WHERE state = 'pending' AND lease_ms > 0
                 AND key IN (SELECT key FROM journal WHERE owner = ?1)",
            )?
            .execute([&other])?;
            db.prepare_cached("UPDATE journal SET owner = NULL WHERE owner = ?1")?.execute([&other])?;
        }
        owner = other;
    }
    Ok(())
}

/// What is needed to do steps.
enum Due {
    Steps(Box<DueSteps>),
    /// The promise cannot be read.
    Damaged,
    /// The message cannot be read.
    Without,
}

fn due_steps(db: &Connection, key: &str, steps: Vec<usize>) -> rusqlite::Result<Due> {
    let attempts: Option<u32> =
        db.query_row("SELECT max(attempts) FROM steps WHERE key = ?1 AND state = 'pending'", [key], |row| {
            row.get(0)
        })?;
    let select =
        "SELECT envelope, plan, message, seed, at_ms, file, begins, kept_copy FROM journal WHERE key = ?1";
    let read = |row: &Row<'_>| -> rusqlite::Result<Due> {
        let (Some(envelope), Some(plan)) = (read_json(row, 0), read_json::<Plan>(row, 1)) else {
            tracing::error!(key, "the promise is damaged; drop its steps with `carom outbox drop`");
            return Ok(Due::Damaged);
        };
        let known = steps.iter().copied().filter(|step| *step < plan.steps.len()).collect();
        let Some(raw) = message(row)? else { return Ok(Due::Without) };
        let mail = Mail {
            content: Content::read(Arc::new(raw)),
            envelope,
            key: Key::on_record(key.to_owned()),
            seed: row.get::<_, String>(3)?.parse().unwrap_or_default(),
            at_ms: row.get(4)?,
            keep: row.get::<_, Option<String>>(7)?.and_then(|kept| serde_json::from_str(&kept).ok()),
            file: None,
        };
        Ok(Due::Steps(Box::new(DueSteps { mail, plan, steps: known, attempts: attempts.unwrap_or(0) })))
    };
    db.query_row(select, [key], read)
}

/// A column that holds JSON; `None`: it is damaged.
pub(super) fn read_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Option<T> {
    row.get_ref(column).ok()?.as_str().ok().and_then(|text| serde_json::from_str(text).ok())
}

/// The bytes of a message, from its row or its file. `None`: the file cannot be read. The steps
/// wait until their lease ends.
fn message(row: &Row<'_>) -> rusqlite::Result<Option<Vec<u8>>> {
    let Some(path) = row.get::<_, Option<String>>(5)? else {
        return row.get::<_, Option<Vec<u8>>>(2).map(|raw| Some(raw.unwrap_or_default()));
    };
    let file = MessageFile { path, begins: row.get::<_, i64>(6)?.unsigned_abs() };
    Ok(file.read().inspect_err(|error| tracing::error!(%error, file = file.path,
        "the file of a message with pending steps cannot be read; put it back, or drop the steps with `carom outbox`")).ok())
}

pub(crate) fn settle_step(
    db: &Connection,
    key: &str,
    step: usize,
    done: &Performed,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let (state, due_ms) = state_of(done.end);
    let tries = i64::from(!matches!(done.end, StepEnd::Held { .. }));
    let update = "UPDATE steps SET state = ?3, due_ms = coalesce(?4, due_ms), lease_ms = 0, attempts = attempts + ?6, note = ?5
        WHERE key = ?1 AND step = ?2 AND state = 'pending'";
    let values = params![key, step as i64, state, due_ms, done.note, tries];
    let changed = db.prepare_cached(update)?.execute(values)?;
    if changed == 0 {
        return Ok(());
    }
    counter_rows::add(db, &done.tally, now_ms, false)
}

/// Skips the steps that waited for another end of an earlier step, and the steps after them: they
/// never run. Older releases wrote `failed` for `noted` and `given up`. Returns whether there were
/// any.
fn skip(db: &Connection, key: &str) -> rusqlite::Result<bool> {
    const SKIP: &str =
        "UPDATE steps SET state = 'skipped', lease_ms = 0 WHERE key = ?1 AND state = 'pending' AND EXISTS (
        SELECT 1 FROM steps AS earlier WHERE earlier.key = ?1 AND earlier.step = steps.after AND
        (earlier.state = 'skipped' OR (steps.outcome = 'succeeded' AND earlier.state IN ('noted', 'given up', 'failed', 'parked'))
         OR (steps.outcome = 'failed' AND earlier.state = 'succeeded')))";
    let mut skip = db.prepare_cached(SKIP)?;
    let mut any = false;
    while skip.execute([key])? > 0 {
        any = true;
    }
    Ok(any)
}

/// To be called after steps have ended: skips those that waited for another end, and drops the
/// message when no step is pending. The promise stays open while a step is parked. Returns whether
/// nothing is left to do.
pub(crate) fn finish(db: &Connection, key: &str) -> rusqlite::Result<bool> {
    const FINISH: &str = "UPDATE journal SET state = 'finished', owner = NULL, message = NULL, file = NULL, at_ms = max(at_ms, ?2) WHERE key = ?1 AND NOT EXISTS (
        SELECT 1 FROM steps WHERE steps.key = ?1 AND steps.state IN ('pending', 'parked'))";
    const PARK: &str =
        "UPDATE journal SET owner = NULL, message = NULL, file = NULL WHERE key = ?1 AND NOT EXISTS (
        SELECT 1 FROM steps WHERE steps.key = ?1 AND steps.state = 'pending')";
    let mut finish = db.prepare_cached(FINISH)?;
    let now_ms = clock::now_ms();
    // Mostly, all have ended: the other statements are not prepared then.
    if finish.execute(params![key, now_ms])? > 0
        || skip(db, key)? && finish.execute(params![key, now_ms])? > 0
    {
        return Ok(true);
    }
    db.prepare_cached(PARK)?.execute([key])?;
    Ok(false)
}
