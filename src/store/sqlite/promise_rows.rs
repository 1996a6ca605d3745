//! The rows of promises and their steps: writes, claims, settles and forgets them.
//!
//! Not here: what the steps mean (`crate::journal`). Invariant: a step changes from `pending` to
//! its end once, and its counters change in the same transaction.

use super::connection::SharedConnection;
use super::{counter_rows, holder};
use crate::clock;
use crate::error::{Context, Result};
use crate::mail::{Content, Key, Mail};
use crate::plan::{Condition, Plan, StepEnd, Verdict};
use crate::store::journal_entry::{DueSteps, Ended, FinishedMessage, OnRecord, Performed, Promise, Standing};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// A step is ready if it is pending, due and not leased, and the step that it waits for has ended.
/// `settle_step` has skipped the steps that waited for another end.
const READY: &str = "steps.state = 'pending' AND steps.due_ms <= ?2 AND steps.lease_ms <= ?2 AND (steps.after IS NULL OR \
    EXISTS (SELECT 1 FROM steps AS earlier WHERE earlier.key = steps.key AND earlier.step = steps.after \
    AND earlier.state IN ('succeeded', 'failed', 'parked')))";

/// The condition in the column `outcome`.
fn condition_name(condition: Condition) -> &'static str {
    match condition {
        Condition::Succeeded => "succeeded",
        Condition::Failed => "failed",
        Condition::Finished => "finished",
    }
}

/// The end in the column `state`, and the time in `due_ms` if there is another try.
fn state_of(end: StepEnd) -> (&'static str, Option<i64>) {
    match end {
        StepEnd::Succeeded => ("succeeded", None),
        StepEnd::Failed => ("failed", None),
        StepEnd::Parked => ("parked", None),
        StepEnd::Later { at_ms } => ("pending", Some(at_ms)),
    }
}

pub(crate) fn promise(
    shared: &SharedConnection,
    mail: &Mail,
    promise: &Promise<'_>,
    lease_ms: i64,
) -> Result<OnRecord> {
    let written = Written {
        policy: promise.policy.to_owned(),
        seed: mail.seed.to_string(),
        envelope: serde_json::to_string(&mail.envelope).context("envelope")?,
        plan: serde_json::to_string(promise.plan).context("plan")?,
        owner: Some(holder::this_process()),
    };
    let (key, raw) = (mail.key.text().to_owned(), mail.raw().clone());
    let (plan, tally) = (promise.plan.clone(), promise.tally.clone());
    let (at_ms, arrived) = (promise.at_ms, promise.arrived);
    shared.write(move |db| {
        if let Some(known) = known(db, &key)? {
            return Ok(known);
        }
        insert(db, &key, at_ms, &written, &plan, &raw, lease_ms)?;
        counter_rows::add(db, &tally, at_ms, arrived)?;
        Ok(NEW)
    })
}

pub(crate) fn on_record(shared: &SharedConnection, key: &str) -> Result<Option<OnRecord>> {
    shared.read(|db| known(db, key))
}

pub(crate) fn claim(shared: &SharedConnection, key: &str, now_ms: i64, lease_ms: i64) -> Result<Vec<usize>> {
    let key = key.to_owned();
    shared.write(move |db| claim_steps(db, &key, now_ms, lease_ms))
}

pub(crate) fn claim_message(
    shared: &SharedConnection,
    key: &str,
    now_ms: i64,
    lease_ms: i64,
) -> Result<Option<DueSteps>> {
    let key = key.to_owned();
    shared.write(move |db| {
        let select = "SELECT owner FROM journal WHERE key = ?1";
        let owned: Option<Option<String>> = db.query_row(select, [&key], |row| row.get(0)).optional()?;
        match owned.flatten() {
            Some(other) if holder::is_gone(&other) => release_leases(db, &key)?,
            Some(other) if other != holder::this_process() => return Ok(None),
            _ => {}
        }
        let steps = claim_steps(db, &key, now_ms, lease_ms)?;
        if steps.is_empty() {
            return Ok(None);
        }
        own(db, &key)?;
        due_steps(db, &key, steps)
    })
}

