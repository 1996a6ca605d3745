//! The rows of the journal: what is written down about messages, found again and forgotten.
//!
//! Not here: what steps mean (`crate::journal`), and the rows of steps under way (`step_rows`).
//! Invariant: what is written down together is one transaction; a key that is on record changes
//! nothing.

use super::connection::SharedConnection;
use super::counted_once::counted_once;
use super::counter_rows;
use crate::envelope::Envelope;
use crate::error::{Context, Result};
use crate::mail::{Mail, MessageFile};
use crate::plan::{Action, Condition, Plan, Verdict};
use crate::store::journal_entry::{Entry, FinishedMessage, OnRecord, Promise, PromisedLine, Standing};
use crate::store::tally::Tally;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// The condition in the column `outcome`.
pub(super) fn condition_name(condition: Condition) -> &'static str {
    match condition {
        Condition::Succeeded => "succeeded",
        Condition::Failed => "failed",
        Condition::Finished => "finished",
    }
}

/// The address that is notified about, in the column `address`.
pub(super) fn notified(action: &Action) -> Option<String> {
    match action {
        Action::Notify(notification) => Some(notification.address.to_lowercase()),
        _ => None,
    }
}

/// An entry as it waits for its transaction: it owns what it says.
enum Pending {
    Promise(Box<PromiseRows>),
    Finished { key: Option<String>, at_ms: i64, plan: String },
}

pub(crate) fn known_keys(shared: &SharedConnection, keys: &[String]) -> Result<Vec<bool>> {
    shared.read(|db| {
        // One lock for all.
        let _moment = db.unchecked_transaction()?;
        let mut select = db.prepare_cached("SELECT 1 FROM journal WHERE key = ?1")?;
        keys.iter().map(|key| select.exists([key])).collect()
    })
}

