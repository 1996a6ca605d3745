//! Which recipient of a message a line is about.
//!
//! Recipients are named before aliases and rewriting are known (in the session, by a header check), and after
//! (when they are tried). Invariant: two recipients are taken for one only if the later line says that it
//! came from the earlier address, or if there can be no other.

use super::Status;
use super::message::{Message, Recipient, Said};

impl Message {
    /// The recipient that an attempt is about: the same addresses; or one that was named before its aliases
    /// were known; or a new one.
    pub(super) fn recipient_of(&mut self, address: &str, original: Option<&str>) -> usize {
        if let Some(at) = self.find(address, original) {
            self.unattempted -= u32::from(self.recipients[at].attempts == 0 && self.unattempted > 0);
            return at;
        }
        let single = self.nrcpt == Some(1);
        let requeued = self.requeued_as.is_some();
        if self.unattempted > 0 || requeued {
            let came_in = original.unwrap_or(address);
            let untried =
                |recipient: &Recipient| recipient.attempts == 0 && recipient.status != Status::Rejected;
            let same = |recipient: &Recipient| match recipient.address.as_deref() {
                None => true,
                Some(known) if recipient.attempts == 0 => known == came_in || known == address,
                Some(known) => requeued && known == address,
            };
            let found = self.recipients.iter().position(same).or_else(|| {
                let mut untried = (0..).zip(&self.recipients).filter(|(_, recipient)| untried(recipient));
                untried.next().filter(|_| single && untried.next().is_none()).map(|(at, _)| at)
            });
            if let Some(at) = found {
                self.unattempted -= u32::from(self.recipients[at].attempts == 0 && self.unattempted > 0);
                self.rename(at, address, original);
                return at;
            }
        }
        self.push(Recipient::new(Some(address), original, Status::Deferred, 0))
    }

    /// The recipient that a decision before the queue is about.
    pub(super) fn decided_recipient(&mut self, address: &str, status: Status, at_ms: i64) -> usize {
        self.find(address, None).unwrap_or_else(|| {
            self.unattempted += 1;
            self.push(Recipient::new(Some(address), None, status, at_ms))
        })
    }

    /// A recipient without a name, for all of them.
    pub(super) fn nameless(&mut self, status: Status, at_ms: i64) -> usize {
        self.unattempted += 1;
        self.push(Recipient::new(None, None, status, at_ms))
    }
}

impl Recipient {
    fn new(address: Option<&str>, original: Option<&str>, status: Status, last_ms: i64) -> Recipient {
        Recipient {
            address: address.map(Into::into),
            original: original.map(Into::into),
            status,
            attempts: 0,
            last_ms,
            said: Said::default(),
            told: None,
            changed: true,
        }
    }
}
