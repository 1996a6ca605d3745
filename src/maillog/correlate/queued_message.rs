//! A message in the queue, as the log shows it so far, with its recipients.
//!
//! Plain data, stored between ticks. Not here: what a line changes (`apply`). Invariant: the id of
//! a delivery follows from host, first queue id, first line and the recipient's position.

use super::faded_recipients::FadedRecipients;
use super::packed_texts::PackedTexts;
use super::queued_recipient::QueuedRecipient;
use super::recipient_list::RecipientList;
use crate::config::OwnMail;
use crate::maillog::delivery::Delivery;
use crate::maillog::delivery_route::SourceKind;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::stable_id::stable_id;
use crate::maillog::whose::{Submitter, Whose};
use crate::maillog::whose_delivery::whose;
use crate::memory;
use serde::{Deserialize, Serialize};

// The texts, in the order in which they are stored: it must not change.
const QUEUE_ID: usize = 0;
const HOST: usize = 1;
const MESSAGE_ID: usize = 2;
const CLIENT_ID: usize = 3;
const SENDER: usize = 4;
const REQUEUED_AS: usize = 5;
const PARENT: usize = 6;
const CAMPAIGN: usize = 7;

/// A message that is in the queue, or has just left it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct QueuedMessage {
    texts: PackedTexts<8>,
    /// Times of the first and last line about it, milliseconds since 1970.
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// Bytes.
    pub(crate) size: Option<u64>,
    /// The queue manager's count of recipients.
    pub(crate) nrcpt: Option<u32>,
    /// The queue manager took it up since it last arrived.
    pub(crate) active: bool,
    /// Removed, rejected or discarded.
    pub(crate) closed: bool,
    /// An address is probed; nothing is delivered.
    pub(crate) probe: bool,
    /// Recipients that were added without an attempt, and have had none since.
    pub(crate) unattempted: u32,
    /// Who handed it to the mail server.
    #[serde(skip_serializing_if = "Submitter::is_unknown")]
    pub(crate) submitter: Submitter,
    pub(crate) recipients: RecipientList,
    /// Recipients before these, who were reported and are in memory no longer.
    #[serde(default, skip_serializing_if = "is_zero")]
    forgotten: u32,
    /// What is left of them; stored apart from the message.
    #[serde(skip)]
    pub(crate) faded: FadedRecipients,
    /// The id of the delivery to the first recipient of all; those of the others follow.
    #[serde(skip)]
    id: u64,
    /// There is no message here, only memory for one.
    #[serde(skip)]
    pub(crate) vacant: bool,
    /// A recipient changed since the last report.
    #[serde(skip)]
    pub(crate) changed: bool,
    /// Bytes of memory, as last measured.
    #[serde(skip)]
    pub(crate) weight: u32,
}

impl QueuedMessage {
    /// Starts over, in memory that was cleared.
    pub(crate) fn begin(&mut self, host: &str, queue_id: &str, at_ms: i64) {
        self.texts.set(HOST, host);
        self.texts.set(QUEUE_ID, queue_id);
        (self.first_ms, self.last_ms, self.vacant) = (at_ms, at_ms, false);
    }

