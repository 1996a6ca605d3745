//! Messages that came to a halt before the promise: the policy failed, DNS did not answer, the
//! policy deferred the message, or the store could not be written.
//!
//! Not here: the steps before that (`deliver`). Invariant: nothing has been done about such a
//! message, so "try again later" is always a true answer.

use crate::config::OnTrap;
use crate::decide::Undecided;
use crate::error::Error;
use crate::mail::Mail;
use crate::plan::Verdict;
use crate::policy::{Failure, Policy};
use crate::smtp_reply::SmtpReply;
use crate::store::{FinishedMessage, Store, Tally};

/// Why a message came to a halt.
pub(crate) enum Halt {
    Undecided(Undecided),
    /// The policy defers it; what was counted until then.
    Deferred(SmtpReply, Tally),
    Store(Error),
}

impl Halt {
    /// What the mail server is answered, unless the config wants failed messages accepted.
    pub(crate) fn reply(&self) -> SmtpReply {
        match self {
            Halt::Undecided(undecided) => SmtpReply::try_again_later(undecided),
            Halt::Deferred(reply, _) => reply.clone(),
            Halt::Store(error) => SmtpReply::try_again_later(error),
        }
    }
}

/// Counts the message and returns the answer for the mail server.
pub(crate) fn answer(store: &Store, policy: &Policy, mail: &Mail, halt: Halt) -> Verdict {
    let reply = halt.reply();
    match halt {
        Halt::Undecided(Undecided::Policy(failure)) => policy_failed(store, policy, mail, &failure),
        Halt::Undecided(Undecided::Dns(_)) => deferred(store, mail, reply, Tally::default()),
        Halt::Deferred(_, tally) => deferred(store, mail, reply, tally),
        Halt::Store(_) => Verdict::Defer(reply),
    }
}

/// The log and a counter record the failure, and `on_trap` decides about the message.
fn policy_failed(store: &Store, policy: &Policy, mail: &Mail, failure: &Failure) -> Verdict {
    tracing::error!(queue_id = mail.envelope.queue_id, "{failure}");
    let mut tally = Tally::default();
    tally.add(failure.kind.counter());
    let accept = policy.on_trap == OnTrap::Accept;
    if accept {
        tally.add("total_messages");
    }
    let record = FinishedMessage { key: None, tally: &tally, at_ms: mail.at_ms, message: accept };
    match (store.record_finished(&record), accept) {
        (Ok(()), true) => Verdict::Accept,
        (Err(error), true) => Verdict::Defer(SmtpReply::try_again_later(error)),
        (_, false) => Verdict::Defer(SmtpReply::try_again_later(failure)),
    }
}

/// A deferred message counts as deferred; it counts as a message once it has been decided.
fn deferred(store: &Store, mail: &Mail, reply: SmtpReply, mut tally: Tally) -> Verdict {
    tally.add("deferred");
    let record = FinishedMessage { key: None, tally: &tally, at_ms: mail.at_ms, message: false };
    if let Err(error) = store.record_finished(&record) {
        tracing::warn!(%error, "a deferral is not counted");
    }
    Verdict::Defer(reply)
}
