//! The rows of the journal: promises, their steps, and who is at them.
//!
//! What they mean is told in `crate::journal`. Invariant: a step changes from `pending` to its end once, and what it
//! counts for is counted in that same transaction.

use super::{Store, Tally, counters};
use crate::clock;
use crate::envelope::Envelope;
use crate::error::{Context, Result};
use crate::plan::{Outcome, Plan};
use rusqlite::{Connection, OptionalExtension, Row, params};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use std::sync::Arc;

/// What the journal knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing before this call.
    New,
    /// Steps are still pending.
    Open {
        /// The process that was at it is gone without a word.
        abandoned: bool,
    },
    /// All is done.
    Finished,
}

/// A plan that is about to be carried out.
#[derive(Clone, Copy)]
pub(crate) struct Promise<'a> {
    /// What identifies the delivery.
    pub(crate) key: &'a str,
    /// The envelope.
    pub(crate) envelope: &'a Envelope,
    /// The steps.
    pub(crate) plan: &'a Plan,
    /// The message; kept until the last step is done.
    pub(crate) message: &'a Arc<Vec<u8>>,
    /// The seed of the decision.
    pub(crate) seed: u64,
    /// The policy that decided.
    pub(crate) policy: &'a str,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// What the message counts for by itself.
    pub(crate) tally: &'a Tally,
    /// Whether a message came, which counts in its minute.
    pub(crate) arrived: bool,
}

/// Steps of one message that are ours to do now.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The key.
    pub(crate) key: String,
    /// The envelope.
    pub(crate) envelope: Envelope,
    /// The whole plan.
    pub(crate) plan: Plan,
    /// The message.
    pub(crate) message: Vec<u8>,
    /// The seed of the decision.
    pub(crate) seed: u64,
    /// When it was decided.
    pub(crate) at_ms: i64,
    /// The steps to do.
    pub(crate) steps: Vec<usize>,
    /// The most tries any of them has had.
    pub(crate) attempts: u32,
}

/// What became of a step.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    /// How it ended.
    pub(crate) result: StepResult,
    /// What happened, in one line.
    pub(crate) note: String,
    /// What it counts for.
    pub(crate) tally: Tally,
    /// When, in milliseconds since 1970.
    pub(crate) now_ms: i64,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepResult {
    /// It is done.
    Succeeded,
    /// It cannot be done.
    Failed,
    /// It cannot be done before an operator has looked.
    Parked,
    /// It is to be tried again.
    Later {
        /// Not before this time, in milliseconds since 1970.
        at_ms: i64,
    },
}

/// A step can be taken up when it is pending, due, nobody's, and what it waits for has ended as it should.
const READY: &str = "steps.state = 'pending' AND steps.due_ms <= ?2 AND steps.lease_ms <= ?2 AND (steps.after IS NULL OR \
    EXISTS (SELECT 1 FROM steps AS earlier WHERE earlier.key = steps.key AND earlier.step = steps.after \
    AND earlier.state IN ('succeeded', 'failed', 'parked')))";

/// This process, so that another can tell whether it is still there.
fn owner() -> String {
    owner_of(std::process::id())
}

/// A process as the journal names it: process id and start time.
pub(crate) fn owner_of(id: u32) -> String {
    format!("{id}:{}", start_time(id).unwrap_or_default())
}

/// Field 22 of /proc/PID/stat, counted after the parenthesised name, which may hold anything.
fn start_time(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

fn is_gone(owner: &str) -> bool {
    let Some((Ok(id), started)) = owner.split_once(':').map(|(id, started)| (id.parse(), started)) else {
        return true;
    };
    match start_time(id) {
        Some(now) => now != started,
        // Where /proc hides the processes of other users (hidepid), the kernel still says whether they are there.
        None => !exists(id),
    }
}

fn exists(id: u32) -> bool {
    let process = i32::try_from(id).ok().and_then(Pid::from_raw);
    process.is_some_and(|process| test_kill_process(process) != Err(Errno::SRCH))
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Finished => "finished",
    }
}

impl Store {
    /// Writes a promise down, unless its key is on record: then nothing is changed, and the answer says what is. The steps
    /// that need not wait for anything are the caller's to do, for `lease_ms`.
    pub(crate) fn promise(&self, promise: &Promise<'_>, lease_ms: i64) -> Result<Standing> {
        let envelope = serde_json::to_string(promise.envelope).context("envelope")?;
        let plan_text = serde_json::to_string(promise.plan).context("plan")?;
        let (key, policy, seed) =
            (promise.key.to_owned(), promise.policy.to_owned(), promise.seed.to_string());
        let (plan, message, tally, at_ms) =
            (promise.plan.clone(), promise.message.clone(), promise.tally.clone(), promise.at_ms);
        let arrived = promise.arrived;
        self.shared.write(move |db| {
            if let Some(standing) = standing(db, &key)? {
                return Ok(standing);
            }
            let written = Written { policy, seed, envelope, plan: plan_text, owner: Some(owner()) };
            insert(db, &key, at_ms, &written, &plan, &message, lease_ms)?;
            counters::add(db, &tally, at_ms, arrived)?;
            Ok(Standing::New)
        })
    }