pub(crate) fn write_down(
    shared: &SharedConnection,
    entries: &[Entry<'_>],
    lease_ms: i64,
) -> Result<Vec<OnRecord>> {
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    let owner = shared.holders().this_process()?;
    let mut pending: Vec<(Pending, Tally, bool)> = Vec::with_capacity(entries.len());
    for entry in entries {
        pending.push(match entry {
            Entry::Promise(mail, promise) => {
                let rows = PromiseRows::of_message(mail, promise, &owner)?;
                (Pending::Promise(Box::new(rows)), promise.tally.clone(), true)
            }
            Entry::Finished(message, verdict) => {
                (finished(message, verdict), message.tally.clone(), message.message)
            }
        });
    }
    shared.write(move |db| {
        pending.iter().map(|(entry, tally, arrived)| put(db, entry, tally, *arrived, lease_ms)).collect()
    })
}

/// Where a kept copy goes, if a step keeps one.
fn kept_copy(mail: &Mail, plan: &Plan) -> Result<Option<String>> {
    let is_kept = plan.steps.iter().any(|step| matches!(step.action, Action::Keep));
    let chosen = mail.keep.as_ref().filter(|_| is_kept);
    chosen.map(serde_json::to_string).transpose().context("kept copy")
}

fn finished(message: &FinishedMessage<'_>, verdict: &Verdict) -> Pending {
    let key = message.key.map(str::to_owned);
    let line = PromisedLine { counted: message.tally.clone(), ..PromisedLine::default() };
    let plan = json!({ "verdict": verdict, "steps": [], "line": line }).to_string();
    Pending::Finished { key, at_ms: message.at_ms, plan }
}

/// Writes one entry down and counts it, unless its key is on record.
fn put(
    db: &Connection,
    entry: &Pending,
    tally: &Tally,
    arrived: bool,
    lease_ms: i64,
) -> rusqlite::Result<OnRecord> {
    let mut once = None;
    let at_ms = match entry {
        Pending::Promise(rows) => {
            if let Some(known) = known(db, &rows.key)? {
                return Ok(known);
            }
            let counted = counted_once(db, &rows.plan, tally, (&rows.key, rows.at_ms))?;
            rows.insert(db, Some(&counted), lease_ms)?;
            once = Some(counted);
            rows.at_ms
        }
        Pending::Finished { key, at_ms, plan } => {
            const ONCE: &str =
                "INSERT OR IGNORE INTO journal (key, state, at_ms, plan) VALUES (?1, 'finished', ?2, ?3)";
            if let Some(key) = key
                && db.prepare_cached(ONCE)?.execute(params![key, at_ms, plan])? == 0
            {
                return Ok(known(db, key)?.unwrap_or_else(new));
            }
            *at_ms
        }
    };
    counter_rows::add(db, once.as_ref().unwrap_or(tally), at_ms, arrived)?;
    Ok(OnRecord { counted: once.filter(|once| once != tally), ..new() })
}

/// The same for whoever only reads.
pub(crate) fn look_up(shared: &SharedConnection, key: &str) -> Result<Option<OnRecord>> {
    shared.read(|db| known(db, key))
}

pub(crate) fn on_record(shared: &SharedConnection, key: &str) -> Result<Option<OnRecord>> {
    shared.read_durably(|db| known(db, key))
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

/// A promise, as its rows say it.
pub(crate) struct PromiseRows {
    key: String,
    at_ms: i64,
    policy: String,
    seed: u64,
    /// As JSON.
    envelope: String,
    plan: Plan,
    /// With what the line of the message says.
    plan_json: String,
    line: PromisedLine,
    /// The process working on it.
    owner: Option<String>,
    message: Option<Arc<Vec<u8>>>,
    /// The file that holds the message. It is not copied into the row then.
    file: Option<MessageFile>,
    /// Where a kept copy goes, if that is not where the config says.
    kept_copy: Option<String>,
}

impl PromiseRows {
    fn of_message(mail: &Mail, promise: &Promise<'_>, owner: &str) -> Result<PromiseRows> {
        let (counted, about) = (promise.tally.clone(), promise.about.map(str::to_owned));
        let (addresses, message_id) = (promise.addresses.to_vec(), mail.message_id());
        let line = PromisedLine { counted, about, message_id, addresses };
        Ok(PromiseRows {
            policy: promise.policy.to_owned(),
            seed: mail.seed,
            owner: Some(owner.to_owned()),
            message: Some(mail.raw().clone()),
            file: mail.file.clone(),
            kept_copy: kept_copy(mail, promise.plan)?,
            ..PromiseRows::of_plan(mail.key.text(), promise.plan, promise.at_ms, &mail.envelope, line)?
        })
    }

    /// What carom does about no message; the next tick does it.
    pub(super) fn without_message(key: &str, plan: &Plan, at_ms: i64) -> Result<PromiseRows> {
        PromiseRows::of_plan(key, plan, at_ms, &Envelope::default(), PromisedLine::default())
    }

    fn of_plan(
        key: &str,
        plan: &Plan,
        at_ms: i64,
        envelope: &Envelope,
        line: PromisedLine,
    ) -> Result<PromiseRows> {
        Ok(PromiseRows {
            key: key.to_owned(),
            at_ms,
            policy: String::new(),
            seed: 0,
            envelope: serde_json::to_string(envelope).context("envelope")?,
            plan: plan.clone(),
            plan_json: serde_json::to_string(&PlanOnRecord { plan, line: &line }).context("plan")?,
            line,
            owner: None,
            message: None,
            file: None,
            kept_copy: None,
        })
    }

    /// The column `plan`, if the message was not counted for what was promised.
    fn plan_counting(&self, counted: &Tally) -> Option<String> {
        if *counted == self.line.counted {
            return None;
        }
        let line = PromisedLine { counted: counted.clone(), ..self.line.clone() };
        serde_json::to_string(&PlanOnRecord { plan: &self.plan, line: &line }).ok()
    }

    /// Writes the rows; `counted`: what a message was counted for. Leases the steps that wait for
    /// nothing, for `lease_ms`.
    pub(super) fn insert(
        &self,
        db: &Connection,
        counted: Option<&Tally>,
        lease_ms: i64,
    ) -> rusqlite::Result<()> {
        let PromiseRows { key, at_ms, policy, envelope, owner, kept_copy, .. } = self;
        let other_plan = counted.and_then(|counted| self.plan_counting(counted));
        let plan_json = other_plan.as_ref().unwrap_or(&self.plan_json);
        let (seed, file) = (self.seed.to_string(), self.file.as_ref());
        let message = self.message.as_deref().map_or(&[][..], Vec::as_slice);
        let message = if file.is_some() { None } else { Some(message) };
        let (file, begins) = file.map_or((None, 0), |file| (Some(&file.path), file.begins as i64));
        db.prepare_cached(
            "INSERT INTO journal (key, state, at_ms, owner, policy, seed, envelope, plan, message, file, begins, kept_copy)
             VALUES (?1, 'open', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            key, at_ms, owner, policy, seed, envelope, plan_json, message, file, begins, kept_copy
        ])?;
        self.insert_steps(db, lease_ms)
    }

    fn insert_steps(&self, db: &Connection, lease_ms: i64) -> rusqlite::Result<()> {
        let PromiseRows { key, at_ms, plan, .. } = self;
        let mut insert = db.prepare_cached(
            "INSERT INTO steps (key, step, action, state, after, outcome, due_ms, lease_ms, address)
             VALUES (?1, ?2, ?3, 'pending', ?4, ?5, ?6, ?7, ?8)",
        )?;
        for (number, step) in plan.steps.iter().enumerate() {
            let after = step.after.map(|(earlier, _)| earlier as i64);
            let outcome = step.after.map(|(_, condition)| condition_name(condition));
            let due_ms = at_ms + i64::from(step.delay) * 1000;
            let lease = if step.starts_at_once() { at_ms + lease_ms } else { 0 };
            let (number, action, address) = (number as i64, step.action.name(), notified(&step.action));
            insert.execute(params![key, number, action, after, outcome, due_ms, lease, address])?;
        }
        Ok(())
    }
}

/// What the column `plan` has.
#[derive(Serialize)]
struct PlanOnRecord<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    line: &'a PromisedLine,
}

fn new() -> OnRecord {
    OnRecord { standing: Standing::New, verdict: None, counted: None, line: None }
}

/// Reads only the verdict of a plan: an older release may have written steps that this one cannot
/// read.
#[derive(Deserialize)]
struct Answered {
    verdict: Verdict,
    line: Option<PromisedLine>,
}

fn known(db: &Connection, key: &str) -> rusqlite::Result<Option<OnRecord>> {
    let select = "SELECT state, plan FROM journal WHERE key = ?1";
    let read = |row: &Row<'_>| {
        let state: String = row.get("state")?;
        let standing = match state.as_str() {
            "open" => Standing::Open,
            _ => Standing::Finished,
        };
        let plan: Option<String> = row.get("plan")?;
        let answered = plan.and_then(|plan| serde_json::from_str::<Answered>(&plan).ok());
        let (verdict, line) = answered.map_or((None, None), |one| (Some(one.verdict), one.line));
        Ok(OnRecord { standing, verdict, counted: None, line })
    };
    db.prepare_cached(select)?.query_row([key], read).optional()
}
