//! A message under way: what is known of it and of each of its recipients.
//!
//! Plain data that can be written down and read back. Not here: which line changes what.
//! Invariant: a recipient keeps its place in the list, which is part of its delivery's id.

use super::recipient::{Recipient, Recipients};
use super::text::Text;
use crate::logs::delivery::{Delivery, Status, identify};
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Serialize};
use std::hash::Hasher;

/// With more recipients than this they are found by an index.
const LISTED: usize = 16;

/// A message that is in the queue, or has just left it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// The first queue id.
    pub queue_id: Text,
    /// The server's name.
    pub host: Text,
    /// First and last line about it, milliseconds since 1970.
    pub first_ms: i64,
    /// See `first_ms`.
    pub last_ms: i64,
    /// Without brackets.
    pub message_id: Text,
    /// Whose it is.
    pub client_id: Text,
    /// Envelope sender.
    pub sender: Text,
    /// Bytes.
    pub size: Option<u64>,
    /// Recipients, as the queue manager counts them.
    pub nrcpt: Option<u32>,
    /// The queue manager has taken it up since it was last taken in.
    pub active: bool,
    /// Removed, rejected or thrown away.
    pub closed: bool,
    /// An address is probed; nothing is delivered.
    pub probe: bool,
    /// The queue id it has since it was requeued.
    pub requeued_as: Text,
    /// The message it reports on or goes on from.
    pub parent: Text,
    /// The last notification about it.
    pub notification: Text,
    /// Recipients that were named, or stood for, without an attempt.
    pub unattempted: u32,
    /// Everyone that a line named, in that order.
    pub recipients: Recipients,
    /// The id of the delivery to the first recipient; those of the others follow.
    #[serde(skip)]
    pub(super) id: u64,
    /// There is no message here.
    #[serde(skip)]
    pub(super) vacant: bool,
    #[serde(skip)]
    pub(super) changed: bool,
    #[serde(skip)]
    pub(super) weight: u32,
    #[serde(skip)]
    pub(super) index: Option<Box<FxHashMap<u64, u32>>>,
}

impl Message {
    /// The queue ids that lead to it.
    pub(super) fn queue_ids(&self) -> impl Iterator<Item = &str> {
        self.queue_id.as_deref().into_iter().chain(self.requeued_as.as_deref())
    }

    /// The recipient with exactly these addresses.
    pub(super) fn find(&mut self, address: &str, original: Option<&str>) -> Option<usize> {
        let same = |recipient: &Recipient| {
            recipient.address.as_deref() == Some(address) && recipient.original.as_deref() == original
        };
        if self.recipients.len() <= LISTED {
            return self.recipients.iter().position(same);
        }
        let recipients = &self.recipients;
        let index = self.index.get_or_insert_with(|| {
            let entry = |(at, recipient): (usize, &Recipient)| (hash(recipient), at as u32);
            Box::new(recipients.iter().enumerate().map(entry).collect())
        });
        let at = *index.get(&hash_of(Some(address), original))? as usize;
        recipients.get(at).is_some_and(same).then_some(at)
    }

    /// Forgets everything, and keeps memory of the usual size for the next message.
    pub(super) fn clear(&mut self) {
        for text in [
            &mut self.queue_id,
            &mut self.host,
            &mut self.message_id,
            &mut self.client_id,
            &mut self.sender,
            &mut self.requeued_as,
            &mut self.parent,
            &mut self.notification,
        ] {
            text.give_up();
        }
        self.recipients.clear();
        (self.size, self.nrcpt, self.index, self.unattempted) = (None, None, None, 0);
        (self.active, self.closed, self.probe, self.changed) = (false, false, false, false);
    }

    /// Adds a recipient that nothing was said of, and says where it stands.
    pub(super) fn push(
        &mut self,
        address: Option<&str>,
        original: Option<&str>,
        status: Status,
        at_ms: i64,
    ) -> usize {
        let at = self.recipients.len();
        let recipient = self.recipients.add();
        recipient.address.put(address);
        recipient.original.put(original);
        recipient.said.clear();
        recipient.told = None;
        (recipient.status, recipient.attempts) = (status, 0);
        (recipient.last_ms, recipient.changed) = (at_ms, true);
        if let Some(index) = &mut self.index {
            index.insert(hash(recipient), at as u32);
        }
        at
    }

    /// Gives the recipient at a place other addresses.
    pub(super) fn rename(&mut self, at: usize, address: &str, original: Option<&str>) {
        let recipient = &mut self.recipients[at];
        recipient.address.set(address);
        recipient.original.put(original);
        if let Some(index) = &mut self.index {
            index.insert(hash(&self.recipients[at]), at as u32);
        }
    }

    /// Finds out its id.
    pub(super) fn identify(&mut self) {
        let (host, queue_id) = (self.host.as_str().as_bytes(), self.queue_id.as_str().as_bytes());
        self.id = identify(&[host, queue_id, &self.first_ms.to_le_bytes()]);
    }

    /// About how many bytes of memory it takes.
    pub(super) fn measure(&self) -> u32 {
        let own = [
            &self.message_id,
            &self.client_id,
            &self.sender,
            &self.requeued_as,
            &self.parent,
            &self.notification,
        ];
        let total = size_of::<Message>()
            + 160
            + own.into_iter().map(|text| text.weight() + 16).sum::<usize>()
            + self.recipients.iter().map(Recipient::weight).sum::<usize>()
            + self.index.as_ref().map_or(0, |index| index.capacity() * 20);
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// The delivery to the recipient at a place.
    pub fn delivery(&self, at: usize) -> Delivery<'_> {
        let recipient = &self.recipients[at];
        let said = &recipient.said;
        Delivery {
            id: self.id.wrapping_add(at as u64),
            queue_id: self.queue_id.as_deref(),
            message_id: self.message_id.as_deref(),
            client_id: self.client_id.as_deref(),
            sender: self.sender.as_deref(),
            recipient: recipient.address.as_deref(),
            original_recipient: recipient.original.as_deref(),
            status: recipient.status,
            attempts: recipient.attempts,
            first_seen: self.first_ms,
            last_seen: recipient.last_ms,
            relay: said.part(0),
            dsn: said.part(1),
            reply: said.part(4),
            category: None,
            delay: said.part(2).and_then(|delay| delay.parse().ok()),
            delays: said.part(3),
            size: self.size,
            nrcpt: self.nrcpt,
            host: self.host.as_deref().filter(|host| !host.is_empty()),
            requeued_as: self.requeued_as.as_deref(),
            parent: self.parent.as_deref(),
            notification: self.notification.as_deref(),
            before: recipient.told,
        }
    }
}

fn hash(recipient: &Recipient) -> u64 {
    hash_of(recipient.address.as_deref(), recipient.original.as_deref())
}

fn hash_of(address: Option<&str>, original: Option<&str>) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(address.unwrap_or_default().as_bytes());
    hasher.write_u8(0xff);
    hasher.write(original.unwrap_or_default().as_bytes());
    hasher.finish()
}
