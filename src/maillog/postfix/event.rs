//! What happened, daemon by daemon.
//!
//! Not here: stamps, programs and queue ids, which are read before. Invariant: a text that Postfix is known
//! to write is never `Unknown`, and one that it is not known to write never anything else.

use super::attempt::Attempt;
use super::early_decision::{self, EarlyDecision, HeaderDecision, SessionDecision};
use super::is_id;
use super::session_envelope::address;
use memchr::memmem;

/// What a line says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Event<'a> {
    /// smtpd, qmqpd: a client began a session.
    Connect,
    /// smtpd: a session ended.
    Disconnect,
    /// smtpd, qmqpd: a message is coming in from this client.
    Client(&'a [u8]),
    /// pickup: a message was submitted locally, or again after `postsuper -r`.
    Pickup {
        /// Envelope sender.
        sender: &'a [u8],
        /// The queue id it had before it was requeued.
        original: Option<&'a [u8]>,
    },
    /// cleanup: the Message-ID header.
    MessageId(&'a [u8]),
    /// qmgr: a message is being worked on.
    Active {
        /// Envelope sender.
        sender: &'a [u8],
        /// Bytes.
        size: u64,
        /// How many recipients are left.
        recipients: u32,
    },
    /// qmgr: it is too old; whoever has not got it does not get it.
    Expired {
        /// An operator said so.
        forced: bool,
    },
    /// Done with.
    Removed {
        /// postsuper: deleted by an operator.
        deleted: bool,
    },
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
    /// bounce: the sender (or postmaster) is told.
    Notification {
        /// What.
        notice: NotificationKind,
        /// The notification's own queue id.
        queue_id: &'a [u8],
    },
    /// A decision before the queue.
    SessionDecision(SessionDecision<'a>),
    /// header_checks, body_checks, milter_header_checks.
    HeaderDecision(HeaderDecision<'a>),
    /// Known to say nothing of what became of a message.
    Ignored,
    /// Not known.
    Unknown,
}

/// What a notification tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotificationKind {
    /// It was not delivered.
    NonDelivery,
    /// It is late.
    Delay,
    /// It was delivered, relayed or expanded, as the sender had asked to know.
    Success,
}

/// Is this the name of one of Postfix's programs?
pub(crate) fn is_daemon(name: &[u8]) -> bool {
    const DAEMONS: &[&[u8]] = &[
        b"smtpd",
        b"smtp",
        b"qmgr",
        b"cleanup",
        b"lmtp",
        b"local",
        b"virtual",
        b"pipe",
        b"error",
        b"retry",
        b"discard",
        b"bounce",
        b"defer",
        b"trace",
        b"pickup",
        b"postscreen",
        b"postsuper",
        b"anvil",
        b"scache",
        b"tlsmgr",
        b"tlsproxy",
        b"dnsblog",
        b"verify",
        b"trivial-rewrite",
        b"proxymap",
        b"proxywrite",
        b"master",
        b"oqmgr",
        b"nqmgr",
        b"flush",
        b"showq",
        b"spawn",
        b"qmqpd",
        b"sendmail",
        b"postdrop",
        b"postqueue",
        b"postfix-script",
        b"postlog",
        b"postlogd",
        b"postmap",
    ];
    DAEMONS.contains(&name)
}

/// Reads the text after the queue id (`queued`) or `NOQUEUE` (`no_queue`), or the whole of it.
pub(crate) fn read<'a>(daemon: &[u8], queued: bool, no_queue: bool, text: &'a [u8]) -> Event<'a> {
    if queued {
        return of_message(daemon, text).unwrap_or(Event::Unknown);
    }
    if no_queue {
        return decision(text).unwrap_or_else(|| said(no_message(text)));
    }
    match text.first() {
        Some(b'c') if text.starts_with(b"connect from ") => Event::Connect,
        Some(b'd') if text.starts_with(b"disconnect from ") => Event::Disconnect,
        _ => said(no_message(text)),
    }
}

fn said(known: bool) -> Event<'static> {
    if known { Event::Ignored } else { Event::Unknown }
}

