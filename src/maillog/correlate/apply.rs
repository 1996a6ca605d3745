//! What each event changes: one function for each kind, in the file that is named after it.
//!
//! Invariant: whatever the order of lines and however many are missing, no line gives a message the
//! recipient of another, and a final status is changed only by a line about that recipient.

use super::eviction::Shelf;
use super::queue_line::QueueLine;
use super::queue_table::QueueTable;
use super::session_decisions::SessionDecisions;
use super::strangers_messages::StrangersMessages;
use super::{arrival, message_decisions, queue_events, recipient_tried, related_message};
use crate::config::OwnMail;
use crate::maillog::PackedDeliveries;
use crate::maillog::postfix::{Event, LogLine, LoggedHeaders};

/// What is known so far.
#[derive(Default)]
pub(crate) struct Correlated {
    pub(crate) table: QueueTable,
    pub(crate) sessions: SessionDecisions,
    pub(crate) strangers: StrangersMessages,
    /// Deliveries as they were after an attempt that another one followed, until they are drained:
    /// they are counted all the same, so totals do not depend on how many lines are read together.
    pub(crate) superseded: PackedDeliveries,
}

impl Correlated {
    pub(crate) fn apply(
        &mut self,
        line: &LogLine<'_>,
        headers: &LoggedHeaders,
        own: &OwnMail,
        shelf: &mut dyn Shelf,
    ) {
        match line.queue_id {
            Some(queue_id) => {
                let Correlated { table, sessions, strangers, superseded } = self;
                let mut queue_line = QueueLine { line, queue_id, table, own, shelf };
                apply_to_message(&mut queue_line, (sessions, strangers), superseded, headers);
            }
            None => self.apply_to_session(line, own),
        }
    }

    fn apply_to_session(&mut self, line: &LogLine<'_>, own: &OwnMail) {
        match &line.event {
            Event::Disconnect => self.sessions.session_ended(line),
            Event::SessionDecision(decision) => self.sessions.decided(line, decision, own),
            _ => {}
        }
    }
}

fn apply_to_message(
    line: &mut QueueLine<'_, '_>,
    (sessions, strangers): (&mut SessionDecisions, &mut StrangersMessages),
    superseded: &mut PackedDeliveries,
    headers: &LoggedHeaders,
) {
    match &line.line.event {
        Event::Client(client) => arrival::from_client(line, client, sessions),
        Event::Arrived(arrived) => arrival::in_one_line(line, arrived, strangers),
        Event::Pickup { sender, original: None } => arrival::from_pickup(line, sender),
        Event::Pickup { sender, original: Some(before) } => arrival::requeued(line, before, sender),
        Event::MessageId(id) => arrival::has_message_id(line, id),
        Event::SessionDecision(decision) => message_decisions::in_session(line, decision),
        Event::HeaderDecision(header) => message_decisions::on_header(line, header, headers),
        Event::TakenUp(event) => queue_events::taken_up(line, event, strangers),
        Event::Held => queue_events::held(line),
        Event::Released => queue_events::released(line),
        Event::Expired { .. } => queue_events::expired(line),
        Event::Deleted => queue_events::deleted(line),
        Event::Removed => queue_events::removed(line),
        Event::Attempt(attempt) => recipient_tried::tried(line, attempt, superseded),
        Event::Notification { kind, queue_id } => related_message::notified(line, *kind, queue_id),
        Event::Connect
        | Event::Disconnect
        | Event::Requeued
        | Event::ToExpire
        | Event::Ignored
        | Event::Unknown => {}
    }
}
