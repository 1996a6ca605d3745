//! What is owed: steps that wait for their time or for another try, and those that are parked until an operator has looked.
//!
//! Not here: taking steps up and ending them (`journal`). Invariant: what a living process is at is left to it.

use super::journal::{Settled, StepResult, finish, settle};
use super::{Store, Tally};
use crate::error::Result;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

/// Parked steps that nobody has cared for are given up after this time.
const PARKED_MS: i64 = 90 * 86_400_000;

/// A step that is owed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Owed {
    /// What an operator calls it: its key and number.
    pub(crate) id: String,
    /// The key of its message.
    pub(crate) key: String,
    /// Its number.
    pub(crate) step: usize,
    /// What is to be done.
    pub(crate) action: String,
    /// `pending`: it is due at its time; `parked`: it waits for an operator.
    pub(crate) state: String,
    /// For whom the message was.
    pub(crate) recipient: String,
    /// The address that an application is told about.
    pub(crate) address: Option<String>,
    /// When it was promised, in milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// When it is due, in milliseconds since 1970.
    pub(crate) due_ms: i64,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// What happened at the last one.
    pub(crate) note: String,
}

/// A notification about an address, and what became of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Told {
    /// What an operator calls it.
    pub(crate) id: String,
    /// What happened to the address.
    pub(crate) event: String,
    /// `succeeded`, `failed`, `skipped`, `pending` or `parked`.
    pub(crate) state: String,
    /// When it was promised, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// When it is tried next, in milliseconds since 1970, if it is pending.
    pub(crate) due_ms: i64,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// What happened at the last one.
    pub(crate) note: String,
}

/// A step of the promised plan.
const STEP: &str = "json_extract(plan, '$.steps[' || step || ']";

impl Store {
    /// Every step that is owed, the next due first; then those that are parked.
    pub(crate) fn outbox(&self) -> Result<Vec<Owed>> {
        self.shared.read(|db| {
            let mut select = db.prepare(&format!(
                "SELECT key, step, action, steps.state, json_extract(envelope, '$.recipient'), {STEP}.address'),
                 at_ms, due_ms, attempts, note
                 FROM steps JOIN journal USING (key) WHERE steps.state IN ('pending', 'parked')
                 ORDER BY steps.state DESC, due_ms, key, step"
            ))?;
            let owed = |row: &Row<'_>| {
                let (key, step): (String, i64) = (row.get(0)?, row.get(1)?);
                Ok(Owed {
                    id: format!("{key}/{step}"),
                    key,
                    step: step as usize,
                    action: row.get(2)?,
                    state: row.get(3)?,
                    recipient: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
                    address: row.get(5)?,
                    since_ms: row.get(6)?,
                    due_ms: row.get(7)?,
                    attempts: row.get(8)?,
                    note: row.get(9)?,
                })
            };
            select.query_map([], owed)?.collect()
        })
    }

    /// Makes steps due now, as if they had never been tried. Returns how many: those that a process is at are not.
    pub(crate) fn retry(&self, steps: &[(String, usize)], now_ms: i64) -> Result<usize> {
        let steps = steps.to_vec();
        self.shared.write(move |db| {
            let due = "UPDATE steps SET state = 'pending', due_ms = ?3, lease_ms = 0, attempts = 0
                WHERE key = ?1 AND step = ?2 AND state IN ('pending', 'parked') AND lease_ms <= ?3";
            let mut due = db.prepare_cached(due)?;
            steps.iter().map(|(key, step)| due.execute(params![key, *step as i64, now_ms])).sum()
        })
    }

    /// Gives steps up. Returns how many: those that a process is at are not.
    pub(crate) fn give_up(&self, steps: &[(String, usize)], now_ms: i64) -> Result<usize> {
        let steps = steps.to_vec();
        self.shared.write(move |db| {
            let mut given_up = 0;
            for (key, step) in &steps {
                let take = "UPDATE steps SET state = 'pending'
                    WHERE key = ?1 AND step = ?2 AND state IN ('pending', 'parked') AND lease_ms <= ?3";
                if db.prepare_cached(take)?.execute(params![key, *step as i64, now_ms])? == 0 {
                    continue;
                }
                let mut tally = Tally::default();
                tally.add("outbox_dropped");
                let note = "!dropped by an operator".to_owned();
                settle(db, key, *step, &Settled { result: StepResult::Failed, note, tally, now_ms })?;
                finish(db, key)?;
                given_up += 1;
            }
            Ok(given_up)
        })
    }

    /// What applications were, are or will be told about an address, the oldest first.
    pub(crate) fn told(&self, address: &str) -> Result<Vec<Told>> {
        self.shared.read(|db| {
            let mut select = db.prepare(&format!(
                "SELECT key, step, {STEP}.event'), steps.state, at_ms, due_ms, attempts, note
                 FROM steps JOIN journal USING (key)
                 WHERE action = 'notify' AND lower({STEP}.address')) = ?1 ORDER BY at_ms, key, step"
            ))?;
            let told = |row: &Row<'_>| {
                Ok(Told {
                    id: format!("{}/{}", row.get::<_, String>(0)?, row.get::<_, i64>(1)?),
                    event: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                    state: row.get(3)?,
                    at_ms: row.get(4)?,
                    due_ms: row.get(5)?,
                    attempts: row.get(6)?,
                    note: row.get(7)?,
                })
            };
            select.query_map([address], told)?.collect()
        })
    }
}

/// Gives up what nobody has cared for; called by the store's purge.
pub(crate) fn purge(db: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    let old =
        "SELECT DISTINCT key FROM steps JOIN journal USING (key) WHERE steps.state = 'parked' AND at_ms < ?1";
    let keys: Vec<String> = db
        .prepare_cached(old)?
        .query_map([now_ms - PARKED_MS], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for key in keys {
        db.execute("UPDATE steps SET state = 'failed' WHERE key = ?1 AND state = 'parked'", [&key])?;
        finish(db, &key)?;
    }
    Ok(())
}
