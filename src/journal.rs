//! Promises kept: a plan with side effects is written down before the first of them, each step is ticked off when it
//! is done, and what could not be done now is taken up again later.
//!
//! The rows are the store's; what a step does is `action`'s. Invariant: once `promise` has returned, every step is done,
//! or given up with a reason that is on record, however often the process is killed; a step on record as done is never
//! done again.

use crate::action::{self, Doors, Keep, Subject};
use crate::clock;
use crate::deadline::Deadline;
use crate::digest;
use crate::envelope::Envelope;
use crate::error::Result;
use crate::message::Message;
use crate::plan::{Plan, Step, StepEnd};
use crate::store::{Ended, Job, Performed, Promise, Standing, Store};
use rayon::prelude::*;
use std::net::IpAddr;

/// How long a step may be under way before another process takes it for abandoned: longer than any deadline.
const LEASE_MS: i64 = 15 * 60 * 1000;
/// Due steps taken up in one go.
const BATCH: usize = 64;

/// What identifies a delivery.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    text: String,
    /// The mail server names the delivery: the same key is the same delivery, even after it was finished.
    named: bool,
}

impl Key {
    /// The key of a message from a pipe. The mail server's queue id makes it lasting; without one, two runs on the same
    /// bytes are two messages, unless the first was cut off.
    pub(crate) fn of_message(envelope: &Envelope, raw: &[u8]) -> Key {
        let queue_id = envelope.queue_id.as_deref().unwrap_or_default().as_bytes();
        let (sender, recipient) = (envelope.sender.as_bytes(), envelope.recipient.as_bytes());
        let text = digest::sha256_hex(&[queue_id, b"\0", sender, b"\0", recipient, b"\0", raw], 32);
        Key { text, named: envelope.queue_id.is_some() }
    }

    /// The key of a claimed file.
    pub(crate) fn of_claim(text: String) -> Key {
        Key { text, named: true }
    }

    /// The key under which a message without promises is put on record, where a second delivery can be recognised.
    pub(crate) fn of_a_redelivery(&self) -> Option<&str> {
        self.named.then_some(self.text.as_str())
    }

    /// The key of a delivery that a mail log tells of.
    pub(crate) fn of_delivery(id: u64) -> Key {
        Key { text: format!("log-{id:016x}"), named: true }
    }

    /// A key that nobody has used.
    fn another(&self) -> String {
        format!("{}-{:08x}", self.text, fastrand::u32(..))
    }
}

/// A message whose steps are being done.
pub(crate) struct Work<'a> {
    /// Its key in the journal.
    pub(crate) key: &'a str,
    /// Its bytes.
    pub(crate) raw: &'a [u8],
    /// Its envelope.
    pub(crate) envelope: &'a Envelope,
    /// The SMTP client that brought it.
    pub(crate) client_address: Option<IpAddr>,
    /// What was promised.
    pub(crate) plan: &'a Plan,
    /// The seed of its decision.
    pub(crate) seed: u64,
    /// When it was decided, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Where a kept copy goes.
    pub(crate) keep: Keep,
}

/// Writes the promise down. `Standing::New` means that it is ours to keep; otherwise it is on record already.
pub(crate) fn promise(store: &Store, key: &Key, promise: Promise<'_>) -> Result<(String, Standing)> {
    let standing = store.promise(&Promise { key: &key.text, ..promise }, LEASE_MS)?;
    match standing {
        Standing::New => Ok((key.text.clone(), standing)),
        // Cut off, or named by the mail server: the same message again. What is left of it is done, nothing twice.
        Standing::Open { abandoned } if abandoned || key.named => Ok((key.text.clone(), standing)),
        Standing::Finished if key.named => Ok((key.text.clone(), standing)),
        Standing::Open { .. } | Standing::Finished => {
            let another = key.another();
            let standing = store.promise(&Promise { key: &another, ..promise }, LEASE_MS)?;
            Ok((another, standing))
        }
    }
}