/// A text about a message in the queue.
fn of_message<'a>(daemon: &[u8], text: &'a [u8]) -> Option<Event<'a>> {
    match text.first()? {
        b't' if text.starts_with(b"to=<") => return Attempt::read(&text[4..]).map(Event::Attempt),
        b'f' if text.starts_with(b"from=<") => return sender(&text[6..]),
        b'm' if text.starts_with(b"message-id=") => return Some(Event::MessageId(&text[11..])),
        b'c' if text.starts_with(b"client=") => return Some(Event::Client(client(&text[7..]))),
        b'u' if text.starts_with(b"uid=") => return pickup(text),
        _ => {}
    }
    match text {
        b"removed" => return Some(Event::Removed { deleted: daemon == b"postsuper" }),
        b"placed on hold" => return Some(Event::Held),
        b"released from hold" => return Some(Event::Released),
        b"requeued" => return Some(Event::Requeued),
        b"expired" => return Some(Event::ToExpire),
        _ => {}
    }
    if matches!(daemon, b"bounce" | b"defer" | b"trace")
        && let Some(notification) = notification(text)
    {
        return Some(notification);
    }
    if matches!(daemon, b"smtpd" | b"cleanup" | b"postscreen" | b"qmqpd" | b"pickup")
        && let Some(decision) = decision(text)
    {
        return Some(decision);
    }
    about_message(text).then_some(Event::Ignored)
}

/// `from=<…>, size=…, nrcpt=… (queue active)` or `from=<…>, status=expired, returned to sender`.
///
/// All after the address is the queue manager's own and has no bracket, so the address is what stands before the last of them.
fn sender(text: &[u8]) -> Option<Event<'_>> {
    let close = memchr::memrchr(b'>', text)?;
    if let Some(rest) = text[close..].strip_prefix(b">, size=") {
        let sender = &text[..close];
        let (size, rest) = integer(rest);
        if let Some(rest) = rest.strip_prefix(b", nrcpt=") {
            let (recipients, _) = integer(rest);
            return Some(Event::Active {
                sender,
                size,
                recipients: recipients.try_into().unwrap_or(u32::MAX),
            });
        }
    }
    let rest = text[close..].strip_prefix(b">, status=")?;
    (rest.starts_with(b"expired") || rest.starts_with(b"force-expired"))
        .then(|| Event::Expired { forced: rest.starts_with(b"force") })
}

/// `host[address], sasl_method=…` without what follows the host.
fn client(text: &[u8]) -> &[u8] {
    let end = memmem::find(text, b", ").unwrap_or(text.len());
    &text[..end]
}

/// `uid=1000 from=<…>` and, after `postsuper -r`, ` orig_id=…`.
fn pickup(text: &[u8]) -> Option<Event<'_>> {
    let start = memmem::find(&text[..text.len().min(32)], b" from=<")? + 7;
    let text = &text[start..];
    if let Some(orig) = memmem::rfind(text, b"> orig_id=") {
        let original = text[orig + 10..].trim_ascii_end();
        if is_id(original) {
            return Some(Event::Pickup { sender: &text[..orig], original: Some(original) });
        }
    }
    let (sender, _) = address(text, b"")?;
    let sender = if text.first() == Some(&b'"') { sender } else { text.strip_suffix(b">").unwrap_or(sender) };
    Some(Event::Pickup { sender, original: None })
}

/// `sender non-delivery notification: 4Xyz…`
fn notification(text: &[u8]) -> Option<Event<'_>> {
    let colon = memmem::rfind(text, b" notification: ")?;
    let queue_id = text[colon + 15..].trim_ascii_end();
    let kind =
        text[..colon].strip_prefix(b"sender ").or_else(|| text[..colon].strip_prefix(b"postmaster "))?;
    let notice = match kind {
        b"non-delivery" => NotificationKind::NonDelivery,
        b"delay" | b"delivery delay" => NotificationKind::Delay,
        b"delivery status" => NotificationKind::Success,
        _ => return None,
    };
    is_id(queue_id).then_some(Event::Notification { notice, queue_id })
}

fn decision(text: &[u8]) -> Option<Event<'_>> {
    Some(match early_decision::read(text)? {
        EarlyDecision::Session(refusal) => Event::SessionDecision(refusal),
        EarlyDecision::Header(header) => Event::HeaderDecision(header),
    })
}

fn integer(text: &[u8]) -> (u64, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let add = |value: u64, byte: &u8| value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
    (text[..end].iter().fold(0, add), &text[end..])
}

