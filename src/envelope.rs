//! The envelope: who sent a message to whom, as the mail server says it. Not the header, which
//! anyone may write.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv6Addr};

/// An SMTP envelope for one recipient (RFC 5321 section 2.3.1), with what the mail server knows of
/// the client.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The return path; empty for the null sender.
    pub(crate) sender: String,
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
    /// Which reports the sender asks for (NOTIFY). `None`: it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) notify: Option<Vec<WantedReport>>,
    /// Of a message that fails, the sender wants only the header back (RET=HDRS).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) header_only: bool,
}

/// A report that a sender can ask for (NOTIFY of RFC 3461). None of them: `NEVER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WantedReport {
    Success,
    Failure,
    Delay,
}

impl Envelope {
    /// Whether the sender asks for this report; without a word from it, it wants to hear of
    /// failures.
    pub(crate) fn wants(&self, report: WantedReport) -> bool {
        self.notify.as_ref().map_or(report != WantedReport::Success, |wanted| wanted.contains(&report))
    }

    /// The null sender is written in three ways: nothing, `<>`, and Postfix's `MAILER-DAEMON`.
    pub(crate) fn normal_sender(sender: &str) -> String {
        match sender.trim() {
            "" | "<>" => String::new(),
            daemon if daemon.eq_ignore_ascii_case("mailer-daemon") => String::new(),
            other => other.trim_start_matches('<').trim_end_matches('>').to_owned(),
        }
    }

    /// The client that the mail server names: Postfix says "unknown" where it knows none, and
    /// XFORWARD writes IPv6 with a prefix, and an IPv4 client of an IPv6 socket in its long form.
    /// An address that cannot be read is somebody's, and nobody's of ours.
    pub(crate) fn client_address_in(text: &str) -> Option<IpAddr> {
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        let tag = bare.get(..5).filter(|tag| tag.eq_ignore_ascii_case("ipv6:"));
        let bare = bare.get(tag.map_or(0, str::len)..).unwrap_or(bare);
        if bare.is_empty() || bare.eq_ignore_ascii_case("unknown") {
            return None;
        }
        let unzoned = bare.split_once('%').map_or(bare, |(address, _)| address);
        let address: IpAddr = unzoned.parse().unwrap_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        Some(address.to_canonical())
    }
}
