//! What a line says about a message, and how it is written.
//!
//! Not here: files (`files::daily`), and reading lines (`folding`, `log_reading`). Invariant: what
//! a record must say (its key, verdict and counters) is never cut off for its length.

use crate::clock;
use crate::envelope::Envelope;
use crate::files::daily::MAX_LINE;
use crate::mail::Mail;
use crate::plan::{Unproven, Verdict};
use crate::policy::Policy;
use crate::store::{Ended, MessageRecord, Tally};
use crate::text::bounded;
use serde::Serialize;

/// Addresses that a line has which is too long otherwise.
const FEW: usize = 3;
/// Longest text of a record that is too long otherwise.
const LONGEST_TEXT: usize = 1000;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MessageLine<'a> {
    #[serde(skip)]
    at_ms: i64,
    /// When the message was decided (RFC 3339, UTC).
    time: String,
    #[serde(flatten)]
    envelope: &'a Envelope,
    /// The Message-ID of the message, without its brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    /// The file of a relay directory that it was in.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// The Message-ID of the message that it reports about.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    /// Addresses that it is about, if no step of it names them.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    addresses: &'a [String],
    /// It is about a failure in the mail log: nobody has handed in a message.
    #[serde(skip_serializing_if = "is_not")]
    from_log: bool,
    #[serde(flatten)]
    decided_by: DecidedBy<'a>,
    /// `carom policy run --seed` with it makes the same decision again.
    seed: u64,
    /// The answer to the mail server.
    verdict: &'a Verdict,
    /// Why it is this one, or why nothing else follows, if that is not the policy's decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Why the message was accepted without an effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    unproven: Option<Unproven>,
    /// What a classifier should make of the refusal or the bounce.
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<String>,
    /// The counters that the decision incremented.
    counted: Tally,
    /// The steps that were run, and how each ended.
    results: Vec<Ended>,
    /// Only in a record: the store has every other message.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// The key of the message, with which the ids in `carom outbox` begin, if the line is no record
    /// under it. All lines about the message have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

/// The policy that decided, down to its bytes; by default, none did.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct DecidedBy<'a> {
    #[serde(rename = "policy")]
    pub(crate) name: &'a str,
    /// The first digits of the SHA-256 of its component.
    #[serde(rename = "policy_hash")]
    pub(crate) hash: &'a str,
    /// The digest of the plan: equal plans, equal digests. Empty if there was none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) plan: String,
}

impl<'a> DecidedBy<'a> {
    pub(crate) fn of(policy: &'a Policy, plan: String) -> DecidedBy<'a> {
        DecidedBy { name: &policy.name, hash: policy.short_hash(), plan }
    }
}

impl<'a> MessageLine<'a> {
    /// A line about this message, without counters and results.
    pub(crate) fn of_mail(
        mail: &'a Mail,
        decided_by: DecidedBy<'a>,
        verdict: &'a Verdict,
    ) -> MessageLine<'a> {
        MessageLine::new(mail.at_ms, &mail.envelope, decided_by, verdict, mail.seed)
    }

