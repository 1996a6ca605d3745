//! Several verbs as one transaction, and the rows of a plan whose steps were done within it.
//!
//! Not here: what is done together (`crate::log_failures`). Invariant: when the work ends with an
//! error, nothing of it has happened.

use super::connection::SharedConnection;
use super::counted_once::counted_once;
use super::holder::Holders;
use super::promise_rows::{condition_name, notified};
use super::step_rows::state_of;
use super::{counter_rows, mark_rows, noted_line_rows, strike_rows, suppression_rows};
use crate::envelope::Envelope;
use crate::error::{Context, Result};
use crate::mailbox_syntax::in_a_labels;
use crate::plan::Plan;
use crate::store::journal_entry::Performed;
use crate::store::suppressed::{ReportedEntry, SoftBounce, StrikeCount, Suppressed};
use crate::store::tally::Tally;
use rusqlite::{Connection, params};
use std::sync::Arc;

/// The store, open for several changes.
pub(crate) struct Transaction<'t> {
    db: &'t Connection,
    holders: Arc<Holders>,
}

/// A plan of which some steps were done in the transaction that puts it on record.
#[derive(Clone, Copy)]
pub(crate) struct Begun<'a> {
    pub(crate) key: &'a str,
    /// The policy that decided.
    pub(crate) policy: &'a str,
    pub(crate) seed: u64,
    pub(crate) envelope: &'a Envelope,
    pub(crate) plan: &'a Plan,
    /// How far each step of the plan is.
    pub(crate) steps: &'a [StepState],
    /// When it was decided, in milliseconds since 1970.
    pub(crate) at_ms: i64,
}

/// How far a step is.
#[derive(Clone, Debug)]
pub(crate) enum StepState {
    /// It was done.
    Ended(Performed),
    /// It waited for another end of an earlier step.
    Skipped,
    /// It can be done now.
    Ready,
    /// It waits, for its time or for another step.
    Waiting,
}

pub(crate) fn transaction<T: Send + Sync + 'static>(
    shared: &SharedConnection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let holders = shared.holders().clone();
    shared.write(move |db| {
        let done = work(&Transaction { db, holders });
        done.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.text().into()))
    })
}

impl Transaction<'_> {
    /// Whether the journal knows a key.
    pub(crate) fn is_on_record(&self, key: &str) -> Result<bool> {
        let known = self.db.prepare_cached("SELECT 1 FROM journal WHERE key = ?1");
        known.and_then(|mut known| known.exists([key])).context("journal")
    }

    /// Puts a key on record that nothing is left to do for.
    pub(crate) fn put_finished(&self, key: &str, at_ms: i64) -> Result<()> {
        let put = "INSERT INTO journal (key, state, at_ms) VALUES (?1, 'finished', ?2)";
        let put = self.db.prepare_cached(put).and_then(|mut put| put.execute(params![key, at_ms]));
        put.context("journal").map(drop)
    }

    /// Puts a plan on record with its steps. Those that can be done now are leased to this process
    /// for `lease_ms`.
    pub(crate) fn put_begun(&self, begun: &Begun<'_>, lease_ms: i64) -> Result<()> {
        let Begun { key, policy, seed, envelope, plan, steps, at_ms } = *begun;
        let is_open = steps.iter().any(|step| matches!(step, StepState::Ready | StepState::Waiting));
        let is_ready = steps.iter().any(|step| matches!(step, StepState::Ready));
        let owner = is_ready.then(|| self.holders.this_process()).transpose()?;
        let state = if is_open { "open" } else { "finished" };
        let envelope = serde_json::to_string(envelope).context("envelope")?;
        let text = serde_json::to_string(plan).context("plan")?;
        let insert = "INSERT INTO journal (key, state, at_ms, owner, policy, seed, envelope, plan, message)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let message = is_open.then_some(b"");
        let values = params![key, state, at_ms, owner, policy, seed.to_string(), envelope, text, message];
        let put = self.db.prepare_cached(insert).and_then(|mut put| put.execute(values));
        put.context("journal")?;
        self.put_steps(begun, lease_ms).context("steps")
    }

    fn put_steps(&self, begun: &Begun<'_>, lease_ms: i64) -> rusqlite::Result<()> {
        let mut put = self.db.prepare_cached(
            "INSERT INTO steps (key, step, action, state, after, outcome, due_ms, lease_ms, attempts, note, address)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        for (number, (step, state)) in begun.plan.steps.iter().zip(begun.steps).enumerate() {
            let (name, lease_ms, attempts, note) = match state {
                StepState::Ended(done) => (state_of(done.end).0, 0, 1, done.note.as_str()),
                StepState::Skipped => ("skipped", 0, 0, ""),
                StepState::Ready => ("pending", begun.at_ms + lease_ms, 0, ""),
                StepState::Waiting => ("pending", 0, 0, ""),
            };
            let after = step.after.map(|(earlier, _)| earlier as i64);
            let outcome = step.after.map(|(_, condition)| condition_name(condition));
            let due_ms = begun.at_ms + i64::from(step.delay) * 1000;
            let (number, action, address) = (number as i64, step.action.name(), notified(&step.action));
            put.execute(params![
                begun.key, number, action, name, after, outcome, due_ms, lease_ms, attempts, note, address
            ])?;
        }
        Ok(())
    }

    /// Counts a soft bounce, as `Store::strike` does.
    pub(crate) fn strike(&self, bounce: &SoftBounce<'_>) -> Result<StrikeCount> {
        bounce.as_listed(|bounce| strike_rows::count(self.db, bounce)).context("strikes")
    }

    /// Forgets the soft bounces of an address up to a time, at which mail has reached it.
    pub(crate) fn forgive(&self, address: &str, at_ms: i64) -> Result<()> {
        strike_rows::forget(self.db, &in_a_labels(address), at_ms).context("strikes").map(drop)
    }

    /// Suppresses an address, as `Store::suppress` does.
    pub(crate) fn suppress(&self, entry: &Suppressed) -> Result<ReportedEntry> {
        suppression_rows::put_reported(self.db, &entry.as_listed()).context("suppressions")
    }

    /// What a plan adds to the counters, without bounces that were counted before.
    pub(crate) fn counted_once(&self, begun: &Begun<'_>, tally: &Tally) -> Result<Tally> {
        counted_once(self.db, begun.plan, tally, (begun.key, begun.at_ms)).context("counters")
    }

    /// Adds to counters.
    pub(crate) fn count(&self, tally: &Tally, at_ms: i64) -> Result<()> {
        counter_rows::add(self.db, tally, at_ms, false).context("counters")
    }

    /// The value of a mark.
    pub(crate) fn marked(&self, name: &str) -> Result<Option<String>> {
        mark_rows::value(self.db, name).context("meta")
    }

    /// Notes lines of the message log until they are there, and forgets those that are: up to
    /// `written`.
    pub(crate) fn note_lines(&self, batch: u64, lines: &str, written: u64) -> Result<()> {
        let owner = self.holders.this_process()?;
        let forgotten = if written > 0 { noted_line_rows::forget(self.db, &owner, written) } else { Ok(()) };
        let noted = forgotten.and_then(|()| match lines.is_empty() {
            true => Ok(()),
            false => noted_line_rows::note(self.db, batch, &owner, lines),
        });
        noted.context("noted_lines")
    }

    /// Sets a mark.
    pub(crate) fn mark(&self, name: &str, value: &str) -> Result<()> {
        mark_rows::put(self.db, name, value).context("meta")
    }
}