/// Does the steps of a message that was just promised, and what they unlock; says what became of each.
pub(crate) fn run(doors: &Doors, work: &Work<'_>, deadline: Deadline) -> Vec<Ended> {
    let at_once = |(number, step): (usize, &Step)| step.starts_at_once().then_some(number);
    let first: Vec<usize> = work.plan.steps.iter().enumerate().filter_map(at_once).collect();
    run_from(doors, work, first, 0, deadline)
}

/// Does the steps that are ours already, then those that they unlock.
fn run_from(
    doors: &Doors,
    work: &Work<'_>,
    first: Vec<usize>,
    attempts: u32,
    deadline: Deadline,
) -> Vec<Ended> {
    let mut ended = Vec::new();
    let (mut ready, mut attempts) = (first, attempts);
    loop {
        if !ready.is_empty() {
            let (these, finished) = run_ready(doors, work, &ready, attempts, deadline);
            ended.extend(these);
            if finished {
                return ended;
            }
        }
        attempts = 0;
        if deadline.passed() {
            break;
        }
        ready = match doors.store.claim(work.key, clock::now_ms(), LEASE_MS) {
            Ok(ready) if ready.is_empty() => break,
            Ok(ready) => ready,
            Err(error) => {
                tracing::error!(%error, key = work.key, "steps are left to the next tick");
                break;
            }
        };
    }
    if let Err(error) = doors.store.release(work.key) {
        tracing::warn!(%error, key = work.key, "stays marked as under way until this process is gone");
    }
    ended
}

/// Does every step that is due, of whatever message. Returns what became of them.
pub(crate) fn run_due(doors: &Doors, deadline: Deadline) -> Result<Vec<Ended>> {
    let mut ended = Vec::new();
    while !deadline.passed() {
        let jobs = doors.store.claim_due(clock::now_ms(), LEASE_MS, BATCH)?;
        if jobs.is_empty() {
            break;
        }
        ended.par_extend(jobs.par_iter().flat_map_iter(|job| run_job(doors, job, deadline)));
    }
    Ok(ended)
}

/// Does what is due of one message on record.
pub(crate) fn run_one(doors: &Doors, key: &str, deadline: Deadline) -> Result<Vec<Ended>> {
    let job = doors.store.claim_job(key, clock::now_ms(), LEASE_MS)?;
    Ok(job.map(|job| run_job(doors, &job, deadline)).unwrap_or_default())
}

fn run_job(doors: &Doors, job: &Job, deadline: Deadline) -> Vec<Ended> {
    let work = Work {
        key: &job.key,
        raw: &job.message,
        envelope: &job.envelope,
        client_address: job.envelope.client_address,
        plan: &job.plan,
        seed: job.seed,
        at_ms: job.at_ms,
        keep: Keep::named(&doors.config, &job.key),
    };
    run_from(doors, &work, job.steps.clone(), job.attempts, deadline)
}

/// Does these steps, all at once, and puts what became of them on record; says whether nothing is left to do.
fn run_ready(
    doors: &Doors,
    work: &Work<'_>,
    ready: &[usize],
    attempts: u32,
    deadline: Deadline,
) -> (Vec<Ended>, bool) {
    let perform = |&step: &usize| {
        let message = Message::read(work.raw);
        let subject = Subject {
            message: &message,
            envelope: work.envelope,
            client_address: work.client_address,
            seed: work.seed,
            key: work.key,
            at_ms: work.at_ms,
            keep: &work.keep,
        };
        let action = &work.plan.steps[step].action;
        let done = action::perform(action, &subject, doors, attempts, deadline);
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
            // Counters that wait for this step are settled with it, without a transaction for each.
            let counts = work.plan.counts_after(step, end == StepEnd::Succeeded);
            ended.extend(counts.into_iter().map(|(step, name)| {
                let done = Performed::new(StepEnd::Succeeded, name, name.to_owned());
                Ended { step, action: "count", done }
            }));
        }
    }
    let finished = doors.store.settle(work.key, &ended, clock::now_ms()).unwrap_or_else(|error| {
        tracing::error!(%error, key = work.key, "what was done is not on record: it may be done again");
        false
    });
    (ended, finished)
}
