//! Decisions before there was a queue id: refusals that no message came of, and those that the next queue id
//! of the same session belongs to.
//!
//! Invariant: a refusal is told once.

use crate::maillog::delivery::{Delivery, DeliveryStatus, identify};
use crate::maillog::postfix::{LogLine, SessionDecision};
use serde::{Deserialize, Serialize};

/// A refusal without a queue id.
pub(crate) struct RefusedInSession {
    id: u64,
    host: Box<str>,
    sender: Option<Box<str>>,
    recipient: Option<Box<str>>,
    at_ms: i64,
    dsn: Box<str>,
    reply: Box<str>,
}

impl RefusedInSession {
    pub(crate) fn new<'a>(id: u64, line: &LogLine<'a>, refusal: &SessionDecision<'a>) -> RefusedInSession {
        let text = |text: Option<&'a [u8]>| text.map(|text| line.text(text).into());
        RefusedInSession {
            id,
            host: line.text(line.host).into(),
            sender: text(refusal.envelope.sender),
            recipient: text(refusal.envelope.recipient),
            at_ms: line.at_ms,
            dsn: line.text(refusal.dsn).into(),
            reply: line.text(refusal.reply).into(),
        }
    }

    /// The id of such a refusal; `repeated`: how many equal ones came before it within the same stamp.
    pub(crate) fn identify(line: &LogLine<'_>, refusal: &SessionDecision<'_>, repeated: u64) -> u64 {
        identify(&[
            line.host,
            &line.at_ms.to_le_bytes(),
            &line.pid.to_le_bytes(),
            refusal.stage,
            refusal.client,
            refusal.envelope.sender.unwrap_or_default(),
            refusal.envelope.recipient.unwrap_or_default(),
            &repeated.to_le_bytes(),
        ])
    }

    pub(crate) fn delivery(&self) -> Delivery<'_> {
        Delivery {
            id: self.id,
            sender: self.sender.as_deref(),
            recipient: self.recipient.as_deref(),
            status: DeliveryStatus::Rejected,
            first_seen: self.at_ms,
            last_seen: self.at_ms,
            dsn: Some(&*self.dsn).filter(|dsn| !dsn.is_empty()),
            reply: Some(&*self.reply).filter(|reply| !reply.is_empty()),
            host: Some(&*self.host).filter(|host| !host.is_empty()),
            ..Delivery::default()
        }
    }
}

/// A recipient that smtpd put on hold or discards; the message gets its queue id with a later line of that
/// process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct DecidedInSession {
    pub(crate) pid: u32,
    pub(crate) host: Box<str>,
    pub(crate) client: Box<str>,
    pub(crate) at_ms: i64,
    pub(crate) status: DeliveryStatus,
    pub(crate) recipient: Option<Box<str>>,
    pub(crate) reply: Box<str>,
}
