//! The envelope: who sent a message to whom, as the mail server says it. Not the header, which
//! anyone may write.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// An SMTP envelope for one recipient (RFC 5321 section 2.3.1), with what the mail server knows of
/// the client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The return path; empty for the null sender.
    pub(crate) sender: String,
    /// The recipient.
    pub(crate) recipient: String,
    /// The recipient before aliasing.
    pub(crate) original_recipient: Option<String>,
    /// The SMTP client's address.
    pub(crate) client_address: Option<IpAddr>,
    /// The name the SMTP client gave in HELO or EHLO.
    pub(crate) client_helo: Option<String>,
    /// The mail server's queue id. With it, a redelivery is recognised even after the message was
    /// finished.
    pub(crate) queue_id: Option<String>,
    /// The DSN envelope id (RFC 3461).
    pub(crate) envid: Option<String>,
}

impl Envelope {
    /// The null sender is written in three ways: nothing, `<>`, and Postfix's `MAILER-DAEMON`.
    pub(crate) fn normal_sender(sender: &str) -> String {
        match sender.trim() {
            "" | "<>" => String::new(),
            daemon if daemon.eq_ignore_ascii_case("mailer-daemon") => String::new(),
            other => other.trim_start_matches('<').trim_end_matches('>').to_owned(),
        }
    }
}

/// Splits an address at its last `@` into local part and domain; `None` when either is missing.
pub(crate) fn split_address(address: &str) -> Option<(&str, &str)> {
    let (local, domain) = address.rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then_some((local, domain))
}
