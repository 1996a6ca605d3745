//! What became of one message for one recipient: the record that `carom deliveries` prints.
//!
//! Not here: why it failed, which is classified later. Invariant: the same lines give the same
//! `id`, however often and in whatever pieces they are read, and a delivery keeps it while its
//! status changes.

use super::delivery_route::DeliveryRoute;
use super::logged_status::LoggedStatus;
use super::whose::Whose;
use crate::clock;
use serde::{Deserialize, Serialize};

/// One message and recipient, as the logs show them so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Delivery<'a> {
    /// The same in each report of this delivery.
    pub(crate) id: u64,
    /// Postfix's queue id, the first if the message was requeued. None if a session was refused
    /// before it had one, and for PowerMTA.
    pub(crate) queue_id: Option<&'a str>,
    /// The Message-ID without its brackets.
    pub(crate) message_id: Option<&'a str>,
    /// The client that the message is sent for, from the Message-ID or the client header.
    pub(crate) client_id: Option<&'a str>,
    /// Envelope sender; empty for the null sender.
    pub(crate) sender: Option<&'a str>,
    /// Envelope recipient after aliases. None if a whole message ended before a recipient was
    /// named.
    pub(crate) recipient: Option<&'a str>,
    /// The recipient as it came in, if aliases changed it.
    pub(crate) original_recipient: Option<&'a str>,
    pub(crate) status: LoggedStatus,
    /// Delivery attempts that were logged.
    pub(crate) attempts: u32,
    /// Time of the first line about the message, milliseconds since 1970.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) first_seen: i64,
    /// Time of the last line that changed the delivery, milliseconds since 1970.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) last_seen: i64,
    /// Next hop `mx.example.com[192.0.2.1]:25`, or transport. None if none was reached.
    pub(crate) relay: Option<&'a str>,
    /// Enhanced status code (RFC 3463).
    pub(crate) dsn: Option<&'a str>,
    /// The text that came with the status.
    pub(crate) reply: Option<&'a str>,
    /// PowerMTA's bounce category; Postfix has none.
    pub(crate) category: Option<&'a str>,
    /// Seconds from the arrival of the message to the last attempt.
    pub(crate) delay: Option<f64>,
    /// Parts of the delay, `a/b/c/d`: before the queue manager, in the queue manager, connection,
    /// transmission.
    pub(crate) delays: Option<&'a str>,
    /// Bytes of the message.
    pub(crate) size: Option<u64>,
    /// Number of recipients of the message.
    pub(crate) nrcpt: Option<u32>,
    /// How it was sent.
    pub(crate) route: DeliveryRoute<'a>,
    /// The server that logged it.
    pub(crate) host: Option<&'a str>,
    /// The queue id that the message has since it was requeued.
    pub(crate) requeued_as: Option<&'a str>,
    /// The queue id of the message that this one reports on, or continues (forwarded, or returned
    /// by a content filter).
    pub(crate) parent: Option<&'a str>,
    /// The queue id of the last notification about this delivery.
    pub(crate) notification: Option<&'a str>,
    /// Its state when it was reported last; None at the first report.
    #[serde(skip)]
    pub(crate) before: Option<ReportedState>,
    /// A later state is reported as well: this one is only counted, not stored.
    #[serde(skip)]
    pub(crate) superseded: bool,
}

/// The state of a delivery when it was reported, so that nothing is counted twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportedState {
    pub(crate) status: LoggedStatus,
    pub(crate) attempts: u32,
    pub(crate) last_seen: i64,
    #[serde(default, skip_serializing_if = "Whose::is_own")]
    pub(crate) whose: Whose,
}

fn rfc3339<S: serde::Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&clock::rfc3339(*at_ms))
}
