//! What carom refuses itself: recipients and messages that no policy is asked about.
//!
//! Not here: who counts and logs it (`session_means`). Invariant: each answer about a recipient or
//! a message is either here or given by a policy.

use super::Conversation;
use crate::envelope::Envelope;
use crate::plan::Verdict;
use crate::smtp_reply::SmtpReply;

pub(crate) struct OwnRefusal {
    pub(crate) verdict: Verdict,
    /// The recipients that it is about. At MAIL there are none yet.
    pub(crate) envelopes: Vec<Envelope>,
    /// It is about a message, and not about one recipient or its size.
    pub(crate) is_of_message: bool,
}

impl Conversation<'_> {
    /// What was refused since this was asked last.
    pub(crate) fn take_refusals(&mut self) -> Vec<OwnRefusal> {
        std::mem::take(&mut self.refusals)
    }

    /// Notes that this is refused with this reply.
    pub(crate) fn note_refusal(&mut self, reply: &str, envelopes: Vec<Envelope>, is_of_message: bool) {
        let verdict = SmtpReply::refusal_in(reply).map(Verdict::of_refusal);
        self.refusals.extend(verdict.map(|verdict| OwnRefusal { verdict, envelopes, is_of_message }));
    }

    /// The same of the message whose text comes in. Of a message in pieces, each is refused.
    pub(super) fn note_refused_message(&mut self, reply: &str) {
        let Some(transaction) = self.transaction.clone().filter(|_| !self.is_noted) else { return };
        let name = self.name.as_deref().unwrap_or_default();
        let envelopes = transaction.envelopes(self.forwarded.clone(), self.client.address, name);
        self.is_noted = true;
        if !envelopes.is_empty() {
            self.note_refusal(reply, envelopes, true);
        }
    }

    /// That of the last recipient.
    pub(crate) fn last_envelope(&self) -> Option<Envelope> {
        let name = self.name.as_deref().unwrap_or_default();
        self.transaction.as_ref()?.last_envelope(self.forwarded.clone(), self.client.address, name)
    }
}
