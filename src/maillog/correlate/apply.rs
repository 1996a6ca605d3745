//! What each event changes.
//!
//! Invariant: whatever the order and however many lines are missing, no line makes a recipient of another
//! message, and what is final is changed only by a line about that very recipient.

use super::decided_in_session::{DecidedInSession, RefusedInSession};
use super::queue_table::{QueueKey, Shelf};
use super::queued_message::{CLIENT_ID, MESSAGE_ID, PARENT, QUEUE_ID, QueuedMessage, REQUEUED_AS, SENDER};
use super::queued_recipient::NOTIFICATION;
use super::superseded_attempt::SupersededAttempt;
use super::{Correlator, DeliveryStatus};
use crate::maillog::delivery::client_of_message_id;
use crate::maillog::postfix::{
    Attempt, AttemptResult, EarlyAction, Event, HeaderDecision, LogLine, NotificationKind, SessionDecision,
    SessionEnvelope,
};
use memchr::{memchr, memmem};
use std::borrow::Cow;

/// A queue id this soon after (milliseconds) is the same message's, though the lines came in the wrong order.
const TOGETHER_MS: i64 = 5_000;
/// More sessions than this have no message on hold or to discard before it has a queue id.
const PENDING: usize = 1_000;
/// So many refusals are remembered, to tell equal ones of one stamp apart.
const RECENT: usize = 256;

impl Correlator {
    pub(crate) fn apply(&mut self, line: &LogLine<'_>, shelf: &mut dyn Shelf) {
        let Some(queue_id) = line.queue_id else {
            match &line.event {
                Event::Connect => self.counts.connections += 1,
                Event::Disconnect => self.pending.retain(|pending| pending.pid != line.pid),
                Event::SessionDecision(refusal) => self.without_queue_id(line, refusal),
                _ => {}
            }
            return;
        };
        let place = match &line.event {
            Event::Client(_) | Event::Pickup { .. } => None,
            _ => self.find(line, queue_id, shelf),
        };
        match &line.event {
            Event::Client(client) => {
                let place = self.begin(line, queue_id, shelf);
                self.counts.messages += 1;
                self.claim(line, client, place);
            }
            Event::Pickup { sender, original } => self.picked_up(line, queue_id, sender, *original, shelf),
            Event::MessageId(id) => self.message_id(line, queue_id, place, id),
            Event::Active { sender, size, recipients } => {
                let place = place.filter(|place| !self.table.message(*place).closed);
                let place = self.open(line, queue_id, place);
                let message = self.table.message(place);
                message.active = true;
                // When it is tried again, the queue manager counts who is left.
                let recipients = message.nrcpt.map_or(*recipients, |nrcpt| nrcpt.max(*recipients));
                let before = (message.size, message.nrcpt);
                (message.size, message.nrcpt) = (message.size.or(Some(*size)), Some(recipients));
                if before != (message.size, message.nrcpt) {
                    self.changed(place);
                }
                self.sent_by(place, &line.text(sender));
                self.whole(line, place, DeliveryStatus::Deferred, |now| now == DeliveryStatus::Held);
            }
            Event::Expired { .. } => {
                let place = self.open(line, queue_id, place);
                self.counts.expired += 1;
                self.whole_or_nameless(line, place, DeliveryStatus::Expired);
            }
            Event::Removed { deleted } => {
                if *deleted {
                    let place = self.open(line, queue_id, place);
                    self.whole_or_nameless(line, place, DeliveryStatus::Deleted);
                    self.table.close(place, line.at_ms);
                } else if let Some(place) = place {
                    self.table.close(place, line.at_ms);
                }
            }
            Event::Held => {
                let place = self.open(line, queue_id, place);
                self.whole_or_nameless(line, place, DeliveryStatus::Held);
            }
            Event::Released => {
                if let Some(place) = place {
                    self.whole(line, place, DeliveryStatus::Deferred, |now| now == DeliveryStatus::Held);
                }
            }
            Event::Attempt(attempt) => self.attempt(line, queue_id, place, attempt, shelf),
            Event::Notification { notice, queue_id: own } => {
                let place = self.open(line, queue_id, place);
                self.notification(line, place, *notice, own, shelf);
            }
            Event::SessionDecision(refusal) => {
                let place = self.open(line, queue_id, place);
                // smtpd speaks of one recipient; what cleanup or a milter says after the data is about the
                // message.
                let whole = refusal.stage != b"RCPT";
                let texts = [refusal.dsn, refusal.reply];
                self.decided(line, place, refusal.action, whole, refusal.envelope, texts);
            }
            Event::HeaderDecision(header) => {
                let place = self.open(line, queue_id, place);
                self.header(line, place, header);
            }
            Event::Connect
            | Event::Disconnect
            | Event::Requeued
            | Event::ToExpire
            | Event::Ignored
            | Event::Unknown => {}
        }
    }

