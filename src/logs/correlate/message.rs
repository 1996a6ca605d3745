//! A message under way: what is known of it and of each of its recipients.
//!
//! Plain data that can be written down and read back. Not here: which line changes what.
//! Invariant: a recipient keeps its place in the list, which is part of its delivery's id.

use crate::logs::delivery::{Before, Delivery, Status, identify};
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::hash::Hasher;

/// With more recipients than this they are found by an index.
const LISTED: usize = 16;

/// A message that is in the queue, or has just left it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// The first queue id.
    pub queue_id: Box<str>,
    /// The server's name.
    pub host: Box<str>,
    /// First and last line about it, milliseconds since 1970.
    pub first_ms: i64,
    /// See `first_ms`.
    pub last_ms: i64,
    /// Without brackets.
    pub message_id: Option<Box<str>>,
    /// Whose it is.
    pub client_id: Option<Box<str>>,
    /// Envelope sender.
    pub sender: Option<Box<str>>,
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
    pub requeued_as: Option<Box<str>>,
    /// The message it reports on or goes on from.
    pub parent: Option<Box<str>>,
    /// The last notification about it.
    pub notification: Option<Box<str>>,
    /// Recipients that were named, or stood for, without an attempt.
    pub unattempted: u32,
    /// Everyone that a line named, in that order.
    pub recipients: Vec<Recipient>,
    #[serde(skip)]
    pub(super) changed: bool,
    #[serde(skip)]
    pub(super) weight: u32,
    #[serde(skip)]
    pub(super) index: Option<Box<FxHashMap<u64, u32>>>,
}

/// One recipient of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// After aliases. None: all of the message, before anyone was named.
    pub address: Option<Box<str>>,
    /// As it came in, if that is another.
    pub original: Option<Box<str>>,
    /// How things stand.
    pub status: Status,
    /// Attempts that were logged.
    pub attempts: u32,
    /// Last line about it, milliseconds since 1970.
    pub last_ms: i64,
    /// What the last attempt or decision said.
    pub said: Said,
    /// How it stood when it was told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Before>,
    #[serde(skip)]
    pub(super) changed: bool,
}

/// Five texts in one allocation: relay, dsn, delay, delays, reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    text: Box<str>,
    ends: [u16; 4],
}

impl Said {
    /// Joins the five. The first four are cut where they are absurd.
    pub(super) fn new(short: [&[u8]; 4], reply: &[u8], scratch: &mut String) -> Said {
        scratch.clear();
        let mut ends = [0; 4];
        for (end, part) in ends.iter_mut().zip(short) {
            scratch.push_str(&lossy(&part[..part.len().min(4000)]));
            *end = scratch.len() as u16;
        }
        scratch.push_str(&lossy(reply));
        Said { text: scratch.as_str().into(), ends }
    }

    fn part(&self, number: usize) -> Option<&str> {
        let start = if number == 0 { 0 } else { usize::from(self.ends[number - 1]) };
        let end = self.ends.get(number).map_or(self.text.len(), |end| usize::from(*end));
        self.text.get(start..end).filter(|part| !part.is_empty())
    }
}

impl Recipient {
    /// How it stands.
    pub(super) fn stands(&self) -> Before {
        Before { status: self.status, attempts: self.attempts, last_seen: self.last_ms }
    }
}

impl Message {
    /// The queue ids that lead to it.
    pub(super) fn queue_ids(&self) -> impl Iterator<Item = &str> {
        [Some(&*self.queue_id), self.requeued_as.as_deref()].into_iter().flatten()
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

    /// Adds a recipient, and says where it stands.
    pub(super) fn push(&mut self, recipient: Recipient) -> usize {
        let at = self.recipients.len();
        if let Some(index) = &mut self.index {
            index.insert(hash(&recipient), at as u32);
        }
        self.recipients.push(recipient);
        at
    }

    /// Gives the recipient at a place other addresses.
    pub(super) fn rename(&mut self, at: usize, address: &str, original: Option<&str>) {
        let recipient = &mut self.recipients[at];
        recipient.address = Some(address.into());
        recipient.original = original.map(Into::into);
        if let Some(index) = &mut self.index {
            index.insert(hash(&self.recipients[at]), at as u32);
        }
    }

    /// About how many bytes of memory it takes.
    pub(super) fn measure(&self) -> u32 {
        let text = |text: &Option<Box<str>>| text.as_ref().map_or(0, |text| text.len() + 16);
        let of_recipient = |r: &Recipient| {
            size_of::<Recipient>() + text(&r.address) + text(&r.original) + r.said.text.len() + 16
        };
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
            + own.into_iter().map(text).sum::<usize>()
            + self.recipients.iter().map(of_recipient).sum::<usize>()
            + self.index.as_ref().map_or(0, |index| index.capacity() * 20);
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// The delivery to the recipient at a place.
    pub fn delivery(&self, at: usize) -> Delivery<'_> {
        let recipient = &self.recipients[at];
        let said = &recipient.said;
        let bytes = [self.first_ms.to_le_bytes(), (at as u64).to_le_bytes()];
        Delivery {
            id: identify(&[self.host.as_bytes(), self.queue_id.as_bytes(), &bytes[0], &bytes[1]]),
            queue_id: Some(&self.queue_id),
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
            host: Some(&*self.host).filter(|host| !host.is_empty()),
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

/// Text of a log, which is mostly UTF-8; what is not becomes U+FFFD.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // The first is the faster.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
