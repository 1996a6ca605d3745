//! Which recipient of a message a line is about.
//!
//! Recipients are named before aliases and rewriting are known (in the session, by a header check), and after
//! (when they are tried). Invariant: two recipients are taken for one only if the later line says that it
//! came from the earlier address, or if there can be no other.

use super::DeliveryStatus;
use super::packed_texts::PackedTexts;
use super::queued_message::{QueuedMessage, REQUEUED_AS};
use crate::maillog::delivery::ReportedState;
use crate::maillog::postfix::NotificationKind;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

/// So many recipients are kept for the next message.
const SPARE: usize = 4;

/// The recipient after aliases. None: all of the message, before anyone was named.
pub(crate) const ADDRESS: usize = 0;
/// The recipient as it came in, if that is another.
pub(crate) const ORIGINAL: usize = 1;
/// What the last attempt or decision said, in the order of [`QueuedRecipient::says`].
pub(crate) const RELAY: usize = 2;
pub(crate) const DSN: usize = 3;
pub(crate) const DELAY: usize = 4;
pub(crate) const DELAYS: usize = 5;
pub(crate) const REPLY: usize = 6;
/// The queue id of the last notification about it.
pub(crate) const NOTIFICATION: usize = 7;

/// One recipient of a message.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct QueuedRecipient {
    /// The texts, by number.
    pub(crate) texts: PackedTexts<8>,
    /// How things stand.
    pub(crate) status: DeliveryStatus,
    /// Attempts that were logged.
    pub(crate) attempts: u32,
    /// Last line about it, milliseconds since 1970.
    pub(crate) last_ms: i64,
    /// The sender was told that it failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) notified: bool,
    /// How it stood when it was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) told: Option<ReportedState>,
    #[serde(skip)]
    pub(crate) changed: bool,
}

impl QueuedRecipient {
    /// How it stands.
    pub(crate) fn stands(&self) -> ReportedState {
        ReportedState { status: self.status, attempts: self.attempts, last_seen: self.last_ms }
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<QueuedRecipient>() + self.texts.weight() + 16
    }

    /// Is it what a notification of this kind is about?
    pub(crate) fn is_told_by(&self, notice: NotificationKind) -> bool {
        match notice {
            NotificationKind::NonDelivery => {
                !self.notified && matches!(self.status, DeliveryStatus::Bounced | DeliveryStatus::Expired)
            }
            NotificationKind::Delay => self.status == DeliveryStatus::Deferred,
            NotificationKind::Success => self.status == DeliveryStatus::Sent,
        }
    }

    /// Replaces what the last attempt or decision said: relay, dsn, delay, delays, reply. An empty text is none.
    pub(crate) fn says<'a>(&mut self, texts: impl Iterator<Item = Cow<'a, str>>) {
        for (number, text) in (RELAY..=REPLY).zip(texts) {
            self.texts.put(number, Some(&*text).filter(|text| !text.is_empty()));
        }
    }
}

/// A list of recipients, and memory for those of the next message.
#[derive(Clone, Debug, Default)]
pub(crate) struct QueuedRecipients {
    memory: Vec<QueuedRecipient>,
    used: usize,
}

impl QueuedRecipients {
    /// Adds one, which has no texts, and is else still as the last one in its place was.
    pub(crate) fn add(&mut self) -> &mut QueuedRecipient {
        if self.used == self.memory.len() {
            self.memory.push(QueuedRecipient::default());
        }
        self.used += 1;
        &mut self.memory[self.used - 1]
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.memory.truncate(SPARE);
        if self.memory.capacity() > 8 * SPARE {
            self.memory = Vec::new();
        }
        for recipient in &mut self.memory {
            recipient.texts.clear();
        }
    }
}

impl Deref for QueuedRecipients {
    type Target = [QueuedRecipient];

    fn deref(&self) -> &[QueuedRecipient] {
        &self.memory[..self.used]
    }
}

impl DerefMut for QueuedRecipients {
    fn deref_mut(&mut self) -> &mut [QueuedRecipient] {
        &mut self.memory[..self.used]
    }
}

impl Serialize for QueuedRecipients {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for QueuedRecipients {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<QueuedRecipients, D::Error> {
        let memory = Vec::deserialize(from)?;
        Ok(QueuedRecipients { used: memory.len(), memory })
    }
}

impl QueuedMessage {
    /// The recipient that an attempt is about: the same addresses; or one that was named before its aliases
    /// were known; or a new one.
    pub(crate) fn recipient_of(&mut self, address: &str, original: Option<&str>) -> usize {
        if let Some(at) = self.find(address, original) {
            self.unattempted -= u32::from(self.recipients[at].attempts == 0 && self.unattempted > 0);
            return at;
        }
        let single = self.nrcpt == Some(1);
        let requeued = !self.texts.is_none(REQUEUED_AS);
        if self.unattempted > 0 || requeued {
            let came_in = original.unwrap_or(address);
            let untried = |recipient: &QueuedRecipient| {
                recipient.attempts == 0 && recipient.status != DeliveryStatus::Rejected
            };
            let same = |recipient: &QueuedRecipient| match recipient.texts.get(ADDRESS) {
                None => true,
                Some(known) if recipient.attempts == 0 => known == came_in || known == address,
                Some(known) => requeued && known == address,
            };
            let found = self.recipients.iter().position(same).or_else(|| {
                let mut untried =
                    (0..).zip(self.recipients.iter()).filter(|(_, recipient)| untried(recipient));
                untried.next().filter(|_| single && untried.next().is_none()).map(|(at, _)| at)
            });
            if let Some(at) = found {
                self.unattempted -= u32::from(self.recipients[at].attempts == 0 && self.unattempted > 0);
                self.rename(at, address, original);
                return at;
            }
        }
        self.push(Some(address), original, DeliveryStatus::Deferred, 0)
    }

    /// The recipient that a decision before the queue is about.
    pub(crate) fn decided_recipient(&mut self, address: &str, status: DeliveryStatus, at_ms: i64) -> usize {
        self.find(address, None).unwrap_or_else(|| {
            self.unattempted += 1;
            self.push(Some(address), None, status, at_ms)
        })
    }

    /// A recipient without a name, for all of them.
    pub(crate) fn nameless(&mut self, status: DeliveryStatus, at_ms: i64) -> usize {
        self.unattempted += 1;
        self.push(None, None, status, at_ms)
    }
}
