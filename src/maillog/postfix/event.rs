//! What a line of Postfix says happened.
//!
//! Not here: how the text is read (`event_text`). Invariant: an event borrows from its line;
//! nothing is copied.

use super::attempt::Attempt;
use super::early_decision::{HeaderDecision, SessionDecision};
use memchr::memmem;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event<'a> {
    /// smtpd, qmqpd: a client began a session.
    Connect,
    /// smtpd: a session ended.
    Disconnect,
    /// smtpd, qmqpd: this client submits a message.
    Client(SubmittingClient<'a>),
    /// Exim: a message arrived, with all that is known of it.
    Arrived(Arrival<'a>),
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

/// The client that submits a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubmittingClient<'a> {
    /// `host[address]`
    pub(crate) name: &'a [u8],
    /// What follows the name: `sasl_method=PLAIN, sasl_username=app`.
    fields: &'a [u8],
}

impl<'a> SubmittingClient<'a> {
    /// Reads `host[address], sasl_method=…`.
    pub(crate) fn read(text: &'a [u8]) -> SubmittingClient<'a> {
        match memmem::find(text, b", ") {
            Some(end) => SubmittingClient { name: &text[..end], fields: &text[end + 2..] },
            None => SubmittingClient { name: text, fields: b"" },
        }
    }

    pub(crate) fn is_authenticated(&self) -> bool {
        self.field(b"sasl_username=").is_some()
    }

    /// The client that the message came from before a content filter gave it back (XFORWARD).
    pub(crate) fn original(&self) -> Option<&'a [u8]> {
        self.field(b"orig_client=")
    }

    /// The queue id that the message had before.
    pub(crate) fn original_queue_id(&self) -> Option<&'a [u8]> {
        self.field(b"orig_queue_id=")
    }

    fn field(&self, name: &[u8]) -> Option<&'a [u8]> {
        let mut rest = self.fields;
        while !rest.is_empty() {
            let end = memmem::find(rest, b", ").unwrap_or(rest.len());
            if let Some(value) = rest[..end].strip_prefix(name) {
                return Some(value);
            }
            rest = rest.get(end + 2..).unwrap_or_default();
        }
        None
    }
}

/// The arrival of a message in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival<'a> {
    /// Envelope sender.
    pub(crate) sender: &'a [u8],
    /// `host (helo) [address]:port`; none if it was submitted locally.
    pub(crate) client: Option<&'a [u8]>,
    pub(crate) authenticated: bool,
    /// Bytes.
    pub(crate) size: Option<u64>,
    pub(crate) recipients: Option<u32>,
    pub(crate) message_id: Option<&'a [u8]>,
    /// The queue id of the message that it reports on.
    pub(crate) parent: Option<&'a [u8]>,
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