/// Beginnings of texts after a queue id that say nothing final: replies of single servers, sessions,
/// warnings.
const ABOUT_MESSAGE: &[&[u8]] = &[
    b"host ",
    b"lost connection",
    b"conversation with ",
    b"timeout ",
    b"connect to ",
    b"warning: ",
    b"error: ",
    b"fatal: ",
    b"Cannot start TLS",
    b"TLS is required",
    b"SSL_",
    b"Server certificate ",
    b"Untrusted ",
    b"Trusted ",
    b"Verified ",
    b"Anonymous ",
    b"enabling PIX ",
    b"disabling PIX ",
    b"breaking line ",
    b"skipped, still being delivered",
    b"resent-message-id=",
    b"replace: ",
    b"prepend: ",
    b"sender ",
    b"postmaster ",
    b"client ",
    b"too many ",
    b"uncaught ",
    b"message size ",
    b"to ",
    b"server ",
    b"certificate ",
    b"ENHANCEDSTATUSCODES",
    b"milter",
];

/// Beginnings of texts without a queue id that say nothing of a message.
const NO_MESSAGE: &[&[u8]] = &[
    b"warning: ",
    b"fatal: ",
    b"error: ",
    b"panic: ",
    b"info: ",
    b"statistics: ",
    b"lost connection ",
    b"timeout after ",
    b"connect to ",
    b"connect from ",
    b"disconnect from ",
    b"Anonymous TLS ",
    b"Trusted TLS ",
    b"Untrusted TLS ",
    b"Verified TLS ",
    b"setting up TLS ",
    b"SSL_",
    b"TLS ",
    b"improper command ",
    b"too many errors ",
    b"too many ",
    b"table ",
    b"initializing the ",
    b"discarding EHLO ",
    b"using backwards-compatible ",
    b"daemon started ",
    b"reload ",
    b"refreshing the ",
    b"starting the ",
    b"stopping the ",
    b"stopped",
    b"waiting for the ",
    b"terminating on signal ",
    b"Deleted: ",
    b"Requeued: ",
    b"Released from hold: ",
    b"Placed on hold: ",
    b"Force-expired: ",
    b"Expired: ",
    b"CONNECT from ",
    b"DISCONNECT ",
    b"PASS ",
    b"HANGUP ",
    b"PREGREET ",
    b"COMMAND ",
    b"BARE NEWLINE ",
    b"NON-SMTP COMMAND ",
    b"DNSBL rank ",
    b"ALLOWLISTED ",
    b"WHITELISTED ",
    b"DENYLISTED ",
    b"BLACKLISTED ",
    b"ALLOWLIST VETO ",
    b"WHITELIST VETO ",
    b"NOQUEUE: ",
    b"entering STRESS mode",
    b"leaving STRESS mode",
    b"cache ",
    b"addr ",
    b"client_connections",
    b"client=",
    b"Peer ",
    b"peer ",
    b"Host offered STARTTLS",
    b"certificate verification failed ",
    b"server certificate ",
    b"subject",
    b"issuer",
    b"name service error",
    b"message repeated ",
    b"proxy-",
    b"dict_",
    b"xsasl_",
    b"dns_",
    b"mynetworks",
    b"open ",
    b"close ",
    b"watchdog ",
    b"restarting",
    b"postfix",
    b"Postfix ",
    b"executing ",
    b"the Postfix mail system",
    b"configuration ",
    b"not owned by ",
    b"not ",
    b"symlink",
    b"group or other writable",
    b"chroot ",
    b"Compatibility level ",
    b"New TLS ",
    b"Re-using ",
    b"host ",
    b"probe ",
    b"queue_directory",
    b"<",
    b"SASL ",
];

fn about_message(text: &[u8]) -> bool {
    begins(text, ABOUT_MESSAGE)
}

fn no_message(text: &[u8]) -> bool {
    // Debug output and values of debug_peer_list have a client in front: `host[address]: 220 …`.
    begins(text, NO_MESSAGE) || memmem::find(text, b"]: ").is_some()
}

fn begins(text: &[u8], starts: &[&[u8]]) -> bool {
    starts.iter().any(|start| start.first() == text.first() && text.starts_with(start))
}