    /// Forgets everything, and keeps memory of the usual size for the next message.
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.recipients.clear();
        self.faded.clear();
        (self.size, self.nrcpt, self.unattempted, self.forgotten) = (None, None, 0, 0);
        self.submitter = Submitter::Unknown;
        (self.active, self.closed, self.probe, self.changed) = (false, false, false, false);
    }

    /// The first queue id.
    pub(crate) fn queue_id(&self) -> Option<&str> {
        self.texts.get(QUEUE_ID)
    }

    /// The queue id that it has since it was requeued.
    pub(crate) fn requeued_as(&self) -> Option<&str> {
        self.texts.get(REQUEUED_AS)
    }

    pub(crate) fn set_requeued_as(&mut self, queue_id: &str) {
        self.texts.set(REQUEUED_AS, queue_id);
    }

    /// The queue ids that lead to it.
    pub(crate) fn queue_ids(&self) -> impl Iterator<Item = &str> {
        self.queue_id().into_iter().chain(self.requeued_as())
    }

    /// The server's name; empty if the log does not say.
    pub(crate) fn host(&self) -> &str {
        self.texts.get(HOST).unwrap_or_default()
    }

    /// The Message-ID without its brackets.
    pub(crate) fn message_id(&self) -> Option<&str> {
        self.texts.get(MESSAGE_ID)
    }

    pub(crate) fn set_message_id(&mut self, id: &str) {
        self.texts.set(MESSAGE_ID, id);
    }

    pub(crate) fn client_id(&self) -> Option<&str> {
        self.texts.get(CLIENT_ID)
    }

    pub(crate) fn set_client_id(&mut self, client: &str) {
        self.texts.set(CLIENT_ID, client);
    }

    /// What a header says of the campaign.
    pub(crate) fn campaign(&self) -> Option<&str> {
        self.texts.get(CAMPAIGN)
    }

    pub(crate) fn set_campaign(&mut self, campaign: &str) {
        self.texts.set(CAMPAIGN, campaign);
    }

    /// The envelope sender.
    pub(crate) fn sender(&self) -> Option<&str> {
        self.texts.get(SENDER)
    }

    pub(crate) fn set_sender(&mut self, sender: &str) {
        self.texts.set(SENDER, sender);
    }

    /// The queue id of the message that it reports on, or that goes on as this one.
    pub(crate) fn parent(&self) -> Option<&str> {
        self.texts.get(PARENT)
    }

    pub(crate) fn set_parent(&mut self, queue_id: Option<&str>) {
        self.texts.put(PARENT, queue_id);
    }

    /// Marks all deliveries for the next report, because something that each of them shows changed.
    /// Returns whether there are any.
    pub(crate) fn mark_all(&mut self) -> bool {
        self.recipients.iter_mut().for_each(|recipient| recipient.changed = true);
        !self.recipients.is_empty()
    }

    /// Sets the status of all recipients whose status is `from`, or any that is not final. Returns
    /// whether there are any.
    pub(crate) fn set_open_recipients(
        &mut self,
        from: Option<LoggedStatus>,
        to: LoggedStatus,
        at_ms: i64,
    ) -> bool {
        let mut any = false;
        for recipient in self.recipients.iter_mut() {
            let now = recipient.status;
            if !now.is_final() && now != to && from.is_none_or(|from| now == from) {
                (recipient.status, recipient.last_ms, recipient.changed) = (to, at_ms, true);
                any = true;
            }
        }
        any
    }

    /// Computes the id of the first delivery from the texts.
    pub(crate) fn identify(&mut self) {
        let queue_id = self.queue_id().unwrap_or_default();
        self.id = stable_id(&[self.host().as_bytes(), queue_id.as_bytes(), &self.first_ms.to_le_bytes()]);
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether it is our own mail, whatever its transport is. A bounce of it is then, too.
    pub(crate) fn is_own(&self, own: &OwnMail) -> bool {
        let sources = (0..self.recipients.len()).map(|at| self.delivery(at, own).route.whose());
        let mut known = sources.filter(|whose| *whose != Whose::Carom).peekable();
        if known.peek().is_some() {
            return known.any(|whose| whose == Whose::Own);
        }
        let delivery = Delivery { sender: self.sender(), client_id: self.client_id(), ..Delivery::default() };
        whose(own, self.submitter, &delivery) == Whose::Own
    }

    /// Approximate bytes of memory.
    pub(crate) fn measure(&self) -> u32 {
        let lists = self.recipients.weight() + self.faded.weight();
        let total = size_of::<QueuedMessage>() + 160 + self.texts.weight() + lists;
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// The position of the recipient with exactly these addresses, also of one that has faded.
    pub(crate) fn find(&mut self, address: &str, original: Option<&str>) -> Option<usize> {
        let known = self.recipients.find(address, original);
        known.or_else(|| {
            let faded = self.faded.find(address, original)?;
            let at = self.recipients.push(Some(address), original, faded.state.status, faded.state.last_seen);
            self.recipients[at].come_back(&faded);
            Some(at)
        })
    }

    /// Makes a message of very many recipients smaller than this many bytes. All of them must be
    /// reported: first what others replied is cut, and then the first recipients fade: a line that
    /// names one of them goes on from its state, but no line about the whole message changes it. Of
    /// the states, the first are forgotten, too, when they take most of the bytes. Returns whether
    /// it was larger.
    pub(crate) fn bound(&mut self, most: usize) -> bool {
        const MANY: usize = 10_000;
        const REPLY: usize = 100;
        const FOLLOWED: usize = 1_000;
        if self.recipients.len() <= MANY || self.measure() as usize <= most {
            return false;
        }
        for some in self.recipients.chunks_mut(MANY) {
            some.iter_mut().for_each(|recipient| recipient.cut_reply(REPLY));
            // It may be memory of another thread, which this one does not use again.
            memory::give_small_blocks_back();
        }
        if self.measure() as usize > most {
            let first = self.recipients.take_first(self.recipients.len() - FOLLOWED);
            let (many, numbered) = (first.len() as u32, first.into_iter().zip(self.forgotten..));
            self.faded.add(numbered.filter_map(|(recipient, place)| recipient.fade(place)), most / 8 * 5);
            self.forgotten = self.forgotten.saturating_add(many);
            let no_attempt = self.recipients.iter().filter(|recipient| recipient.attempts == 0);
            self.unattempted = no_attempt.count() as u32;
        }
        true
    }

    /// Seconds from its arrival to the last attempt: as logged, or else from line to line.
    fn delay(&self, recipient: &QueuedRecipient) -> Option<f64> {
        match recipient.delay() {
            Some(delay) => delay.parse().ok(),
            None if recipient.attempts == 0 => None,
            None => Some((recipient.last_ms - self.first_ms).max(0) as f64 / 1000.0),
        }
    }

    /// The delivery to the recipient at a position.
    pub(crate) fn delivery(&self, at: usize, own: &OwnMail) -> Delivery<'_> {
        let recipient = &self.recipients[at];
        let mut delivery = Delivery {
            id: self.id.wrapping_add(recipient.number(self.forgotten + at as u32).into()),
            queue_id: self.queue_id(),
            message_id: self.message_id(),
            client_id: self.client_id(),
            sender: self.sender(),
            recipient: recipient.address(),
            original_recipient: recipient.original(),
            status: recipient.status,
            attempts: recipient.attempts,
            first_seen: self.first_ms,
            last_seen: recipient.last_ms,
            relay: recipient.relay(),
            dsn: recipient.dsn(),
            reply: recipient.reply(),
            category: None,
            delay: self.delay(recipient),
            delays: recipient.delays(),
            size: self.size,
            nrcpt: self.nrcpt,
            route: recipient.route().with(SourceKind::Campaign, self.campaign()),
            host: Some(self.host()).filter(|host| !host.is_empty()),
            requeued_as: self.requeued_as(),
            parent: self.parent(),
            notification: recipient.notification(),
            before: recipient.reported(),
            superseded: false,
        };
        delivery.route = delivery.route.with_whose(whose(own, self.submitter, &delivery));
        delivery
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