    /// Takes the steps of a message that can be done now, until `lease_ms` from now.
    pub(crate) fn claim(&self, key: &str, now_ms: i64, lease_ms: i64) -> Result<Vec<usize>> {
        let key = key.to_owned();
        self.shared.write(move |db| claim(db, &key, now_ms, lease_ms))
    }

    /// The same for a message that is on record: everything that is needed to do them. A process that is still at it is
    /// left alone: what is due is its to do, and the tick's if it hangs.
    pub(crate) fn claim_job(&self, key: &str, now_ms: i64, lease_ms: i64) -> Result<Option<Job>> {
        let key = key.to_owned();
        self.shared.write(move |db| {
            let select = "SELECT owner FROM journal WHERE key = ?1";
            let owned: Option<Option<String>> = db.query_row(select, [&key], |row| row.get(0)).optional()?;
            match owned.flatten() {
                Some(other) if is_gone(&other) => release_leases(db, &key)?,
                Some(other) if other != owner() => return Ok(None),
                _ => {}
            }
            let steps = claim(db, &key, now_ms, lease_ms)?;
            if steps.is_empty() {
                return Ok(None);
            }
            own(db, &key)?;
            job(db, &key, steps)
        })
    }

    /// The same over all messages, at most `limit` of them. What is due of a message that another process is at is taken
    /// from it only when it is overdue by a whole lease.
    pub(crate) fn claim_due(&self, now_ms: i64, lease_ms: i64, limit: usize) -> Result<Vec<Job>> {
        self.shared.write(move |db| {
            release_the_dead(db)?;
            let sql = format!(
                "SELECT DISTINCT key FROM steps JOIN journal USING (key) WHERE {READY} AND
                 (owner IS NULL OR owner = ?3 OR due_ms <= ?2 - ?4) LIMIT ?1"
            );
            let keys: Vec<String> = db
                .prepare_cached(&sql)?
                .query_map(params![limit as i64, now_ms, owner(), lease_ms], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut jobs = Vec::with_capacity(keys.len());
            for key in keys {
                let steps = claim(db, &key, now_ms, lease_ms)?;
                own(db, &key)?;
                jobs.extend(job(db, &key, steps)?);
            }
            Ok(jobs)
        })
    }

    /// Puts the ends of steps on record; says whether nothing is left to do. A step that has ended before changes nothing.
    pub(crate) fn settle(&self, key: &str, ends: &[(usize, Settled)]) -> Result<bool> {
        let (key, ends) = (key.to_owned(), ends.to_vec());
        self.shared.write(move |db| {
            for (step, settled) in &ends {
                settle(db, &key, *step, settled)?;
            }
            finish(db, &key)
        })
    }

    /// This process is done with a message; what is pending is for whoever comes next.
    pub(crate) fn release(&self, key: &str) -> Result<()> {
        let key = key.to_owned();
        self.shared.write(move |db| {
            db.prepare_cached("UPDATE journal SET owner = NULL WHERE key = ?1 AND owner = ?2")?
                .execute([&key, &owner()])?;
            Ok(())
        })
    }

    /// The source of these messages is gone, so no second delivery can come: finished ones leave the journal.
    pub(crate) fn forget(&self, keys: &[String]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let keys = keys.to_vec();
        self.shared.write(move |db| {
            for key in keys {
                let finished = "DELETE FROM journal WHERE key = ?1 AND state = 'finished'";
                if db.prepare_cached(finished)?.execute([&key])? > 0 {
                    db.prepare_cached("DELETE FROM steps WHERE key = ?1")?.execute([&key])?;
                }
            }
            Ok(())
        })
    }
}

/// What a row of the journal says, as it stands there.
pub(crate) struct Written {
    pub(crate) policy: String,
    pub(crate) seed: String,
    pub(crate) envelope: String,
    pub(crate) plan: String,
    /// The process that is at it.
    pub(crate) owner: Option<String>,
}

/// Writes the rows of a promise; steps that wait for nothing are leased for `lease_ms`.
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
        let outcome = step.after.map(|(_, outcome)| outcome_name(outcome));
        let due_ms = at_ms + i64::from(step.delay) * 1000;
        let lease = if step.starts_at_once() { at_ms + lease_ms } else { 0 };
        insert.execute(params![key, number as i64, step.action.name(), after, outcome, due_ms, lease])?;
    }
    Ok(())
}

fn standing(db: &Connection, key: &str) -> rusqlite::Result<Option<Standing>> {
    let select = "SELECT state, owner FROM journal WHERE key = ?1";
    let found: Option<(String, Option<String>)> =
        db.prepare_cached(select)?.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(found.map(|(state, owner)| match state.as_str() {
        "open" => Standing::Open { abandoned: owner.is_some_and(|owner| is_gone(&owner)) },
        _ => Standing::Finished,
    }))
}

