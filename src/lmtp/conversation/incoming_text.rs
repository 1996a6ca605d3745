//! The text of a message while it comes in: what is kept of it, and how it ends.
//!
//! Not here: where its lines end (`dot_reader`). Invariant: of a message that is refused, nothing
//! is kept.

use super::{Arrived, Conversation, Dialect, Turn, ok, say};
use crate::config::ChaosMoment;
use crate::mail::Content;
use std::borrow::Cow;
use std::sync::Arc;

/// The reply to a message that is too large. Its client keeps it: a limit below that of the mail
/// server loses no mail.
pub(super) const TOO_LARGE: &str = "452 4.3.4 message larger than [message] max_size";
/// What a recipient takes on the way: envelope, facts, plan.
const RECIPIENT: usize = 1024;

impl Conversation<'_> {
    /// Bytes of the message so far, and of its envelope.
    pub(crate) fn held(&self) -> usize {
        self.body.len() + self.transaction.as_ref().map_or(0, |one| one.recipients.len() * RECIPIENT)
    }

    /// Bytes of the message, as the client has announced them (SIZE). Zero: it has not.
    pub(crate) fn announced(&self) -> u64 {
        self.transaction.as_ref().and_then(|one| one.mail.size).unwrap_or(0).min(self.rules.max_size)
    }

    /// Whether the message that is being read is refused already.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// The rest of the message is read, and the message refused with this line.
    pub(crate) fn refuse_body(&mut self, reply: impl Into<Cow<'static, str>>) {
        self.refused.get_or_insert_with(|| reply.into());
        self.body = Vec::new();
    }

    pub(super) fn end_of_piece(&mut self, last: bool, out: &mut Vec<u8>) -> Turn {
        match (self.refused.clone(), last) {
            (_, true) => self.end_of_body(out),
            (None, false) => ok(out, "250 2.0.0 ok"),
            (Some(refused), false) => {
                self.note_refused_message(&refused);
                self.refuse(&refused, out)
            }
        }
    }

    pub(super) fn end_of_body(&mut self, out: &mut Vec<u8>) -> Turn {
        self.said = Some(ChaosMoment::Text);
        if let Some(refused) = self.refused.clone() {
            return self.end_of_refused(&refused, out);
        }
        let (body, forwarded) = (std::mem::take(&mut self.body), self.forwarded.take());
        let transaction = self.transaction.take().unwrap_or_default();
        self.reset();
        let name = self.name.as_deref().unwrap_or_default();
        let envelopes = transaction.envelopes(forwarded, self.client.address, name);
        Turn::Message(Arrived { envelopes, content: Content::read(Arc::new(body)) })
    }

    fn end_of_refused(&mut self, refused: &str, out: &mut Vec<u8>) -> Turn {
        self.note_refused_message(refused);
        let replies = match (self.rules.dialect, &self.transaction) {
            (Dialect::Lmtp, Some(transaction)) => transaction.recipients.len().max(1),
            _ => 1,
        };
        self.reset();
        (1..replies).for_each(|_| say(out, refused));
        self.refuse(refused, out)
    }
}

/// Text of a message that fits.
pub(super) fn keep(body: &mut Vec<u8>, refused: &mut Option<Cow<'static, str>>, text: &[u8], max_size: u64) {
    if refused.is_some() {
        return;
    }
    if (body.len() + text.len()) as u64 > max_size {
        *refused = Some(TOO_LARGE.into());
        *body = Vec::new();
        return;
    }
    body.extend_from_slice(text);
}
