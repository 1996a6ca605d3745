//! Messages that came to a halt before the promise: the policy failed, DNS did not answer, the
//! policy deferred the message, or the store could not be written.
//!
//! Not here: the steps before that (`deliver`). Invariant: nothing has been done about such a
//! message, so "try again later" is always a true answer.

use crate::config::OnTrap;
use crate::decide::Undecided;
use crate::error::{Error, Result};
use crate::mail::Mail;
use crate::message_log::{DecidedBy, MessageLine, MessageLog};
use crate::plan::Verdict;
use crate::policy::{Failure, Policy};
use crate::smtp_reply::SmtpReply;
use crate::store::{Store, Tally};

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

/// Where a halt is recorded: a line of the message log, as of any message without side effects.
pub(crate) struct HaltRecord<'a> {
    pub(crate) log: &'a MessageLog,
    pub(crate) store: &'a Store,
    pub(crate) policy: &'a Policy,
    pub(crate) mail: &'a Mail,
}

impl HaltRecord<'_> {
    /// Counts the message and returns the answer for the mail server.
    pub(crate) fn answer(&self, halt: Halt) -> Verdict {
        let reply = halt.reply();
        match halt {
            Halt::Undecided(Undecided::Policy(failure)) => self.policy_failed(&failure),
            Halt::Undecided(Undecided::Dns(_)) => self.deferred(reply, Tally::default()),
            Halt::Deferred(_, tally) => self.deferred(reply, tally),
            Halt::Store(_) => Verdict::Defer(reply),
        }
    }

    /// The log and a counter record the failure, and `on_trap` decides about the message.
    fn policy_failed(&self, failure: &Failure) -> Verdict {
        tracing::error!(queue_id = self.mail.envelope.queue_id, "{failure}");
        let mut tally = Tally::default();
        tally.add(failure.kind.counter());
        let verdict = match self.policy.on_trap {
            OnTrap::Accept => Verdict::Accept,
            _ => Verdict::Defer(SmtpReply::try_again_later(failure)),
        };
        if verdict == Verdict::Accept {
            tally.add("total_messages");
        }
        match (self.put(&verdict, Some(failure.to_string()), tally), &verdict) {
            (Err(error), Verdict::Accept) => Verdict::Defer(SmtpReply::try_again_later(error)),
            _ => verdict,
        }
    }

    /// A deferred message counts as deferred; it counts as a message once it has been decided.
    fn deferred(&self, reply: SmtpReply, mut tally: Tally) -> Verdict {
        tally.add("deferred");
        let verdict = Verdict::Defer(reply);
        if let Err(error) = self.put(&verdict, None, tally) {
            tracing::warn!(%error, "a deferral is not counted");
        }
        verdict
    }

    /// Its key binds no later delivery: that one is decided again.
    fn put(&self, verdict: &Verdict, reason: Option<String>, counted: Tally) -> Result<()> {
        let HaltRecord { log, store, policy, mail } = *self;
        let decided_by = DecidedBy { name: &policy.name, hash: policy.short_hash(), plan: String::new() };
        let line = MessageLine::new(mail.at_ms, &mail.envelope, decided_by, verdict, mail.seed);
        let line = line.because(reason).counting(counted).on_record(mail.key.another().text().to_owned());
        log.record(&[line], store)
    }
}
