//! Decisions of a session before its message has a queue id.
//!
//! A refusal ends there. A recipient that is put on hold or discarded belongs to the message that
//! the same process gives a queue id next. Not here: decisions on queued messages
//! (`message_decisions`). Invariant: a decision goes to a message of the same process, host and
//! client, or to none.

use super::refused_in_session::{RefusedInSession, id_of_refusal};
use crate::config::OwnMail;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::postfix::{LogLine, SessionDecision};
use crate::maillog::recent_ids::RecentIds;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Decisions that wait for a queue id, at most.
const WAITING: usize = 1_000;

/// A recipient that smtpd put on hold or discards.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DecidedInSession {
    pid: u32,
    host: Box<str>,
    client: Box<str>,
    at_ms: i64,
    pub(crate) status: LoggedStatus,
    pub(crate) recipient: Option<Box<str>>,
    pub(crate) reply: Box<str>,
}

impl DecidedInSession {
    /// Whether the process that decided wrote the line, too.
    fn is_of(&self, line: &LogLine<'_>) -> bool {
        self.pid == line.pid && *self.host == *line.text(line.host)
    }
}

#[derive(Clone, Default)]
pub(crate) struct SessionDecisions {
    /// Refusals that were not drained.
    refused: Vec<RefusedInSession>,
    waiting: VecDeque<DecidedInSession>,
    /// Ids of the last refusals, and how many equal ones followed each.
    recent: RecentIds,
}

impl SessionDecisions {
    /// Goes on from what was stored.
    pub(crate) fn new(waiting: VecDeque<DecidedInSession>, recent: RecentIds) -> SessionDecisions {
        SessionDecisions { refused: Vec::new(), waiting, recent }
    }

    /// What must be stored once all refusals are drained.
    pub(crate) fn into_stored(self) -> (VecDeque<DecidedInSession>, RecentIds) {
        (self.waiting, self.recent)
    }

    pub(crate) fn decided<'a>(&mut self, line: &LogLine<'a>, decision: &SessionDecision<'a>, own: &OwnMail) {
        let Some(status) = decision.action.status() else { return };
        let recipient = decision.envelope.recipient.map(|recipient| line.text(recipient));
        if status == LoggedStatus::Rejected {
            // The refusal overrules a decision about the same recipient.
            let overruled = |waiting: &DecidedInSession| {
                waiting.is_of(line) && waiting.recipient.as_deref() == recipient.as_deref()
            };
            self.waiting.retain(|waiting| !overruled(waiting));
            let id = self.new_id(line, decision);
            self.refused.push(RefusedInSession::new(id, line, decision, own));
            return;
        }
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back(DecidedInSession {
            pid: line.pid,
            host: line.text(line.host).into(),
            client: line.text(decision.client).into(),
            at_ms: line.at_ms,
            status,
            recipient: recipient.map(Into::into),
            reply: line.text(decision.reply).into(),
        });
    }

    /// The id of a refusal; equal ones of one moment are counted.
    fn new_id(&mut self, line: &LogLine<'_>, decision: &SessionDecision<'_>) -> u64 {
        let first = id_of_refusal(line, decision, 0);
        match self.recent.count(first) {
            0 => first,
            before => id_of_refusal(line, decision, before),
        }
    }

    /// Takes a decision on the message that this client is now submitting.
    pub(crate) fn claim<'a>(&mut self, line: &LogLine<'a>, client: &'a [u8]) -> Option<DecidedInSession> {
        if self.waiting.is_empty() {
            return None;
        }
        let client = line.text(client);
        let of_client = |waiting: &DecidedInSession| waiting.is_of(line) && *waiting.client == client;
        let at = self.waiting.iter().position(of_client)?;
        self.waiting.remove(at)
    }

    /// The process ended its session: its decisions belong to no message.
    pub(crate) fn session_ended(&mut self, line: &LogLine<'_>) {
        self.waiting.retain(|waiting| !waiting.is_of(line));
    }

    /// Gives each refusal to `each`, once.
    pub(crate) fn drain_refused(&mut self, mut each: impl FnMut(&RefusedInSession)) {
        self.refused.drain(..).for_each(|refused| each(&refused));
    }

    /// Forgets decisions before this time that no message claimed.
    pub(crate) fn forget(&mut self, before_ms: i64) {
        while self.waiting.front().is_some_and(|waiting| waiting.at_ms < before_ms) {
            self.waiting.pop_front();
        }
    }
}
