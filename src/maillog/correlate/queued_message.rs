//! A message under way: what is known of it and of each of its recipients.
//!
//! Plain data that can be written down and read back. Not here: which line changes what.
//! Invariant: a recipient keeps its place in the list, which is part of its delivery's id.

use super::packed_texts::PackedTexts;
use super::queued_recipient::{
    ADDRESS, DELAY, DELAYS, DSN, NOTIFICATION, ORIGINAL, QueuedRecipient, QueuedRecipients, RELAY, REPLY,
};
use crate::maillog::delivery::{Delivery, DeliveryStatus, identify};
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Serialize};
use std::hash::Hasher;

/// With more recipients than this they are found by an index.
const LISTED: usize = 16;

/// The first queue id.
pub(crate) const QUEUE_ID: usize = 0;
/// The server's name.
pub(crate) const HOST: usize = 1;
/// The Message-ID without brackets.
pub(crate) const MESSAGE_ID: usize = 2;
/// Whose message it is.
pub(crate) const CLIENT_ID: usize = 3;
/// Envelope sender.
pub(crate) const SENDER: usize = 4;
/// The queue id it has since it was requeued.
pub(crate) const REQUEUED_AS: usize = 5;
/// The queue id of the message that it reports on or goes on from.
pub(crate) const PARENT: usize = 6;

/// A message that is in the queue, or has just left it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct QueuedMessage {
    /// The texts, by number.
    pub(crate) texts: PackedTexts<7>,
    /// First and last line about it, milliseconds since 1970.
    pub(crate) first_ms: i64,
    /// See `first_ms`.
    pub(crate) last_ms: i64,
    /// Bytes.
    pub(crate) size: Option<u64>,
    /// Recipients, as the queue manager counts them.
    pub(crate) nrcpt: Option<u32>,
    /// The queue manager has taken it up since it was last taken in.
    pub(crate) active: bool,
    /// Removed, rejected or thrown away.
    pub(crate) closed: bool,
    /// An address is probed; nothing is delivered.
    pub(crate) probe: bool,
    /// Recipients that were named, or stood for, without an attempt.
    pub(crate) unattempted: u32,
    /// Everyone that a line named, in that order.
    pub(crate) recipients: QueuedRecipients,
    /// The id of the delivery to the first recipient; those of the others follow.
    #[serde(skip)]
    pub(crate) id: u64,
    /// There is no message here.
    #[serde(skip)]
    pub(crate) vacant: bool,
    #[serde(skip)]
    pub(crate) changed: bool,
    #[serde(skip)]
    pub(crate) weight: u32,
    #[serde(skip)]
    pub(crate) index: Option<Box<FxHashMap<u64, u32>>>,
}

impl QueuedMessage {
    /// The queue ids that lead to it.
    pub(crate) fn queue_ids(&self) -> impl Iterator<Item = &str> {
        self.texts.get(QUEUE_ID).into_iter().chain(self.texts.get(REQUEUED_AS))
    }

    /// The server's name; empty if it is not known.
    pub(crate) fn host(&self) -> &str {
        self.texts.get(HOST).unwrap_or_default()
    }

    /// The recipient with exactly these addresses.
    pub(crate) fn find(&mut self, address: &str, original: Option<&str>) -> Option<usize> {
        let same = |recipient: &QueuedRecipient| {
            recipient.texts.get(ADDRESS) == Some(address) && recipient.texts.get(ORIGINAL) == original
        };
        if self.recipients.len() <= LISTED {
            return self.recipients.iter().position(same);
        }
        let recipients = &self.recipients;
        let index = self.index.get_or_insert_with(|| {
            let entry = |(at, recipient): (usize, &QueuedRecipient)| (hash(recipient), at as u32);
            Box::new(recipients.iter().enumerate().map(entry).collect())
        });
        let at = *index.get(&hash_of(Some(address), original))? as usize;
        recipients.get(at).is_some_and(same).then_some(at)
    }

    /// Forgets everything, and keeps memory of the usual size for the next message.
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.recipients.clear();
        (self.size, self.nrcpt, self.index, self.unattempted) = (None, None, None, 0);
        (self.active, self.closed, self.probe, self.changed) = (false, false, false, false);
    }

    /// Adds a recipient that nothing was said of, and says where it stands.
    pub(crate) fn push(
        &mut self,
        address: Option<&str>,
        original: Option<&str>,
        status: DeliveryStatus,
        at_ms: i64,
    ) -> usize {
        let at = self.recipients.len();
        let recipient = self.recipients.add();
        recipient.texts.put(ADDRESS, address);
        recipient.texts.put(ORIGINAL, original);
        recipient.told = None;
        (recipient.status, recipient.attempts, recipient.notified) = (status, 0, false);
        (recipient.last_ms, recipient.changed) = (at_ms, true);
        if let Some(index) = &mut self.index {
            index.insert(hash(recipient), at as u32);
        }
        at
    }

    /// Gives the recipient at a place other addresses.
    pub(crate) fn rename(&mut self, at: usize, address: &str, original: Option<&str>) {
        let recipient = &mut self.recipients[at];
        recipient.texts.set(ADDRESS, address);
        recipient.texts.put(ORIGINAL, original);
        if let Some(index) = &mut self.index {
            index.insert(hash(&self.recipients[at]), at as u32);
        }
    }

    /// Finds out its id.
    pub(crate) fn identify(&mut self) {
        let text = |number| self.texts.get(number).unwrap_or_default().as_bytes();
        self.id = identify(&[text(HOST), text(QUEUE_ID), &self.first_ms.to_le_bytes()]);
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn measure(&self) -> u32 {
        let total = size_of::<QueuedMessage>()
            + 160
            + self.texts.weight()
            + self.recipients.iter().map(QueuedRecipient::weight).sum::<usize>()
            + self.index.as_ref().map_or(0, |index| index.capacity() * 20);
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// The delivery to the recipient at a place.
    pub(crate) fn delivery(&self, at: usize) -> Delivery<'_> {
        let recipient = &self.recipients[at];
        let (own, of_recipient) = (|number| self.texts.get(number), |number| recipient.texts.get(number));
        Delivery {
            id: self.id.wrapping_add(at as u64),
            queue_id: own(QUEUE_ID),
            message_id: own(MESSAGE_ID),
            client_id: own(CLIENT_ID),
            sender: own(SENDER),
            recipient: of_recipient(ADDRESS),
            original_recipient: of_recipient(ORIGINAL),
            status: recipient.status,
            attempts: recipient.attempts,
            first_seen: self.first_ms,
            last_seen: recipient.last_ms,
            relay: of_recipient(RELAY),
            dsn: of_recipient(DSN),
            reply: of_recipient(REPLY),
            category: None,
            delay: of_recipient(DELAY).and_then(|delay| delay.parse().ok()),
            delays: of_recipient(DELAYS),
            size: self.size,
            nrcpt: self.nrcpt,
            host: own(HOST).filter(|host| !host.is_empty()),
            requeued_as: own(REQUEUED_AS),
            parent: own(PARENT),
            notification: of_recipient(NOTIFICATION),
            before: recipient.told,
            superseded: false,
        }
    }
}

fn hash(recipient: &QueuedRecipient) -> u64 {
    hash_of(recipient.texts.get(ADDRESS), recipient.texts.get(ORIGINAL))
}

fn hash_of(address: Option<&str>, original: Option<&str>) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(address.unwrap_or_default().as_bytes());
    hasher.write_u8(0xff);
    hasher.write(original.unwrap_or_default().as_bytes());
    hasher.finish()
}
