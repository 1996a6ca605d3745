//! An attempt that another one followed before it was reported.
//!
//! It is reported all the same, to be counted, so that totals do not depend on how many lines are
//! read together. Not here: the latest state, which the message reports. Invariant: each attempt is
//! reported once.

use super::queued_message::QueuedMessage;
use crate::maillog::delivery::{Delivery, ReportedState};
use crate::maillog::delivery_route::{DeliveryRoute, SourceKind};
use crate::maillog::logged_status::LoggedStatus;

/// What is counted of a delivery, as it was after the attempt.
pub(crate) struct SupersededAttempt {
    id: u64,
    message_id: Option<Box<str>>,
    client_id: Option<Box<str>>,
    sender: Option<Box<str>>,
    recipient: Option<Box<str>>,
    relay: Option<Box<str>>,
    dsn: Option<Box<str>>,
    reply: Option<Box<str>>,
    /// In the order of [`SourceKind::ALL`].
    sources: [Option<Box<str>>; 6],
    tls: Option<Box<str>>,
    status: LoggedStatus,
    attempts: u32,
    first_seen: i64,
    last_seen: i64,
    delay: Option<f64>,
    size: Option<u64>,
    before: Option<ReportedState>,
}

impl SupersededAttempt {
    /// The state of the recipient at a position.
    pub(crate) fn new(message: &QueuedMessage, at: usize) -> SupersededAttempt {
        let delivery = message.delivery(at);
        let text = |text: Option<&str>| text.map(Box::from);
        SupersededAttempt {
            id: delivery.id,
            message_id: text(delivery.message_id),
            client_id: text(delivery.client_id),
            sender: text(delivery.sender),
            recipient: text(delivery.recipient),
            relay: text(delivery.relay),
            dsn: text(delivery.dsn),
            reply: text(delivery.reply),
            sources: SourceKind::ALL.map(|kind| text(delivery.route.name(kind))),
            tls: text(delivery.route.tls()),
            status: delivery.status,
            attempts: delivery.attempts,
            first_seen: delivery.first_seen,
            last_seen: delivery.last_seen,
            delay: delivery.delay,
            size: delivery.size,
            before: delivery.before,
        }
    }

    fn route(&self) -> DeliveryRoute<'_> {
        let sources = SourceKind::ALL.into_iter().zip(&self.sources);
        let route =
            sources.fold(DeliveryRoute::default(), |route, (kind, name)| route.with(kind, name.as_deref()));
        route.with_tls(self.tls.as_deref())
    }

    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            id: self.id,
            message_id: self.message_id.as_deref(),
            client_id: self.client_id.as_deref(),
            sender: self.sender.as_deref(),
            recipient: self.recipient.as_deref(),
            relay: self.relay.as_deref(),
            dsn: self.dsn.as_deref(),
            reply: self.reply.as_deref(),
            status: self.status,
            attempts: self.attempts,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            delay: self.delay,
            size: self.size,
            route: self.route(),
            before: self.before,
            superseded: true,
            ..Delivery::default()
        }
    }
}