pub(crate) fn claim_due(
    shared: &SharedConnection,
    now_ms: i64,
    lease_ms: i64,
    limit: usize,
) -> Result<Vec<DueSteps>> {
    shared.write(move |db| {
        release_the_dead(db)?;
        let sql = format!(
            "SELECT DISTINCT key FROM steps JOIN journal USING (key) WHERE {READY} AND
             (owner IS NULL OR owner = ?3 OR due_ms <= ?2 - ?4) LIMIT ?1"
        );
        let keys: Vec<String> = db
            .prepare_cached(&sql)?
            .query_map(params![limit as i64, now_ms, holder::this_process(), lease_ms], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        let mut due = Vec::with_capacity(keys.len());
        for key in keys {
            let steps = claim_steps(db, &key, now_ms, lease_ms)?;
            own(db, &key)?;
            due.extend(due_steps(db, &key, steps)?);
        }
        Ok(due)
    })
}

pub(crate) fn settle(shared: &SharedConnection, key: &str, ends: &[Ended], now_ms: i64) -> Result<bool> {
    let (key, ends) = (key.to_owned(), ends.to_vec());
    shared.write(move |db| {
        for ended in &ends {
            settle_step(db, &key, ended.step, &ended.done, now_ms)?;
        }
        finish(db, &key)
    })
}

pub(crate) fn release(shared: &SharedConnection, key: &str) -> Result<()> {
    let key = key.to_owned();
    shared.write(move |db| {
        db.prepare_cached("UPDATE journal SET owner = NULL WHERE key = ?1 AND owner = ?2")?
            .execute([&key, &holder::this_process()])?;
        Ok(())
    })
}

pub(crate) fn forget(shared: &SharedConnection, keys: &[String]) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let keys = keys.to_vec();
    shared.write(move |db| {
        for key in keys {
            let finished = "DELETE FROM journal WHERE key = ?1 AND state = 'finished'";
            if db.prepare_cached(finished)?.execute([&key])? > 0 {
                db.prepare_cached("DELETE FROM steps WHERE key = ?1")?.execute([&key])?;
            }
        }
        Ok(())
    })
}

/// A row of the journal, as it is stored.
pub(crate) struct Written {
    pub(crate) policy: String,
    pub(crate) seed: String,
    pub(crate) envelope: String,
    pub(crate) plan: String,
    /// The process working on it.
    pub(crate) owner: Option<String>,
}

/// Writes the rows of a promise. Leases the steps that wait for nothing, for `lease_ms`.
pub(crate) fn insert(
    db: &Connection,
    key: &str,
    at_ms: i64,
    written: &Written,
    plan: &Plan,
    message: &[u8],
    lease_ms: i64,
) -> rusqlite::Result<()> {
    let Written { policy, seed, envelope, plan: text, owner } = written;
    db.prepare_cached(
        "INSERT INTO journal (key, state, at_ms, owner, policy, seed, envelope, plan, message)
         VALUES (?1, 'open', ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![key, at_ms, owner, policy, seed, envelope, text, message])?;
    let mut insert = db.prepare_cached(
        "INSERT INTO steps (key, step, action, state, after, outcome, due_ms, lease_ms)
         VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7)",
    )?;
    for (number, step) in plan.steps.iter().enumerate() {
        let after = step.after.map(|(earlier, _)| earlier as i64);
        let outcome = step.after.map(|(_, condition)| condition_name(condition));
        let due_ms = at_ms + i64::from(step.delay) * 1000;
        let lease = if step.starts_at_once() { at_ms + lease_ms } else { 0 };
        insert.execute(params![key, number as i64, step.action.name(), after, outcome, due_ms, lease])?;
    }
    Ok(())
}

const NEW: OnRecord = OnRecord { standing: Standing::New, verdict: None };

/// Reads only the verdict of a plan: an older release may have written steps that this one cannot
/// read.
#[derive(Deserialize)]
struct Answered {
    verdict: Verdict,
}

fn known(db: &Connection, key: &str) -> rusqlite::Result<Option<OnRecord>> {
    let select = "SELECT state, owner, plan FROM journal WHERE key = ?1";
    let read = |row: &Row<'_>| {
        let (state, owner): (String, Option<String>) = (row.get("state")?, row.get("owner")?);
        let standing = match state.as_str() {
            "open" => Standing::Open { abandoned: owner.is_some_and(|owner| holder::is_gone(&owner)) },
            _ => Standing::Finished,
        };
        let plan: Option<String> = row.get("plan")?;
        let answered = plan.and_then(|plan| serde_json::from_str::<Answered>(&plan).ok());
        Ok(OnRecord { standing, verdict: answered.map(|answered| answered.verdict) })
    };
    db.prepare_cached(select)?.query_row([key], read).optional()
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
fn own(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE journal SET owner = ?2 WHERE key = ?1")?
        .execute(params![key, holder::this_process()])?;
    Ok(())
}

fn release_leases(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE steps SET lease_ms = 0 WHERE key = ?1 AND state = 'pending'")?
        .execute([key])?;
    Ok(())
}

/// Frees the steps of processes that have died. Leases are for processes that hang.
fn release_the_dead(db: &Connection) -> rusqlite::Result<()> {
    let mut select =
        db.prepare_cached("SELECT key, owner FROM journal WHERE state = 'open' AND owner IS NOT NULL")?;
    let owned: Vec<(String, String)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    for (key, _) in owned.iter().filter(|(_, owner)| holder::is_gone(owner)) {
        release_leases(db, key)?;
        db.execute("UPDATE journal SET owner = NULL WHERE key = ?1", [key])?;
    }
    Ok(())
}

