//! What a line of Postfix says happened.
//!
//! Not here: how the text is read (`event_text`). Invariant: an event borrows from its line;
//! nothing is copied.

use super::attempt::Attempt;
use super::early_decision::{HeaderDecision, SessionDecision};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event<'a> {
    /// smtpd, qmqpd: a client began a session.
    Connect,
    /// smtpd: a session ended.
    Disconnect,
    /// smtpd, qmqpd: this client submits a message.
    Client(&'a [u8]),
    /// pickup: a message was submitted locally, or again after `postsuper -r`.
    Pickup {
        /// Envelope sender.
        sender: &'a [u8],
        /// The queue id before it was requeued.
        original: Option<&'a [u8]>,
    },
    /// cleanup: the Message-ID header.
    MessageId(&'a [u8]),
    /// qmgr: the message is tried now.
    TakenUp(TakenUp<'a>),
    /// qmgr: the message is too old; the recipients that are left do not get it.
    Expired {
        /// An operator gave it up.
        forced: bool,
    },
    /// qmgr: done with.
    Removed,
    /// postsuper: deleted by an operator.
    Deleted,
    /// postsuper: on hold.
    Held,
    /// postsuper: no longer on hold.
    Released,
    /// postsuper: to be taken in again under another queue id.
    Requeued,
    /// postsuper: to be given up by the queue manager.
    ToExpire,
    /// A recipient was tried.
    Attempt(Attempt<'a>),
    /// bounce: the sender (or postmaster) is notified.
    Notification {
        kind: NotificationKind,
        /// The queue id of the notification itself.
        queue_id: &'a [u8],
    },
    /// smtpd, postscreen, cleanup or a milter decided before the queue.
    SessionDecision(SessionDecision<'a>),
    /// header_checks, body_checks or milter_header_checks matched.
    HeaderDecision(HeaderDecision<'a>),
    /// Known to say nothing about what became of a message.
    Ignored,
    /// Not known.
    Unknown,
}

/// A message that the queue manager takes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TakenUp<'a> {
    /// Envelope sender.
    pub(crate) sender: &'a [u8],
    /// Bytes.
    pub(crate) size: u64,
    /// How many recipients are left.
    pub(crate) recipients: u32,
}

/// What a notification reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotificationKind {
    NonDelivery,
    Delay,
    /// Delivered, relayed or expanded, as the sender asked to know.
    Success,
}
