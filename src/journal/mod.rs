//! 5 promise: a plan with side effects is written down before the first of them, each step is
//! ticked off when it is done, and what cannot be done now is taken up again later.
//!
//! Not here: the rows (the store's), what a step does (`action`), and doing many side by side
//! (`side_by_side`). Invariant: once `promise_all` has returned, every step is done, or given up
//! with a reason that is on record, however often the process is killed; a step on record as done
//! is never done again.

mod left_step;
pub(crate) mod meant_steps;
mod side_by_side;
mod step_queue;

pub(crate) use left_step::LeftStep;
pub(crate) use side_by_side::{RunEnd, Underway, run_all};

use crate::action::Doors;
use crate::clock;
use crate::deadline::{Deadline, stopping};
use crate::error::{Error, Result};
use crate::mail::Mail;
use crate::memory::MemoryBudget;
use crate::store::{Claimed, DueSteps, Ended, Entry, FinishedMessage, OnRecord, Promise, Store};

/// How long a step may take before another process regards it as abandoned: longer than a
/// deadline should be.
pub(crate) const LEASE_MS: i64 = 15 * 60 * 1000;
/// Messages whose due steps are claimed together.
const BATCH: usize = 64;
/// Memory for them, unless one alone needs more.
const BATCH_BYTES: u64 = 64 << 20;

/// Writes down what was decided about messages, in one transaction, or finds what earlier
/// deliveries of the same messages left.
pub(crate) fn promise_all(store: &Store, decided: &[(&Mail, Promise<'_>)]) -> Result<Vec<OnRecord>> {
    let entries: Vec<Entry<'_>> = decided.iter().map(|(mail, promise)| entry(mail, promise)).collect();
    store.write_down(&entries, LEASE_MS)
}

/// A plan without steps needs no promise; its key goes on record with the verdict.
fn entry<'a>(mail: &'a Mail, promise: &Promise<'a>) -> Entry<'a> {
    let Promise { plan, at_ms, tally, .. } = *promise;
    if !plan.steps.is_empty() {
        return Entry::Promise(mail, *promise);
    }
    let key = Some(mail.key.text());
    Entry::Finished(FinishedMessage { key, tally, at_ms, message: true }, &plan.verdict)
}

/// A message on record, and what became of its steps.
#[derive(Clone, Copy)]
pub(crate) struct StepsDone<'a> {
    pub(crate) mail: &'a Mail,
    pub(crate) ended: &'a [Ended],
}

/// Hears what was done about messages on record.
pub(crate) type OnSteps<'a> = &'a dyn Fn(&[StepsDone<'_>]);

/// What became of all that was due.
#[derive(Default)]
pub(crate) struct DueEnded {
    pub(crate) ended: Vec<Ended>,
    /// Promises that cannot be read, and those whose ends the store does not take.
    pub(crate) damaged: Vec<Error>,
}

/// Does every step that is due, of any message.
pub(crate) fn run_due(doors: &Doors, deadline: Deadline, done: OnSteps<'_>) -> Result<DueEnded> {
    let mut all = DueEnded::default();
    let first = || doors.store.first_due_size(clock::now_ms(), LEASE_MS);
    while !deadline.passed() && !stopping::asked() {
        let needed = MemoryBudget::needed_by(first()?.unwrap_or(0));
        let room = doors.memory.take(needed.max(BATCH_BYTES));
        let Claimed { due, damaged } =
            doors.store.claim_due(clock::now_ms(), LEASE_MS, BATCH, room.bytes())?;
        let too_large = |size| MemoryBudget::needed_by(size) > room.bytes();
        // The steps of a process that has died are due only now.
        if due.is_empty() && damaged.is_empty() && !first()?.is_some_and(too_large) {
            break;
        }
        all.damaged.extend(damaged.iter().map(|key| is_damaged(key)));
        let DueEnded { ended, damaged } = run_claimed(doors, &due, deadline, done);
        all.ended.extend(ended);
        all.damaged.extend(damaged);
    }
    Ok(all)
}

fn is_damaged(key: &str) -> Error {
    Error::new(format_args!("the promise {key} in the journal is damaged, and its steps are not done"))
        .remedy(format_args!("drop them: carom outbox drop {key}"))
}

/// Does what is due of one message on record.
pub(crate) fn run_one(doors: &Doors, key: &str, deadline: Deadline, done: OnSteps<'_>) -> Result<Vec<Ended>> {
    let due = claim_one(doors, key)?;
    Ok(run_claimed(doors, due.as_slice(), deadline, done).ended)
}

/// Takes what is due of one message on record, unless another process works on it.
pub(crate) fn claim_one(doors: &Doors, key: &str) -> Result<Option<DueSteps>> {
    doors.store.claim_message(key, clock::now_ms(), LEASE_MS)
}

fn run_claimed(doors: &Doors, due: &[DueSteps], deadline: Deadline, done: OnSteps<'_>) -> DueEnded {
    let mut all = DueEnded::default();
    run_all(doors, due.iter().map(Underway::claimed).collect(), deadline, &mut |ends| {
        let with_steps = ends.iter().filter(|end| !end.ended.is_empty());
        let of_message = with_steps.map(|end| StepsDone { mail: &due[end.index].mail, ended: &end.ended });
        done(&of_message.collect::<Vec<_>>());
        for RunEnd { index, ended, on_record } in ends {
            all.ended.extend(ended);
            if !on_record {
                let key = due[index].mail.key.text();
                let what = format!("the store does not take how the steps of {key} ended");
                let fix = "see the error before; whoever claims steps next puts it on record";
                all.damaged.push(Error::new(what).remedy(fix));
            }
        }
    });
    all
}