fn due_steps(db: &Connection, key: &str, steps: Vec<usize>) -> rusqlite::Result<Option<DueSteps>> {
    let attempts: Option<u32> =
        db.query_row("SELECT max(attempts) FROM steps WHERE key = ?1 AND state = 'pending'", [key], |row| {
            row.get(0)
        })?;
    let select = "SELECT envelope, plan, message, seed, at_ms FROM journal WHERE key = ?1";
    let read = |row: &Row<'_>| -> rusqlite::Result<Option<DueSteps>> {
        let (envelope, plan): (String, String) = (row.get(0)?, row.get(1)?);
        let (Ok(envelope), Ok(plan)) = (serde_json::from_str(&envelope), serde_json::from_str::<Plan>(&plan))
        else {
            tracing::error!(key, "cannot read a promise in the journal; leaving it there");
            return Ok(None);
        };
        let known = steps.iter().copied().filter(|step| *step < plan.steps.len()).collect();
        let raw = row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default();
        let mail = Mail {
            content: Content::read(Arc::new(raw)),
            envelope,
            key: Key::on_record(key.to_owned()),
            seed: row.get::<_, String>(3)?.parse().unwrap_or_default(),
            at_ms: row.get(4)?,
            keep: None,
        };
        Ok(Some(DueSteps { mail, plan, steps: known, attempts: attempts.unwrap_or(0) }))
    };
    db.query_row(select, [key], read)
}

pub(crate) fn settle_step(
    db: &Connection,
    key: &str,
    step: usize,
    done: &Performed,
    now_ms: i64,
) -> rusqlite::Result<()> {
    let (state, due_ms) = state_of(done.end);
    let update = "UPDATE steps SET state = ?3, due_ms = coalesce(?4, due_ms), lease_ms = 0, attempts = attempts + 1, note = ?5
        WHERE key = ?1 AND step = ?2 AND state = 'pending'";
    let changed = db.prepare_cached(update)?.execute(params![key, step as i64, state, due_ms, done.note])?;
    if changed == 0 {
        return Ok(());
    }
    counter_rows::add(db, &done.tally, now_ms, false)?;
    // Steps that waited for another end of this step never run, nor do the steps after them.
    let skip =
        "UPDATE steps SET state = 'skipped', lease_ms = 0 WHERE key = ?1 AND state = 'pending' AND EXISTS (
        SELECT 1 FROM steps AS earlier WHERE earlier.key = ?1 AND earlier.step = steps.after AND
        (earlier.state = 'skipped' OR (steps.outcome = 'succeeded' AND earlier.state IN ('failed', 'parked'))
         OR (steps.outcome = 'failed' AND earlier.state = 'succeeded')))";
    while db.prepare_cached(skip)?.execute([key])? > 0 {}
    Ok(())
}

/// Drops the message when no step is pending. The promise stays open while a step is parked.
pub(crate) fn finish(db: &Connection, key: &str) -> rusqlite::Result<bool> {
    let park = "UPDATE journal SET owner = NULL, message = NULL WHERE key = ?1 AND NOT EXISTS (
        SELECT 1 FROM steps WHERE steps.key = ?1 AND steps.state = 'pending')";
    db.prepare_cached(park)?.execute([key])?;
    let finish = "UPDATE journal SET state = 'finished', owner = NULL, message = NULL, at_ms = max(at_ms, ?2) WHERE key = ?1 AND NOT EXISTS (
        SELECT 1 FROM steps WHERE steps.key = ?1 AND steps.state IN ('pending', 'parked'))";
    Ok(db.prepare_cached(finish)?.execute(params![key, clock::now_ms()])? > 0)
}

pub(crate) fn record_answered(
    shared: &SharedConnection,
    message: &FinishedMessage<'_>,
    verdict: &Verdict,
) -> Result<OnRecord> {
    let key = message.key.map(str::to_owned);
    let (tally, at_ms, message) = (message.tally.clone(), message.at_ms, message.message);
    let plan = json!({ "verdict": verdict, "steps": [] }).to_string();
    shared.write(move |db| {
        if let Some(key) = key {
            const ONCE: &str =
                "INSERT OR IGNORE INTO journal (key, state, at_ms, plan) VALUES (?1, 'finished', ?2, ?3)";
            if db.prepare_cached(ONCE)?.execute(params![key, at_ms, plan])? == 0 {
                return Ok(known(db, &key)?.unwrap_or(NEW));
            }
        }
        counter_rows::add(db, &tally, at_ms, message)?;
        Ok(NEW)
    })
}
