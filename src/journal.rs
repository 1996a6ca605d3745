//! 5 promise: a plan with side effects is written down before the first of them, each step is
//! ticked off when it is done, and what cannot be done now is taken up again later.
//!
//! The rows are the store's; what a step does is `action`'s. Invariant: once `promise` has
//! returned, every step is done, or given up with a reason that is on record, however often the
//! process is killed; a step on record as done is never done again.

use crate::action::{self, Doors};
use crate::clock;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::mail::{Key, Mail};
use crate::plan::{Plan, Step, StepEnd};
use crate::store::{DueSteps, Ended, FinishedMessage, OnRecord, Performed, Promise, Standing, Store};
use rayon::prelude::*;

/// How long a step may take before another process regards it as abandoned: longer than a
/// deadline should be.
const LEASE_MS: i64 = 15 * 60 * 1000;
/// Messages whose due steps are claimed together.
const BATCH: usize = 64;

/// Writes the promise down, or finds the one of an earlier delivery of the same message. If the key
/// belongs to another message with the same bytes, `mail` gets a new one.
pub(crate) fn promise(store: &Store, mail: &mut Mail, promise: &Promise<'_>) -> Result<OnRecord> {
    if promise.plan.steps.is_empty() {
        return record(store, mail, promise);
    }
    let found = store.promise(mail, promise, LEASE_MS)?;
    if found.standing == Standing::New || is_redelivery(&mail.key, found.standing) {
        return Ok(found);
    }
    mail.key = mail.key.another();
    store.promise(mail, promise, LEASE_MS)
}

/// A plan without steps needs no promise; a lasting key goes on record with its verdict.
fn record(store: &Store, mail: &Mail, promise: &Promise<'_>) -> Result<OnRecord> {
    let Promise { plan, at_ms, tally, arrived, .. } = *promise;
    let key = mail.key.is_lasting().then_some(mail.key.text());
    store.record_answered(&FinishedMessage { key, tally, at_ms, message: arrived }, &plan.verdict)
}

/// What an earlier delivery of the same message left on record.
pub(crate) fn earlier_delivery(store: &Store, mail: &Mail) -> Result<Option<OnRecord>> {
    let found = store.on_record(mail.key.text())?;
    Ok(found.filter(|found| is_redelivery(&mail.key, found.standing)))
}

/// Whether a key on record means the same message again: its source names the delivery, or the
/// process that worked on it was killed.
fn is_redelivery(key: &Key, standing: Standing) -> bool {
    match standing {
        Standing::New => false,
        Standing::Open { abandoned } => abandoned || key.is_lasting(),
        Standing::Finished => key.is_lasting(),
    }
}

/// Does the steps of a message that was just promised, and the steps that wait for them.
pub(crate) fn run(doors: &Doors, mail: &Mail, plan: &Plan, deadline: Deadline) -> Vec<Ended> {
    if plan.steps.is_empty() {
        return Vec::new();
    }
    let starts = |(number, step): (usize, &Step)| step.starts_at_once().then_some(number);
    let first: Vec<usize> = plan.steps.iter().enumerate().filter_map(starts).collect();
    run_from(doors, mail, plan, first, 0, deadline)
}

/// Does every step that is due, of any message.
pub(crate) fn run_due(doors: &Doors, deadline: Deadline) -> Result<Vec<Ended>> {
    let mut ended = Vec::new();
    while !deadline.passed() {
        let due = doors.store.claim_due(clock::now_ms(), LEASE_MS, BATCH)?;
        if due.is_empty() {
            break;
        }
        ended.par_extend(due.into_par_iter().flat_map_iter(|due| run_claimed(doors, due, deadline)));
    }
    Ok(ended)
}

/// Does what is due of one message on record.
pub(crate) fn run_one(doors: &Doors, key: &str, deadline: Deadline) -> Result<Vec<Ended>> {
    let due = doors.store.claim_message(key, clock::now_ms(), LEASE_MS)?;
    Ok(due.map(|due| run_claimed(doors, due, deadline)).unwrap_or_default())
}

fn run_claimed(doors: &Doors, due: DueSteps, deadline: Deadline) -> Vec<Ended> {
    let DueSteps { mail, plan, steps, attempts } = due;
    run_from(doors, &mail, &plan, steps, attempts, deadline)
}

/// Does the steps that are ours already, then the steps that wait for them.
fn run_from(
    doors: &Doors,
    mail: &Mail,
    plan: &Plan,
    first: Vec<usize>,
    attempts: u32,
    deadline: Deadline,
) -> Vec<Ended> {
    let key = mail.key.text();
    let mut ended = Vec::new();
    let (mut ready, mut attempts) = (first, attempts);
    loop {
        if !ready.is_empty() {
            let these = perform_all(doors, mail, plan, &ready, attempts, deadline);
            let finished = doors.store.settle(key, &these, clock::now_ms()).unwrap_or_else(|error| {
                tracing::error!(%error, key, "finished steps are not on record; they may be done again");
                false
            });
            ended.extend(these);
            if finished {
                return ended;
            }
        }
        attempts = 0;
        if deadline.passed() {
            break;
        }
        ready = match doors.store.claim(key, clock::now_ms(), LEASE_MS) {
            Ok(ready) if ready.is_empty() => break,
            Ok(ready) => ready,
            Err(error) => {
                tracing::error!(%error, key, "the next tick does the remaining steps");
                break;
            }
        };
    }
    if let Err(error) = doors.store.release(key) {
        tracing::warn!(%error, key, "the message stays marked as in progress until this process ends");
    }
    ended
}

/// Does these steps in parallel. A counter that waits for one of them needs no transaction for
/// itself: it is settled with that step.
fn perform_all(
    doors: &Doors,
    mail: &Mail,
    plan: &Plan,
    ready: &[usize],
    attempts: u32,
    deadline: Deadline,
) -> Vec<Ended> {
    let perform = |&step: &usize| {
        let action = &plan.steps[step].action;
        let done = action::perform(action, mail, doors, attempts, deadline);
        Ended { step, action: action.name(), done }
    };
    let performed: Vec<Ended> = match ready {
        [only] => vec![perform(only)],
        several => several.par_iter().map(perform).collect(),
    };
    let mut ended = Vec::with_capacity(performed.len());
    for one in performed {
        let (step, end) = (one.step, one.done.end);
        ended.push(one);
        if !matches!(end, StepEnd::Later { .. }) {
            let counts = plan.counts_after(step, end == StepEnd::Succeeded);
            ended.extend(counts.into_iter().map(|(step, name)| {
                let done = Performed::new(StepEnd::Succeeded, name, name.to_owned());
                Ended { step, action: "count", done }
            }));
        }
    }
    ended
}
