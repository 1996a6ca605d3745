//! What the journal keeps: promises, steps and how they ended, as the rest of carom sees them.
//!
//! Not here: the rows (`sqlite/promise_rows.rs`, `sqlite/step_rows.rs`, `sqlite/pending_rows.rs`)
//! and what is done with them (`crate::journal`).

use super::tally::Tally;
use crate::envelope::Envelope;
use crate::mail::{Mail, MessageFile};
use crate::named_address::NamedAddress;
use crate::plan::{Plan, StepEnd, Verdict};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// What the journal knew about a key before it was asked to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing: it has written what it was given.
    New,
    /// Steps are pending or parked.
    Open,
    /// Nothing is left to do.
    Finished,
}

/// What the line of a message says that only the decision knows: its delivery may die before it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PromisedLine {
    /// What the message counted for, without its steps.
    pub(crate) counted: Tally,
    /// The Message-ID of the message that it reports about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<String>,
    /// Its own Message-ID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    /// Addresses that it is about, if no step of it names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) addresses: Vec<String>,
}

/// A promised message, for its line in the message log.
pub(crate) struct MessageOnRecord {
    pub(crate) key: String,
    /// When it was decided, or its last step ended; in milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) envelope: Envelope,
    /// The policy that decided.
    pub(crate) policy: String,
    pub(crate) seed: u64,
    pub(crate) verdict: Verdict,
    pub(crate) line: PromisedLine,
    pub(crate) steps: Vec<StepOnRecord>,
}

/// What the journal knows about a key.
#[derive(Debug)]
pub(crate) struct OnRecord {
    pub(crate) standing: Standing,
    /// The verdict that the first delivery was answered with; `None` for a key that was not on
    /// record, and for rows of older releases that promised nothing.
    pub(crate) verdict: Option<Verdict>,
    /// What a new message was counted for, if that is not what was promised: a bounce that was
    /// counted before.
    pub(crate) counted: Option<Tally>,
    /// What the line of the first delivery says, whether it was written or not; `None` as the
    /// verdict.
    pub(crate) line: Option<PromisedLine>,
}

/// What is promised about a message.
#[derive(Clone, Copy)]
pub(crate) struct Promise<'a> {
    pub(crate) plan: &'a Plan,
    /// The policy that decided.
    pub(crate) policy: &'a str,
    /// When it was decided, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// What the message counts for by itself.
    pub(crate) tally: &'a Tally,
    /// The Message-ID of the message that it reports about.
    pub(crate) about: Option<&'a str>,
    /// Addresses that it is about, if no step of it names them.
    pub(crate) addresses: &'a [String],
}

/// What is written down about one message.
pub(crate) enum Entry<'a> {
    /// Its steps are to be done.
    Promise(&'a Mail, Promise<'a>),
    /// Nothing is left to do. Every later delivery under the same key is answered with the verdict.
    Finished(FinishedMessage<'a>, &'a Verdict),
}

/// Steps of one message that this process is to do now.
pub(crate) struct DueSteps {
    pub(crate) mail: Mail,
    pub(crate) plan: Plan,
    /// The numbers of the steps.
    pub(crate) steps: Vec<usize>,
    /// The most tries any of them has had.
    pub(crate) attempts: u32,
}

/// What this process has claimed of all that is due.
pub(crate) struct Claimed {
    pub(crate) due: Vec<DueSteps>,
    /// Keys of promises that cannot be read. They wait for an operator.
    pub(crate) damaged: Vec<String>,
}

/// A message that is still to be forwarded.
pub(crate) struct ForwardedMessage {
    pub(crate) key: String,
    /// `None`: it is in the file.
    pub(crate) raw: Option<Vec<u8>>,
    pub(crate) file: Option<MessageFile>,
}

impl ForwardedMessage {
    pub(crate) fn names(&self, named: &NamedAddress) -> bool {
        let read = || self.file.as_ref()?.read().ok();
        self.raw.clone().or_else(read).is_some_and(|raw| named.is_in(&raw))
    }
}

/// An alert that was given up.
pub(crate) struct LostAlert {
    /// The name of its rule.
    pub(crate) rule: String,
    /// When it was to be told, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Why it was not.
    pub(crate) note: String,
}

/// What an action did.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Performed {
    #[serde(rename = "result")]
    pub(crate) end: StepEnd,
    /// What happened, in one line.
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
    pub(crate) action: Cow<'static, str>,
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

/// How the note of a notification begins that the config holds back.
pub(crate) const PAUSED: &str = "paused: ";

/// The words by which steps are chosen that wait: for their time or another try, for an operator,
/// and those of the pending ones that the config holds back.
pub(crate) const WAITING_STATES: [&str; 3] = ["pending", "parked", HELD_BACK];
/// The last of them.
const HELD_BACK: &str = "paused";

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
    #[serde(skip)]
    pub(crate) envelope: Envelope,
    /// The recipient of its message.
    pub(crate) recipient: String,
    /// The address that a notification is about.
    pub(crate) address: Option<String>,
    /// The sender domain of the mail that a notification is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_domain: Option<String>,
    /// When it was promised, in milliseconds since 1970, as every time that ends in `_ms`.
    pub(crate) since_ms: i64,
    pub(crate) due_ms: i64,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// What happened at the last try.
    pub(crate) note: String,
    /// Another step has to end first, and in a certain way: perhaps it never runs.
    #[serde(skip)]
    pub(crate) waits: bool,
    /// It is pending, and the config holds it back.
    #[serde(skip)]
    pub(crate) paused: bool,
    /// The promise cannot be read, so the step can only be dropped.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) damaged: bool,
}

impl PendingStep {
    /// Whom it is for: the address that a notification is about, or the recipient of its message.
    pub(crate) fn target(&self) -> &str {
        self.address.as_deref().unwrap_or(&self.recipient)
    }

    pub(crate) fn is_parked(&self) -> bool {
        self.state == "parked"
    }

    /// Whether it is in this state and does this, as far as they are given.
    pub(crate) fn is_of(&self, state: Option<&str>, action: Option<&str>) -> bool {
        let is_in = |state: &str| if state == HELD_BACK { self.paused } else { self.state == state };
        state.is_none_or(is_in) && action.is_none_or(|action| self.action == action)
    }
}

/// A step of a message, and its state.
#[derive(Clone, Debug)]
pub(crate) struct StepOnRecord {
    /// Its number in the plan.
    pub(crate) step: usize,
    /// The name of its action.
    pub(crate) action: String,
    /// The word for its end, or `pending`, or `skipped`: it never ran.
    pub(crate) state: &'static str,
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
    /// The word for its end, or `pending`, or `skipped`: it never ran.
    pub(crate) state: &'static str,
    /// When it was promised.
    pub(crate) at_ms: i64,
    /// The time of the next try, if it is pending.
    pub(crate) due_ms: i64,
    /// Tries so far.
    pub(crate) attempts: u32,
    /// What happened at the last try.
    pub(crate) note: String,
}
