//! A record of KumoMTA's log: a line of JSON, with the fields that carom reads.
//!
//! Not here: what becomes of it (`record_delivery`). Invariant: unknown fields are ignored, so that
//! a younger KumoMTA can be read.

use crate::clock;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
pub(crate) struct LogRecord<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    /// The message in KumoMTA's spool.
    #[serde(borrow, default)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) sender: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) recipient: LoggedRecipients<'a>,
    /// `campaign:tenant@domain`
    #[serde(borrow, default)]
    pub(crate) queue: Cow<'a, str>,
    #[serde(default)]
    pub(crate) size: u64,
    #[serde(default)]
    pub(crate) response: Option<Response>,
    #[serde(default)]
    pub(crate) peer_address: Option<PeerAddress>,
    pub(crate) timestamp: LoggedTime,
    #[serde(default)]
    pub(crate) created: Option<LoggedTime>,
    #[serde(default)]
    pub(crate) egress_pool: Option<String>,
    #[serde(default)]
    pub(crate) egress_source: Option<String>,
    #[serde(default)]
    pub(crate) source_address: Option<SourceAddress>,
    #[serde(default)]
    meta: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    pub(crate) delivery_protocol: Option<String>,
    #[serde(default)]
    pub(crate) nodeid: Option<String>,
    #[serde(default)]
    pub(crate) tls_cipher: Option<String>,
    #[serde(default)]
    pub(crate) session_id: Option<String>,
}

/// One address, or those of a message that goes to several.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(crate) enum LoggedRecipients<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Several(Vec<String>),
    #[default]
    None,
}

impl LoggedRecipients<'_> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let (one, several) = match self {
            LoggedRecipients::One(one) => (Some(&**one), &[][..]),
            LoggedRecipients::Several(several) => (None, several.as_slice()),
            LoggedRecipients::None => (None, &[][..]),
        };
        one.into_iter().chain(several.iter().map(String::as_str)).filter(|address| !address.is_empty())
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Response {
    #[serde(default)]
    code: u16,
    #[serde(default)]
    enhanced_code: Option<EnhancedCode>,
    #[serde(default)]
    content: String,
    /// The command that was answered; null for the banner, absent in what is no reply.
    #[serde(default, deserialize_with = "written")]
    command: Option<Option<String>>,
}

/// A field that is written, although it may be null.
fn written<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(value).map(Some)
}

#[derive(Debug, Deserialize)]
struct EnhancedCode {
    class: u8,
    subject: u16,
    detail: u16,
}

impl Response {
    /// `5.1.1`
    pub(crate) fn dsn(&self) -> Option<String> {
        let EnhancedCode { class, subject, detail } = self.enhanced_code.as_ref()?;
        Some(format!("{class}.{subject}.{detail}"))
    }

    /// What came before a recipient was named, as Postfix shows it: `(in reply to MAIL FROM
    /// command)`. It is not about the recipient.
    fn frame(&self) -> Option<String> {
        const EARLY: [&str; 6] = ["MAIL FROM", "EHLO", "HELO", "LHLO", "STARTTLS", "AUTH"];
        if self.content.starts_with("KumoMTA internal") {
            return None;
        }
        let command = self.command.as_ref()?.as_deref().map_or("CONNECT", str::trim_start);
        let starts =
            |name: &&str| command.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        let stage = if command == "CONNECT" { "CONNECT" } else { EARLY.into_iter().find(starts)? };
        Some(format!("(in reply to {stage} command)"))
    }

    /// `550 5.1.1 no such user`, as the server wrote it.
    pub(crate) fn text(&self) -> Option<String> {
        let code = (self.code > 0).then(|| self.code.to_string());
        let content = Some(self.content.trim()).filter(|content| !content.is_empty()).map(str::to_owned);
        let parts: Vec<String> = code.into_iter().chain(self.dsn()).chain(content).collect();
        let is_told = !parts.is_empty();
        is_told.then(|| parts.into_iter().chain(self.frame()).collect::<Vec<_>>().join(" "))
    }
}

/// The server that mail is sent to; in a refusal, the client.
#[derive(Debug, Deserialize)]
pub(crate) struct PeerAddress {
    #[serde(default)]
    name: String,
    #[serde(default)]
    pub(crate) addr: String,
}

impl PeerAddress {
    /// `mx.example.com[192.0.2.1]`
    pub(crate) fn relay(&self) -> Option<String> {
        let name = self.name.trim_end_matches('.');
        (!name.is_empty() || !self.addr.is_empty()).then(|| format!("{name}[{}]", self.addr))
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct SourceAddress {
    /// `192.0.2.1:53210`, `[2001:db8::1]:53210`
    #[serde(default)]
    address: String,
}

impl SourceAddress {
    pub(crate) fn ip(&self) -> &str {
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Seconds since 1970 that are later than any time that is meant.
const LATEST: f64 = 1e11;

/// Seconds since 1970, or RFC 3339.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum LoggedTime {
    Seconds(i64),
    Fraction(f64),
    Text(String),
}

impl LoggedTime {
    /// Milliseconds since 1970.
    pub(crate) fn ms(&self) -> Option<i64> {
        let at_ms = match self {
            LoggedTime::Seconds(seconds) => seconds.checked_mul(1000)?,
            LoggedTime::Fraction(seconds) if *seconds < LATEST => (seconds * 1000.0) as i64,
            LoggedTime::Fraction(_) => return None,
            LoggedTime::Text(text) => clock::parse(text)?,
        };
        (at_ms > 0 && at_ms < LATEST as i64 * 1000).then_some(at_ms)
    }
}

impl LogRecord<'_> {
    /// The first of these headers that the log has; names in any case.
    pub(crate) fn header(&self, names: &[&str]) -> Option<&str> {
        let headers = self.headers.as_ref()?;
        names.iter().find_map(|name| {
            let name = name.trim_end_matches(':');
            let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            text(found?.1)
        })
    }

    pub(crate) fn meta(&self, name: &str) -> Option<&str> {
        text(self.meta.as_ref()?.get(name)?)
    }

    /// The campaign and the tenant that the name of the queue has.
    pub(crate) fn queue_parts(&self) -> (Option<&str>, Option<&str>) {
        let named = self.queue.rsplit_once('@').map(|(named, _)| named);
        let (campaign, rest) = match self.queue.split_once(':') {
            Some((campaign, _)) => (Some(campaign), named.and_then(|named| named.split_once(':'))),
            None => (None, None),
        };
        let tenant = rest.map(|(_, tenant)| tenant).or(named.filter(|_| campaign.is_none()));
        let not_empty = |part: &&str| !part.is_empty();
        (campaign.filter(not_empty), tenant.filter(not_empty))
    }
}

/// The text of a value; the first of several.
fn text(value: &Value) -> Option<&str> {
    let value = value.as_array().map_or(Some(value), |several| several.first())?;
    value.as_str().map(str::trim).filter(|text| !text.is_empty())
}
