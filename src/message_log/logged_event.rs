//! A line of the message log as it is read back: the decision about a message, a deferral, or what
//! became of it later.
//!
//! Not here: writing lines (`message_line`, `later_line`), and what several lines say together
//! (`trail`). Invariant: a line of an older or newer release is read as far as it is understood.

use crate::plan::Verdict;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The event of the line of another delivery.
const REDELIVERY: &str = "redelivery";
/// That of a line about steps that were done later.
const OUTBOX: &str = "outbox";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LoggedEvent {
    pub(crate) time: String,
    /// `redelivery`, `outbox` or `failed`; a decision has none.
    pub(crate) event: Option<String>,
    id: Option<String>,
    key: Option<String>,
    pub(crate) sender: String,
    pub(crate) recipient: String,
    pub(crate) original_recipient: Option<String>,
    pub(crate) queue_id: Option<String>,
    /// The file of a relay directory that it was in.
    file: Option<String>,
    pub(crate) message_id: Option<String>,
    /// The Message-ID of the message that it reports about.
    pub(crate) about: Option<String>,
    /// Addresses that it is about, if no step of it names them.
    pub(super) addresses: Vec<String>,
    /// It is about a failure in the mail log: nobody has handed in a message.
    pub(crate) from_log: bool,
    pub(crate) verdict: Option<Verdict>,
    pub(crate) reason: Option<String>,
    /// The key of the reason.
    pub(crate) unproven: Option<String>,
    pub(crate) counted: BTreeMap<String, u64>,
    pub(crate) results: Vec<LoggedStep>,
}

/// How a step ended, or did not.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LoggedStep {
    pub(crate) step: usize,
    pub(crate) action: String,
    pub(crate) result: String,
    pub(crate) note: String,
}

impl LoggedEvent {
    /// `None`: it is not a line of JSON.
    pub(crate) fn read(line: &[u8]) -> Option<LoggedEvent> {
        serde_json::from_slice(line).ok()
    }

    /// The key of the message in the journal.
    pub(crate) fn message(&self) -> Option<&str> {
        self.id.as_deref().or(self.key.as_deref())
    }

    /// The key under which the line is a record.
    pub(super) fn record(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The same as the line of another delivery, of which nothing came.
    pub(super) fn again(self) -> LoggedEvent {
        let event = Some(REDELIVERY.to_owned());
        LoggedEvent { event, counted: BTreeMap::new(), results: Vec::new(), ..self }
    }

    /// What the tries of a deferred message have in common: not each of them knew its key.
    pub(crate) fn same_try(&self) -> Option<String> {
        // Each try of a file has another key.
        match self.file.as_deref().or(self.queue_id.as_deref()).filter(|name| !name.is_empty()) {
            Some(name) => Some(format!("{name} <{}> <{}>", self.sender, self.recipient)),
            None => self.message().map(str::to_owned),
        }
    }

    pub(crate) fn is_deferral(&self) -> bool {
        self.event.is_none() && matches!(self.verdict, Some(Verdict::Defer(_)))
    }

    /// Whether it is the decision about a message.
    pub(crate) fn is_decision(&self) -> bool {
        self.event.is_none() && !self.is_deferral()
    }

    /// The file that it was in, if nothing else names the message.
    pub(super) fn nameless_file(&self) -> Option<&str> {
        let is_nameless = self.queue_id.as_deref().is_none_or(str::is_empty);
        self.file.as_deref().filter(|_| is_nameless)
    }

    /// Whether nothing will be decided about the message any more: its file was given up.
    pub(super) fn is_end(&self) -> bool {
        self.event.as_deref() == Some("failed")
    }

    /// The word for what became of the message when the line was written.
    pub(crate) fn word(&self) -> &str {
        match (&self.event, &self.verdict) {
            (None, _) | (Some(_), Some(Verdict::Defer(_))) => self.decision_word(),
            (Some(event), _) => event,
        }
    }

    /// The word for the verdict.
    pub(crate) fn decision_word(&self) -> &str {
        match &self.verdict {
            Some(Verdict::Defer(_)) => "deferred",
            Some(Verdict::Reject(_)) => "refused",
            Some(Verdict::Accept) => "accepted",
            None => "",
        }
    }

    /// Whether it is the line of another delivery.
    pub(super) fn is_redelivery(&self) -> bool {
        let is_decided = matches!(self.verdict, Some(Verdict::Accept | Verdict::Reject(_)));
        self.event.as_deref() == Some(REDELIVERY) && is_decided
    }

    /// Whether it is about steps that were done, or given up, after the message was answered.
    pub(super) fn is_of_outbox(&self) -> bool {
        self.event.as_deref() == Some(OUTBOX)
    }

    /// Whether it counts as a message that was kept because it has no effect.
    pub(super) fn counts_as_kept(&self) -> bool {
        self.is_decision() && self.counted.contains_key("unproven_kept")
    }

    /// Whether the policy failed on the message.
    pub(crate) fn is_policy_failure(&self) -> bool {
        self.counted.keys().any(|name| name.starts_with("policy_"))
    }

    /// Whether the message was for this address, before or after aliases.
    pub(crate) fn is_for(&self, address: &str) -> bool {
        self.recipient.eq_ignore_ascii_case(address)
            || self.original_recipient.as_ref().is_some_and(|one| one.eq_ignore_ascii_case(address))
    }
}
