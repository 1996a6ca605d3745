//! What the journal keeps: promises, steps and how they ended, as the rest of carom sees them.
//!
//! Not here: the rows (`sqlite/promise_rows.rs`, `sqlite/pending_rows.rs`) and what is done with them (`crate::journal`).

use super::tally::Tally;
use crate::envelope::Envelope;
use crate::plan::{Plan, StepEnd};
use serde::Serialize;
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

/// What an action did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Performed {
    #[serde(rename = "result")]
    pub(crate) end: StepEnd,
    /// One line; it starts with `!` if something went wrong.
    pub(crate) note: String,
    #[serde(skip)]
    pub(crate) tally: Tally,
}

impl Performed {
    /// Counts for `counter`, or for nothing if that is empty.
    pub(crate) fn new(end: StepEnd, counter: &str, note: String) -> Performed {
        let mut tally = Tally::default();
        if !counter.is_empty() {
            tally.add(counter);
        }
        Performed { end, note, tally }
    }
}

/// What became of one step of a promised plan: an entry of the message log, and a row to settle.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ended {
    /// Its number in the plan.
    pub(crate) step: usize,
    /// The name of its action.
    pub(crate) action: &'static str,
    #[serde(flatten)]
    pub(crate) done: Performed,
}

/// A message that needs no promise: nothing is left to do.
pub(crate) struct FinishedMessage<'a> {
    /// A second delivery under the same key changes nothing.
    pub(crate) key: Option<&'a str>,
    /// What it counts for.
    pub(crate) tally: &'a Tally,
    /// When it came, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Whether it counts as a message of its minute.
    pub(crate) message: bool,
}

/// A step that waits for its time, for another try, or for an operator.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PendingStep {
    /// Its name for operators: `KEY/NUMBER`.
    pub(crate) id: String,
    /// The key of its message.
    pub(crate) key: String,
    /// Its number in the plan.
    pub(crate) step: usize,
    /// The name of its action.
    pub(crate) action: String,
    /// `pending`: due at its time; `parked`: waiting for an operator.
    pub(crate) state: String,
    /// The recipient of its message.
    pub(crate) recipient: String,
    /// The address that a notification is about.
    pub(crate) address: Option<String>,
    /// When it was promised, in milliseconds since 1970, as every time that ends in `_ms`.
    pub(crate) since_ms: i64,
    pub(crate) due_ms: i64,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// What happened at the last try.
    pub(crate) note: String,
}

/// A notification about an address, and its state.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NotificationState {
    /// Its name for operators: `KEY/NUMBER`.
    pub(crate) id: String,
    /// What happened to the address.
    pub(crate) event: String,
    /// `succeeded`, `failed`, `skipped`, `pending` or `parked`.
    pub(crate) state: String,
    /// When it was promised.
    pub(crate) at_ms: i64,
    /// The time of the next try, if it is pending.
    pub(crate) due_ms: i64,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// What happened at the last try.
    pub(crate) note: String,
}