fn claim(db: &Connection, key: &str, now_ms: i64, lease_ms: i64) -> rusqlite::Result<Vec<usize>> {
    let sql = format!("UPDATE steps SET lease_ms = ?3 WHERE key = ?1 AND {READY} RETURNING step");
    let mut update = db.prepare_cached(&sql)?;
    let rows = update.query_map(params![key, now_ms, now_ms + lease_ms], |row| row.get::<_, i64>(0))?;
    let mut steps = rows.map(|step| step.map(|step| step as usize)).collect::<rusqlite::Result<Vec<_>>>()?;
    steps.sort_unstable();
    Ok(steps)
}

/// This process is at the message from now on: when it is killed, what it had taken is free at once.
fn own(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE journal SET owner = ?2 WHERE key = ?1")?.execute(params![key, owner()])?;
    Ok(())
}

fn release_leases(db: &Connection, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE steps SET lease_ms = 0 WHERE key = ?1 AND state = 'pending'")?
        .execute([key])?;
    Ok(())
}

/// What a process that is gone had taken is free again at once; leases are for those that hang.
fn release_the_dead(db: &Connection) -> rusqlite::Result<()> {
    let mut select =
        db.prepare_cached("SELECT key, owner FROM journal WHERE state = 'open' AND owner IS NOT NULL")?;
    let owned: Vec<(String, String)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    for (key, _) in owned.iter().filter(|(_, owner)| is_gone(owner)) {
        release_leases(db, key)?;
        db.execute("UPDATE journal SET owner = NULL WHERE key = ?1", [key])?;
    }
    Ok(())
}

fn job(db: &Connection, key: &str, steps: Vec<usize>) -> rusqlite::Result<Option<Job>> {
    let attempts: Option<u32> =
        db.query_row("SELECT max(attempts) FROM steps WHERE key = ?1 AND state = 'pending'", [key], |row| {
            row.get(0)
        })?;
    let select = "SELECT envelope, plan, message, seed, at_ms FROM journal WHERE key = ?1";
    let read = |row: &Row<'_>| -> rusqlite::Result<Option<Job>> {
        let (envelope, plan): (String, String) = (row.get(0)?, row.get(1)?);
        let (Ok(envelope), Ok(plan)) = (serde_json::from_str(&envelope), serde_json::from_str::<Plan>(&plan))
        else {
            tracing::error!(key, "a promise in the journal cannot be read: it is left there");
            return Ok(None);
        };
        let known = steps.iter().copied().filter(|step| *step < plan.steps.len()).collect();
        Ok(Some(Job {
            key: key.to_owned(),
            envelope,
            plan,
            message: row.get::<_, Option<Vec<u8>>>(2)?.unwrap_or_default(),
            seed: row.get::<_, String>(3)?.parse().unwrap_or_default(),
            at_ms: row.get(4)?,
            steps: known,
            attempts: attempts.unwrap_or(0),
        }))
    };
    db.query_row(select, [key], read)
}

pub(crate) fn settle(db: &Connection, key: &str, step: usize, settled: &Settled) -> rusqlite::Result<()> {
    let (state, due_ms) = match settled.result {
        StepResult::Succeeded => ("succeeded", None),
        StepResult::Failed => ("failed", None),
        StepResult::Parked => ("parked", None),
        StepResult::Later { at_ms } => ("pending", Some(at_ms)),
    };
    let update = "UPDATE steps SET state = ?3, due_ms = coalesce(?4, due_ms), lease_ms = 0, attempts = attempts + 1, note = ?5
        WHERE key = ?1 AND step = ?2 AND state = 'pending'";
    let changed =
        db.prepare_cached(update)?.execute(params![key, step as i64, state, due_ms, settled.note])?;
    if changed == 0 {
        return Ok(());
    }
    counters::add(db, &settled.tally, settled.now_ms, false)?;
    // What waited for another end of this step will never be done, nor what waits for that.
    let skip =
        "UPDATE steps SET state = 'skipped', lease_ms = 0 WHERE key = ?1 AND state = 'pending' AND EXISTS (
        SELECT 1 FROM steps AS earlier WHERE earlier.key = ?1 AND earlier.step = steps.after AND
        (earlier.state = 'skipped' OR (steps.outcome = 'succeeded' AND earlier.state IN ('failed', 'parked'))
         OR (steps.outcome = 'failed' AND earlier.state = 'succeeded')))";
    while db.prepare_cached(skip)?.execute([key])? > 0 {}
    Ok(())
}

/// With nothing pending, the message itself need not be kept. While something is parked, the promise is still open.
pub(crate) fn finish(db: &Connection, key: &str) -> rusqlite::Result<bool> {
    let park = "UPDATE journal SET owner = NULL, message = NULL WHERE key = ?1 AND NOT EXISTS (
        SELECT 1 FROM steps WHERE steps.key = ?1 AND steps.state = 'pending')";
    db.prepare_cached(park)?.execute([key])?;
    let finish = "UPDATE journal SET state = 'finished', owner = NULL, message = NULL, at_ms = max(at_ms, ?2) WHERE key = ?1 AND NOT EXISTS (
        SELECT 1 FROM steps WHERE steps.key = ?1 AND steps.state IN ('pending', 'parked'))";
    Ok(db.prepare_cached(finish)?.execute(params![key, clock::now_ms()])? > 0)
}