    /// The place of the message with this queue id.
    fn find<'a>(&mut self, line: &LogLine<'a>, queue_id: &'a [u8], shelf: &mut dyn Shelf) -> Option<u32> {
        self.table.get(&QueueKey::new(line.host, queue_id)).or_else(|| {
            let message = shelf.take(&line.text(line.host), &line.text(queue_id))?;
            Some(self.table.insert(message))
        })
    }

    /// The message that a line is about; a new one if it was never heard of.
    fn open<'a>(&mut self, line: &LogLine<'a>, queue_id: &'a [u8], place: Option<u32>) -> u32 {
        let place = match place {
            Some(place) => place,
            None => self.insert(line, queue_id),
        };
        let message = self.table.message(place);
        message.last_ms = message.last_ms.max(line.at_ms);
        place
    }

    fn insert<'a>(&mut self, line: &LogLine<'a>, queue_id: &'a [u8]) -> u32 {
        self.table.begin(&line.text(line.host), &line.text(queue_id), line.at_ms)
    }

    /// A message begins: a queue id that was in use is used again, unless only the order of lines is wrong.
    fn begin<'a>(&mut self, line: &LogLine<'a>, queue_id: &'a [u8], shelf: &mut dyn Shelf) -> u32 {
        if let Some(place) = self.find(line, queue_id, shelf) {
            let message = self.table.message(place);
            let is_its_id = message.texts.is_none(REQUEUED_AS);
            if is_its_id && !message.active && !message.closed && line.at_ms - message.first_ms < TOGETHER_MS
            {
                return place;
            }
        }
        self.insert(line, queue_id)
    }

    fn message_id<'a>(&mut self, line: &LogLine<'a>, queue_id: &'a [u8], place: Option<u32>, id: &'a [u8]) {
        let id = line.text(id.trim_ascii());
        let id = id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(&id);
        // cleanup is done before the queue manager begins. A message-id after that is that of another
        // message.
        let another = |message: &QueuedMessage| {
            (message.active || message.closed)
                && message.texts.get(MESSAGE_ID).is_some_and(|known| known != id)
        };
        let place = place.filter(|place| !another(self.table.message(*place)));
        let place = self.open(line, queue_id, place);
        let message = self.table.message(place);
        if message.texts.is_none(MESSAGE_ID) && !id.is_empty() {
            message.texts.set(MESSAGE_ID, id);
            if let Some(client) = client_of_message_id(id) {
                message.texts.set(CLIENT_ID, client);
            }
            self.changed(place);
        }
    }

    fn picked_up<'a>(
        &mut self,
        line: &LogLine<'a>,
        queue_id: &'a [u8],
        sender: &'a [u8],
        original: Option<&'a [u8]>,
        shelf: &mut dyn Shelf,
    ) {
        let place = match original {
            None => {
                self.counts.messages += 1;
                self.begin(line, queue_id, shelf)
            }
            Some(original) => {
                let found = self.find(line, original, shelf);
                let place = self.open(line, original, found);
                self.table.requeue(place, &line.text(queue_id));
                let message = self.table.message(place);
                (message.active, message.closed) = (false, false);
                self.changed(place);
                place
            }
        };
        self.sent_by(place, &line.text(sender));
    }

    /// Who a message is from, unless that was known before.
    fn sent_by(&mut self, place: u32, sender: &str) {
        let message = self.table.message(place);
        if message.texts.is_none(SENDER) {
            message.texts.set(SENDER, sender);
            self.changed(place);
        }
    }

    fn attempt<'a>(
        &mut self,
        line: &LogLine<'a>,
        queue_id: &'a [u8],
        place: Option<u32>,
        attempt: &Attempt<'a>,
        shelf: &mut dyn Shelf,
    ) {
        let status = match attempt.outcome {
            AttemptResult::Sent => DeliveryStatus::Sent,
            AttemptResult::Bounced => DeliveryStatus::Bounced,
            AttemptResult::Deferred => DeliveryStatus::Deferred,
            AttemptResult::Expired => DeliveryStatus::Expired,
            AttemptResult::Deliverable | AttemptResult::Undeliverable => {
                self.counts.probes += 1;
                if let Some(place) = place {
                    self.table.message(place).probe = true;
                }
                return;
            }
        };
        match status {
            DeliveryStatus::Sent => self.counts.sent += 1,
            DeliveryStatus::Bounced => self.counts.bounced += 1,
            DeliveryStatus::Deferred => self.counts.deferred += 1,
            _ => {}
        }
        let place = self.open(line, queue_id, place);
        let message = self.table.message(place);
        let original = attempt.original_recipient.map(|original| line.text(original));
        let at = message.recipient_of(&line.text(attempt.recipient), original.as_deref());
        let told = message.recipients[at].told.map_or(0, |told| told.attempts);
        if message.recipients[at].attempts > told {
            self.superseded.push(SupersededAttempt::new(message, at));
            message.recipients[at].told = Some(message.recipients[at].stands());
        }
        let recipient = &mut message.recipients[at];
        recipient.status = status;
        recipient.attempts += 1;
        recipient.last_ms = line.at_ms;
        let said = [attempt.relay, attempt.dsn, attempt.delay, attempt.delays, attempt.reply];
        recipient.says(said.iter().map(|part| line.text(part)));
        recipient.changed = true;
        self.table.touch(place);
        if status == DeliveryStatus::Sent {
            self.follow(line, place, attempt, shelf);
        }
    }

    /// A local recipient was forwarded, or a content filter gave the message back: it goes on under another
    /// queue id, for the same client.
    fn follow<'a>(&mut self, line: &LogLine<'a>, place: u32, attempt: &Attempt<'a>, shelf: &mut dyn Shelf) {
        const LOCAL: [&[u8]; 4] = [b"127.", b"::1]", b"/", b"private/"];
        let local = || {
            let address =
                memchr(b'[', attempt.relay).map_or(&b""[..], |bracket| &attempt.relay[bracket + 1..]);
            LOCAL.iter().any(|local| address.starts_with(local))
        };
        let next = if let Some(next) = attempt.reply.strip_prefix(b"forwarded as ") {
            next
        } else if local() {
            let Some(found) = memmem::find(attempt.reply, b"queued as ") else { return };
            &attempt.reply[found + 10..]
        } else {
            return;
        };
        let end = next.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(next.len());
        let Some(child) = self.find(line, &next[..end], shelf).filter(|child| *child != place) else {
            return;
        };
        let parent = self.table.message(place);
        let [queue_id, client, id] =
            [QUEUE_ID, CLIENT_ID, MESSAGE_ID].map(|number| parent.texts.get(number).map(str::to_owned));
        let child_message = self.table.message(child);
        if child_message.texts.is_none(PARENT) && child_message.texts.get(MESSAGE_ID) == id.as_deref() {
            child_message.texts.put(PARENT, queue_id.as_deref());
            if child_message.texts.is_none(CLIENT_ID) {
                child_message.texts.put(CLIENT_ID, client.as_deref());
            }
            self.changed(child);
        }
    }

    fn notification<'a>(
        &mut self,
        line: &LogLine<'a>,
        place: u32,
        notice: NotificationKind,
        own: &'a [u8],
        shelf: &mut dyn Shelf,
    ) {
        self.counts.notifications += 1;
        let message = self.table.message(place);
        let parent = message.texts.get(QUEUE_ID).map(str::to_owned);
        for recipient in message.recipients.iter_mut() {
            if recipient.is_told_by(notice) {
                recipient.texts.set(NOTIFICATION, &line.text(own));
                recipient.notified |= notice == NotificationKind::NonDelivery;
                recipient.changed = true;
            }
        }
        self.table.touch(place);
        let child = self.find(line, own, shelf);
        let child = self.open(line, own, child);
        if child != place {
            self.table.message(child).texts.put(PARENT, parent.as_deref());
            self.changed(child);
        }
    }

    fn header<'a>(&mut self, line: &LogLine<'a>, place: u32, header: &HeaderDecision<'a>) {
        if header.name.eq_ignore_ascii_case(self.reader.client_header()) {
            let client = header.value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            let message = self.table.message(place);
            let named = message.texts.get(MESSAGE_ID).and_then(client_of_message_id).is_some();
            if !client.is_empty() && !named && message.texts.is_none(CLIENT_ID) {
                message.texts.set(CLIENT_ID, &line.text(client));
                self.changed(place);
            }
        }
        let texts = [header.dsn, header.reply];
        self.decided(line, place, header.action, true, header.envelope, texts);
    }

    /// A decision before the queue: about one recipient, or about the `whole` message.
    fn decided<'a>(
        &mut self,
        line: &LogLine<'a>,
        place: u32,
        action: EarlyAction,
        whole: bool,
        envelope: SessionEnvelope<'a>,
        texts: [&'a [u8]; 2],
    ) {
        let status = match action {
            EarlyAction::Note => return,
            EarlyAction::Reject => DeliveryStatus::Rejected,
            EarlyAction::Hold => DeliveryStatus::Held,
            EarlyAction::Discard => DeliveryStatus::Discarded,
        };
        self.counts.rejected += u64::from(status == DeliveryStatus::Rejected);
        if let Some(sender) = envelope.sender {
            self.sent_by(place, &line.text(sender));
        }
        let message = self.table.message(place);
        let named = match envelope.recipient {
            Some(recipient) => Some(message.decided_recipient(&line.text(recipient), status, line.at_ms)),
            None if whole && message.recipients.is_empty() => Some(message.nameless(status, line.at_ms)),
            None => None,
        };
        for (at, recipient) in message.recipients.iter_mut().enumerate() {
            if Some(at) == named || (whole && !recipient.status.is_final()) {
                recipient.status = status;
                recipient.last_ms = line.at_ms;
                let [dsn, reply] = texts;
                recipient.says([b"", dsn, b"", b"", reply].iter().map(|part| line.text(part)));
                recipient.changed = true;
            }
        }
        self.table.touch(place);
        if whole && status != DeliveryStatus::Held {
            self.table.close(place, line.at_ms);
        }
    }

    /// A decision in a session that has no queue id yet.
    fn without_queue_id<'a>(&mut self, line: &LogLine<'a>, refusal: &SessionDecision<'a>) {
        let status = match refusal.action {
            EarlyAction::Note => return,
            EarlyAction::Reject => {
                self.counts.rejected += 1;
                let recipient = refusal.envelope.recipient.map(|recipient| line.text(recipient));
                let other = |pending: &DecidedInSession| {
                    pending.pid != line.pid || pending.recipient.as_deref() != recipient.as_deref()
                };
                self.pending.retain(other);
                let id = self.refused(line, refusal);
                return self.loose.push(RefusedInSession::new(id, line, refusal));
            }
            EarlyAction::Hold => DeliveryStatus::Held,
            EarlyAction::Discard => DeliveryStatus::Discarded,
        };
        if self.pending.len() == PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(DecidedInSession {
            pid: line.pid,
            host: line.text(line.host).into(),
            client: line.text(refusal.client).into(),
            at_ms: line.at_ms,
            status,
            recipient: refusal.envelope.recipient.map(|recipient| line.text(recipient).into()),
            reply: line.text(refusal.reply).into(),
        });
    }

    /// The id of a refusal without a queue id: equal ones of one stamp are counted.
    fn refused(&mut self, line: &LogLine<'_>, refusal: &SessionDecision<'_>) -> u64 {
        let first = RefusedInSession::identify(line, refusal, 0);
        if let Some((_, times)) = self.recent.iter_mut().rev().find(|(id, _)| *id == first) {
            *times += 1;
            return RefusedInSession::identify(line, refusal, *times);
        }
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back((first, 0));
        first
    }

    /// Gives a new message what its session decided before.
    fn claim<'a>(&mut self, line: &LogLine<'a>, client: &'a [u8], place: u32) {
        if self.pending.is_empty() {
            return;
        }
        let (host, client) = (line.text(line.host), line.text(client));
        let mine = |pending: &DecidedInSession| {
            pending.pid == line.pid && *pending.host == host && *pending.client == client
        };
        while let Some(at) = self.pending.iter().position(mine) {
            let Some(pending) = self.pending.remove(at) else { return };
            let message = self.table.message(place);
            let at = match &pending.recipient {
                Some(recipient) => message.decided_recipient(recipient, pending.status, line.at_ms),
                None => message.nameless(pending.status, line.at_ms),
            };
            let said = ["", "", "", "", &*pending.reply];
            message.recipients[at].says(said.into_iter().map(Cow::Borrowed));
            self.changed(place);
        }
    }

    /// Changes every recipient that has no final state, and whose state `from` picks.
    fn whole(
        &mut self,
        line: &LogLine<'_>,
        place: u32,
        to: DeliveryStatus,
        from: impl Fn(DeliveryStatus) -> bool,
    ) {
        let mut touched = false;
        for recipient in self.table.message(place).recipients.iter_mut() {
            if !recipient.status.is_final() && recipient.status != to && from(recipient.status) {
                (recipient.status, recipient.last_ms, recipient.changed) = (to, line.at_ms, true);
                touched = true;
            }
        }
        if touched {
            self.table.touch(place);
        }
    }

    /// The same for all; where nobody was named yet, there is one delivery without a recipient.
    fn whole_or_nameless(&mut self, line: &LogLine<'_>, place: u32, to: DeliveryStatus) {
        let message = self.table.message(place);
        if message.recipients.is_empty() {
            message.nameless(to, line.at_ms);
            self.table.touch(place);
        }
        self.whole(line, place, to, |_| true);
    }

    /// Something that all deliveries of a message show has changed.
    fn changed(&mut self, place: u32) {
        let message = self.table.message(place);
        if !message.recipients.is_empty() {
            message.recipients.iter_mut().for_each(|recipient| recipient.changed = true);
            self.table.touch(place);
        }
    }
}
