//! Messages that came to a halt before the promise: the policy failed, DNS did not answer, or the
//! policy deferred the message.
//!
//! Not here: the steps before that (`deliver`). Invariant: nothing has been done about such a
//! message, so "try again later" is always a true answer.

use crate::config::OnTrap;
use crate::decide::Undecided;
use crate::error::Error;
use crate::mail::Mail;
use crate::message_log::{DecidedBy, MessageLine};
use crate::plan::Verdict;
use crate::policy::{Failure, Policy};
use crate::smtp_reply::SmtpReply;
use crate::store::Tally;

/// Why a message came to a halt.
pub(crate) enum Halt {
    Undecided(Undecided),
    /// The config would lose it.
    Misdirected(Error),
    /// The policy defers it; what was counted until then, and what a classifier should make of it.
    Deferred(SmtpReply, Tally, Option<String>),
}

impl Halt {
    /// What the mail server is answered, unless the config wants failed messages accepted.
    pub(crate) fn reply(&self) -> SmtpReply {
        match self {
            Halt::Undecided(undecided) => SmtpReply::try_again_later(undecided),
            Halt::Misdirected(error) => SmtpReply::try_again_later(error),
            Halt::Deferred(reply, ..) => reply.clone(),
        }
    }
}

/// A halted message: its answer once that is on record, why, and what it counts for.
pub(crate) struct Halted {
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<String>,
    pub(crate) tally: Tally,
    expect: Option<String>,
}

impl Halted {
    pub(crate) fn new(policy: &Policy, mail: &Mail, halt: Halt) -> Halted {
        let reply = halt.reply();
        match halt {
            Halt::Undecided(Undecided::Policy(failure)) => policy_failed(policy, mail, &failure),
            Halt::Undecided(Undecided::Dns(_)) | Halt::Misdirected(_) => deferred(reply, Tally::default()),
            Halt::Deferred(_, tally, expect) => Halted { expect, ..deferred(reply, tally) },
        }
    }

    /// A fault of ours: what was decided could not be written down.
    pub(crate) fn by_fault(error: &Error) -> Halted {
        deferred(SmtpReply::try_again_later(error), Tally::default())
    }

    /// Its line in the message log, as of any message without side effects. Its key binds no later
    /// delivery: that one is decided again.
    pub(crate) fn line<'l>(&'l self, policy: &'l Policy, mail: &'l Mail) -> MessageLine<'l> {
        let line = MessageLine::of_mail(mail, DecidedBy::of(policy, String::new()), &self.verdict)
            .named(mail.message_id())
            .of_file(mail.file_name());
        let key = mail.key.another().text().to_owned();
        line.because(self.reason.clone())
            .counting(self.tally.clone())
            .expecting(self.expect.clone())
            .on_record(key)
            .of_message(mail.key.text())
    }

    /// The answer if that could not be recorded: the message is not ours then.
    pub(crate) fn unrecorded(self, error: &Error) -> Verdict {
        match self.verdict {
            Verdict::Defer(_) => {
                tracing::warn!(%error, "a deferral is not counted");
                self.verdict
            }
            _ => Verdict::Defer(SmtpReply::try_again_later(error)),
        }
    }
}

/// The log and a counter record the failure, and `on_trap` decides about the message.
fn policy_failed(policy: &Policy, mail: &Mail, failure: &Failure) -> Halted {
    tracing::error!(queue_id = mail.envelope.queue_id, "{failure}");
    let mut tally = Tally::default();
    tally.add(failure.kind.counter());
    let verdict = match policy.on_trap {
        OnTrap::Accept => Verdict::Accept,
        _ => Verdict::Defer(SmtpReply::try_again_later(failure)),
    };
    tally.add(if verdict == Verdict::Accept { "total_messages" } else { "deferred" });
    Halted { verdict, reason: Some(failure.to_string()), tally, expect: None }
}

/// A deferred message counts as deferred; it counts as a message once it has been decided.
fn deferred(reply: SmtpReply, mut tally: Tally) -> Halted {
    tally.add("deferred");
    Halted { verdict: Verdict::Defer(reply), reason: None, tally, expect: None }
}