    /// The same for a message that came at `at_ms`.
    pub(crate) fn new(
        at_ms: i64,
        envelope: &'a Envelope,
        decided_by: DecidedBy<'a>,
        verdict: &'a Verdict,
        seed: u64,
    ) -> MessageLine<'a> {
        MessageLine {
            at_ms,
            time: clock::rfc3339(at_ms),
            envelope,
            message_id: None,
            file: None,
            about: None,
            addresses: &[],
            from_log: false,
            decided_by,
            seed,
            verdict,
            reason: None,
            unproven: None,
            expect: None,
            counted: Tally::default(),
            results: Vec::new(),
            key: None,
            id: None,
        }
    }

    pub(crate) fn counting(self, counted: Tally) -> MessageLine<'a> {
        MessageLine { counted, ..self }
    }

    pub(crate) fn expecting(self, expect: Option<String>) -> MessageLine<'a> {
        MessageLine { expect, ..self }
    }

    pub(crate) fn with_results(self, results: Vec<Ended>) -> MessageLine<'a> {
        MessageLine { results, ..self }
    }

    pub(crate) fn because(self, reason: Option<String>) -> MessageLine<'a> {
        MessageLine { reason, ..self }
    }

    /// Accepted without an effect. Without another reason, the line has its text.
    pub(crate) fn without_effect(self, unproven: Option<Unproven>) -> MessageLine<'a> {
        let reason = self.reason.or_else(|| unproven.map(|unproven| unproven.text().to_owned()));
        MessageLine { unproven, reason, ..self }
    }

    /// Of the message with this Message-ID.
    pub(crate) fn named(self, message_id: Option<String>) -> MessageLine<'a> {
        MessageLine { message_id, ..self }
    }

    /// Of a message that was in this file of a relay directory.
    pub(crate) fn of_file(self, file: Option<String>) -> MessageLine<'a> {
        MessageLine { file, ..self }
    }

    /// As the line of a message that the store has on record: it counts nothing more.
    pub(super) fn recorded_elsewhere(&'a self) -> MessageLine<'a> {
        MessageLine { key: None, id: self.id.or(self.key.as_deref()), ..self.clone() }
    }

    /// A report about the message with this Message-ID.
    pub(crate) fn about(self, about: Option<String>) -> MessageLine<'a> {
        MessageLine { about, ..self }
    }

    /// About these addresses.
    pub(crate) fn naming(self, addresses: &'a [String]) -> MessageLine<'a> {
        MessageLine { addresses, ..self }
    }

    /// About a failure in the mail log.
    pub(crate) fn of_log_failure(self) -> MessageLine<'a> {
        MessageLine { from_log: true, ..self }
    }

    /// Of the message with this key.
    pub(crate) fn of_message(self, id: &'a str) -> MessageLine<'a> {
        MessageLine { id: Some(id), ..self }
    }

    /// As a record: a second one under this key counts nothing.
    pub(crate) fn on_record(self, key: String) -> MessageLine<'a> {
        MessageLine { key: Some(key), ..self }
    }

    /// What the store keeps of it, if it is a record.
    pub(super) fn record(&self) -> Option<MessageRecord> {
        let (verdict, counted) = (self.verdict.clone(), self.counted.clone());
        self.key.clone().map(|key| MessageRecord { key, at_ms: self.at_ms, verdict, counted, is_gone: false })
    }

    /// The message that it is the record of, and what that was promised.
    pub(super) fn promised(&self) -> Option<(&str, &Verdict)> {
        Some((self.key.as_deref()?, self.verdict))
    }

    pub(super) fn is_deferral(&self) -> bool {
        matches!(self.verdict, Verdict::Defer(_))
    }

    /// As a line of JSON without its end. A line that is too long is shortened, and stays JSON.
    pub(crate) fn json(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        match (json.len() < MAX_LINE, &self.key) {
            (true, _) => json,
            (_, Some(_)) => self.shorter_record(),
            (_, None) => self.without_long_notes(),
        }
    }

    /// The envelope and the texts lose their ends.
    fn shorter_record(&self) -> String {
        let cut = |text: &String| bounded(text, LONGEST_TEXT).to_owned();
        let whole = self.envelope;
        let envelope = Envelope {
            sender: cut(&whole.sender),
            recipient: cut(&whole.recipient),
            original_recipient: whole.original_recipient.as_ref().map(cut),
            client_helo: whole.client_helo.as_ref().map(cut),
            queue_id: whole.queue_id.as_ref().map(cut),
            envid: whole.envid.as_ref().map(cut),
            ..whole.clone()
        };
        let mut verdict = self.verdict.clone();
        if let Verdict::Reject(reply) | Verdict::Defer(reply) = &mut verdict {
            reply.text = cut(&reply.text);
        }
        let (decided_by, reason) = (self.decided_by.clone(), self.reason.as_ref().map(cut));
        let shorter = MessageLine {
            at_ms: self.at_ms,
            time: self.time.clone(),
            envelope: &envelope,
            message_id: self.message_id.clone(),
            file: self.file.clone(),
            about: self.about.clone(),
            addresses: &self.addresses[..self.addresses.len().min(FEW)],
            from_log: self.from_log,
            decided_by,
            seed: self.seed,
            verdict: &verdict,
            reason,
            unproven: self.unproven,
            expect: self.expect.clone(),
            counted: self.counted.clone(),
            results: Vec::new(),
            key: self.key.clone(),
            id: self.id,
        };
        serde_json::to_string(&shorter).unwrap_or_default()
    }

    /// The line loses notes and results.
    fn without_long_notes(&self) -> String {
        let mut short = self.clone();
        short.results = shorter_results(&self.results);
        short.addresses = &self.addresses[..self.addresses.len().min(FEW)];
        let shorter = serde_json::to_string(&short).unwrap_or_default();
        if shorter.len() < MAX_LINE {
            shorter
        } else {
            format!(r#"{{"time":"{}","too_long":true}}"#, self.time)
        }
    }
}

fn is_not(is: &bool) -> bool {
    !is
}

/// The first results, with the beginnings of their notes.
pub(super) fn shorter_results(results: &[Ended]) -> Vec<Ended> {
    let mut short: Vec<Ended> = results.iter().take(20).cloned().collect();
    for result in &mut short {
        result.done.note.truncate(result.done.note.floor_char_boundary(200));
    }
    short
}
