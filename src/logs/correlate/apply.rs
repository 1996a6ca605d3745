//! What each event changes.
//!
//! Invariant: whatever the order and however many lines are missing, no line makes a recipient of another
//! message, and what is final is changed only by a line about that very recipient.

use super::loose::{Loose, Pending};
use super::message::Message;
use super::table::{Key, Shelf};
use super::text::{Said, lossy};
use super::{Correlator, Status};
use crate::logs::delivery::client_of_message_id;
use crate::logs::postfix::{Action, Attempt, Envelope, Event, Header, Line, Notice, Outcome, Refusal};
use memchr::{memchr, memmem};

/// A queue id this soon after (milliseconds) is the same message's, though the lines came in the wrong order.
const TOGETHER_MS: i64 = 5_000;
/// More sessions than this have no message on hold or to discard before it has a queue id.
const PENDING: usize = 1_000;
/// So many refusals are remembered, to tell equal ones of one stamp apart.
const RECENT: usize = 64;

impl Correlator {
    pub(super) fn apply(&mut self, line: &Line<'_>, shelf: &mut dyn Shelf) {
        let Some(queue_id) = line.queue_id else {
            match &line.event {
                Event::Connect => self.counts.connections += 1,
                Event::Disconnect => self.pending.retain(|pending| pending.pid != line.pid),
                Event::Refusal(refusal) => self.without_queue_id(line, refusal),
                _ => {}
            }
            return;
        };
        let place = match &line.event {
            Event::Client(_) | Event::Pickup { .. } => None,
            _ => self.find(line.host, queue_id, shelf),
        };
        match &line.event {
            Event::Client(client) => {
                let place = self.begin(line, queue_id);
                self.counts.messages += 1;
                self.claim(line, client, place);
            }
            Event::Pickup { sender, original } => self.picked_up(line, queue_id, sender, *original, shelf),
            Event::MessageId(id) => self.message_id(line, queue_id, place, id),
            Event::Active { sender, size, recipients } => {
                let place = place.filter(|place| !self.table.message(*place).closed);
                let place = self.open(line, queue_id, place);
                let message = self.table.message(place);
                if message.sender.is_none() {
                    message.sender.set_bytes(sender);
                }
                (message.size, message.nrcpt, message.active) = (Some(*size), Some(*recipients), true);
                self.whole(line, place, Status::Deferred, |now| now == Status::Held);
            }
            Event::Expired { .. } => {
                let place = self.open(line, queue_id, place);
                self.counts.expired += 1;
                self.whole_or_nameless(line, place, Status::Expired);
            }
            Event::Removed { deleted } => {
                if *deleted {
                    let place = self.open(line, queue_id, place);
                    self.whole_or_nameless(line, place, Status::Deleted);
                    self.table.close(place, line.at_ms);
                } else if let Some(place) = place {
                    self.table.close(place, line.at_ms);
                }
            }
            Event::Held => {
                let place = self.open(line, queue_id, place);
                self.whole_or_nameless(line, place, Status::Held);
            }
            Event::Released => {
                if let Some(place) = place {
                    self.whole(line, place, Status::Deferred, |now| now == Status::Held);
                }
            }
            Event::Attempt(attempt) => self.attempt(line, queue_id, place, attempt, shelf),
            Event::Notification { notice, queue_id: own } => {
                let place = self.open(line, queue_id, place);
                self.notification(line, place, *notice, own, shelf);
            }
            Event::Refusal(refusal) => {
                let place = self.open(line, queue_id, place);
                // smtpd speaks of one recipient; what cleanup or a milter says after the data is about the
                // message.
                let whole = refusal.stage != b"RCPT";
                let texts = ([b"", refusal.dsn, b"", b""], refusal.reply);
                self.decided(line, place, refusal.action, whole, refusal.envelope, texts);
            }
            Event::Header(header) => {
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
    fn find(&mut self, host: &[u8], queue_id: &[u8], shelf: &mut dyn Shelf) -> Option<u32> {
        self.table.get(&Key::new(host, queue_id)).or_else(|| {
            let message = shelf.take(&lossy(host), &lossy(queue_id))?;
            Some(self.table.insert(message))
        })
    }

    /// The message that a line is about; a new one if it was never heard of.
    fn open(&mut self, line: &Line<'_>, queue_id: &[u8], place: Option<u32>) -> u32 {
        let place = match place {
            Some(place) => place,
            None => self.insert(line, queue_id),
        };
        let message = self.table.message(place);
        message.last_ms = message.last_ms.max(line.at_ms);
        place
    }

    fn insert(&mut self, line: &Line<'_>, queue_id: &[u8]) -> u32 {
        self.table.begin(line.host, queue_id, line.at_ms)
    }

    /// A message begins: a queue id that was in use is used again, unless only the order of lines is wrong.
    fn begin(&mut self, line: &Line<'_>, queue_id: &[u8]) -> u32 {
        if let Some(place) = self.table.get(&Key::new(line.host, queue_id)) {
            let message = self.table.message(place);
            if !message.active && !message.closed && line.at_ms - message.first_ms < TOGETHER_MS {
                return place;
            }
        }
        self.insert(line, queue_id)
    }

    fn message_id(&mut self, line: &Line<'_>, queue_id: &[u8], place: Option<u32>, id: &[u8]) {
        let id = lossy(id.trim_ascii());
        let id = id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(&id);
        // cleanup is done before the queue manager begins. A message-id after that is that of another
        // message.
        let another = |message: &Message| {
            (message.active || message.closed)
                && message.message_id.as_deref().is_some_and(|known| known != id)
        };
        let place = place.filter(|place| !another(self.table.message(*place)));
        let place = self.open(line, queue_id, place);
        let message = self.table.message(place);
        if message.message_id.is_none() && !id.is_empty() {
            message.message_id.set(id);
            if let Some(client) = client_of_message_id(id) {
                message.client_id.set(client);
            }
            self.changed(place);
        }
    }

    fn picked_up(
        &mut self,
        line: &Line<'_>,
        queue_id: &[u8],
        sender: &[u8],
        original: Option<&[u8]>,
        shelf: &mut dyn Shelf,
    ) {
        let place = match original {
            None => {
                self.counts.messages += 1;
                self.begin(line, queue_id)
            }
            Some(original) => {
                let found = self.find(line.host, original, shelf);
                let place = self.open(line, original, found);
                self.table.requeue(place, &lossy(queue_id));
                let message = self.table.message(place);
                (message.active, message.closed) = (false, false);
                self.changed(place);
                place
            }
        };
        let message = self.table.message(place);
        if message.sender.is_none() {
            message.sender.set_bytes(sender);
        }
    }

    fn attempt(
        &mut self,
        line: &Line<'_>,
        queue_id: &[u8],
        place: Option<u32>,
        attempt: &Attempt<'_>,
        shelf: &mut dyn Shelf,
    ) {
        let status = match attempt.outcome {
            Outcome::Sent => Status::Sent,
            Outcome::Bounced => Status::Bounced,
            Outcome::Deferred => Status::Deferred,
            Outcome::Expired => Status::Expired,
            Outcome::Deliverable | Outcome::Undeliverable => {
                self.counts.probes += 1;
                if let Some(place) = place {
                    self.table.message(place).probe = true;
                }
                return;
            }
        };
        match status {
            Status::Sent => self.counts.sent += 1,
            Status::Bounced => self.counts.bounced += 1,
            Status::Deferred => self.counts.deferred += 1,
            _ => {}
        }
        let place = self.open(line, queue_id, place);
        let message = self.table.message(place);
        let at =
            message.recipient_of(&lossy(attempt.recipient), attempt.original_recipient.map(lossy).as_deref());
        let recipient = &mut message.recipients[at];
        recipient.status = status;
        recipient.attempts += 1;
        recipient.last_ms = line.at_ms;
        recipient.said.set([attempt.relay, attempt.dsn, attempt.delay, attempt.delays], attempt.reply);
        recipient.changed = true;
        self.table.touch(place);
        if status == Status::Sent {
            self.follow(line, place, attempt, shelf);
        }
    }

    /// A local recipient was forwarded, or a content filter gave the message back: it goes on under another
    /// queue id, for the same client.
    fn follow(&mut self, line: &Line<'_>, place: u32, attempt: &Attempt<'_>, shelf: &mut dyn Shelf) {
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
        let Some(child) = self.find(line.host, &next[..end], shelf).filter(|child| *child != place) else {
            return;
        };
        let parent = self.table.message(place);
        let (queue_id, client, id) =
            (parent.queue_id.clone(), parent.client_id.clone(), parent.message_id.clone());
        let child_message = self.table.message(child);
        if child_message.parent.is_none() && child_message.message_id == id {
            child_message.parent = queue_id;
            if child_message.client_id.is_none() {
                child_message.client_id = client;
            }
            self.changed(child);
        }
    }

    fn notification(
        &mut self,
        line: &Line<'_>,
        place: u32,
        notice: Notice,
        own: &[u8],
        shelf: &mut dyn Shelf,
    ) {
        self.counts.notifications += 1;
        let message = self.table.message(place);
        message.notification.set_bytes(own);
        let parent = message.queue_id.clone();
        for recipient in message.recipients.iter_mut() {
            recipient.changed |= (recipient.status == Status::Sent) == (notice == Notice::Success);
        }
        self.table.touch(place);
        let child = self.find(line.host, own, shelf);
        let child = self.open(line, own, child);
        if child != place {
            self.table.message(child).parent = parent;
            self.changed(child);
        }
    }

    fn header(&mut self, line: &Line<'_>, place: u32, header: &Header<'_>) {
        if header.name.eq_ignore_ascii_case(self.reader.client_header()) {
            let client = header.value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
            let message = self.table.message(place);
            let named = message.message_id.as_deref().and_then(client_of_message_id).is_some();
            if !client.is_empty() && !named {
                message.client_id.set_bytes(client);
                self.changed(place);
            }
        }
        let texts = ([b"", header.dsn, b"", b""], header.reply);
        self.decided(line, place, header.action, true, header.envelope, texts);
    }

    /// A decision before the queue: about one recipient, or about the `whole` message.
    fn decided(
        &mut self,
        line: &Line<'_>,
        place: u32,
        action: Action,
        whole: bool,
        envelope: Envelope<'_>,
        (short, reply): ([&[u8]; 4], &[u8]),
    ) {
        let status = match action {
            Action::Note => return,
            Action::Reject => Status::Rejected,
            Action::Hold => Status::Held,
            Action::Discard => Status::Discarded,
        };
        self.counts.rejected += u64::from(status == Status::Rejected);
        let mut said = Said::default();
        said.set(short, reply);
        let message = self.table.message(place);
        if message.sender.is_none() {
            message.sender.put(envelope.sender.map(lossy).as_deref());
        }
        let named = match envelope.recipient {
            Some(recipient) => Some(message.decided_recipient(&lossy(recipient), status, line.at_ms)),
            None if whole && message.recipients.is_empty() => Some(message.nameless(status, line.at_ms)),
            None => None,
        };
        for (at, recipient) in message.recipients.iter_mut().enumerate() {
            if Some(at) == named || (whole && !recipient.status.is_final()) {
                recipient.status = status;
                recipient.last_ms = line.at_ms;
                recipient.said.clone_from(&said);
                recipient.changed = true;
            }
        }
        self.table.touch(place);
        if whole && status != Status::Held {
            self.table.close(place, line.at_ms);
        }
    }

    /// A decision in a session that has no queue id yet.
    fn without_queue_id(&mut self, line: &Line<'_>, refusal: &Refusal<'_>) {
        let status = match refusal.action {
            Action::Note => return,
            Action::Reject => {
                self.counts.rejected += 1;
                let recipient = refusal.envelope.recipient.map(lossy);
                let other = |pending: &Pending| {
                    pending.pid != line.pid || pending.recipient.as_deref() != recipient.as_deref()
                };
                self.pending.retain(other);
                let told = |id: &u64| self.recent.contains(id);
                let ids = (0..RECENT as u64).map(|repeated| Loose::identify(line, refusal, repeated));
                let id = ids.into_iter().find(|id| !told(id)).unwrap_or_default();
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back(id);
                return self.loose.push(Loose::new(id, line, refusal));
            }
            Action::Hold => Status::Held,
            Action::Discard => Status::Discarded,
        };
        if self.pending.len() == PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back(Pending {
            pid: line.pid,
            host: lossy(line.host).into(),
            client: lossy(refusal.client).into(),
            at_ms: line.at_ms,
            status,
            recipient: refusal.envelope.recipient.map(|recipient| lossy(recipient).into()),
            reply: lossy(refusal.reply).into(),
        });
    }

    /// Gives a new message what its session decided before.
    fn claim(&mut self, line: &Line<'_>, client: &[u8], place: u32) {
        if self.pending.is_empty() {
            return;
        }
        let (host, client) = (lossy(line.host), lossy(client));
        let mine =
            |pending: &Pending| pending.pid == line.pid && *pending.host == host && *pending.client == client;
        while let Some(at) = self.pending.iter().position(mine) {
            let Some(pending) = self.pending.remove(at) else { return };
            let message = self.table.message(place);
            let at = match &pending.recipient {
                Some(recipient) => message.decided_recipient(recipient, pending.status, line.at_ms),
                None => message.nameless(pending.status, line.at_ms),
            };
            message.recipients[at].said.set([b"", b"", b"", b""], pending.reply.as_bytes());
            self.changed(place);
        }
    }

    /// Changes every recipient that has no final state, and whose state `from` picks.
    fn whole(&mut self, line: &Line<'_>, place: u32, to: Status, from: impl Fn(Status) -> bool) {
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
    fn whole_or_nameless(&mut self, line: &Line<'_>, place: u32, to: Status) {
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
