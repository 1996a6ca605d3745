//! Classification: what a delivery failure says, and what the policy makes of it. Data only.
//!
//! Four outputs that are never folded into one: the reason, the category it belongs to, what it is
//! about, and whether the address is dead. Invariant: only what is about the recipient or its
//! domain can be hard.

use memchr::memchr2_iter;
use serde::{Deserialize, Serialize};

/// A delivery failure, as a report or a mail log shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DeliveryFailure {
    /// The reply or diagnostic text.
    pub(crate) text: String,
    /// Enhanced status code (RFC 3463), or empty.
    pub(crate) status: String,
    /// SMTP reply code, or 0.
    pub(crate) code: u16,
    /// The SMTP command that was refused, or empty.
    pub(crate) stage: String,
    /// The mail server that refused, or empty.
    pub(crate) remote_mta: String,
    /// The sender of the message, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender: Option<String>,
    /// The recipient of the message, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recipient: Option<String>,
}

impl DeliveryFailure {
    /// The failure with the addresses of its message, as far as the text mentions them or their
    /// domains: others mean nothing for its class.
    pub(crate) fn between(self, sender: Option<&str>, recipient: Option<&str>) -> DeliveryFailure {
        let (sender, recipient) = mentioned(&self.text, sender, recipient);
        let (sender, recipient) = (sender.map(str::to_owned), recipient.map(str::to_owned));
        DeliveryFailure { sender, recipient, ..self }
    }
}

/// The addresses of a message that mean something for the class of a failure: the sender if the
/// text mentions it or its domain, and then the recipient in the same way; the recipient also if
/// the text has the name before its `@` as a word: `user kim not found`.
pub(crate) fn mentioned<'a>(
    text: &str,
    sender: Option<&'a str>,
    recipient: Option<&'a str>,
) -> (Option<&'a str>, Option<&'a str>) {
    let split = |address: &&'a str| address.rsplit_once('@').unwrap_or(("", address));
    let is_domain_there = |address: &&'a str| places(text, split(address).1).next().is_some();
    let sender = sender.filter(is_domain_there);
    let is_recipient_there = |address: &&'a str| {
        let name = split(address).0;
        places(text, name).any(|at| is_word(text.as_bytes(), at, name.len()))
            || (sender.is_some() && is_domain_there(address))
    };
    (sender, recipient.filter(is_recipient_there))
}

/// Where a text has these words, however they are capitalized.
fn places<'t>(text: &'t str, words: &'t str) -> impl Iterator<Item = usize> + 't {
    let (text, words) = (text.as_bytes(), words.as_bytes());
    let is_there =
        |at: &usize| text[*at..].get(..words.len()).is_some_and(|part| part.eq_ignore_ascii_case(words));
    let first = words.first();
    let of = |first: &u8| memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), text);
    first.map(of).into_iter().flatten().filter(is_there)
}

/// Whether nothing of the same word is around it.
fn is_word(text: &[u8], at: usize, length: usize) -> bool {
    let is_of_word =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte >= 0x80);
    !is_of_word(at.checked_sub(1).map(|before| &text[before])) && !is_of_word(text.get(at + length))
}

/// What a failure means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Class {
    /// Fine vocabulary: `user-unknown`, `mailbox-full`, …
    pub(crate) reason: String,
    /// The PowerMTA bounce category it belongs to.
    pub(crate) category: String,
    /// What it says of the address.
    pub(crate) severity: Severity,
    /// What it is about.
    pub(crate) about: About,
    /// The rule that decided; empty when none did.
    pub(crate) rule: String,
    /// What shows what it is about, if that is not the reason; in a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) evidence: String,
}

impl Class {
    /// The class with what no policy may decide otherwise: an address is dead only if the failure
    /// is about it or its domain.
    pub(crate) fn restrained(self) -> Class {
        let is_hard = self.severity == Severity::Hard && self.about.can_be_dead();
        let severity = match self.severity {
            Severity::Hard if !is_hard => Severity::Soft,
            severity => severity,
        };
        Class { severity, ..self }
    }
}

/// What a failure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum About {
    /// The mailbox.
    Recipient,
    /// The domain of the recipient.
    RecipientDomain,
    /// The sender's address or domain.
    Sender,
    /// The host that sends: its address, name, reputation or rate.
    SendingHost,
    /// The message: its content, size or form.
    Message,
    /// A mail server on the way.
    Relay,
    /// The connection between mail servers.
    Network,
    /// The failure does not show it, or there is none.
    Nobody,
}

impl About {
    /// In the order of their declaration.
    pub(crate) const ALL: [About; 8] = [
        About::Recipient,
        About::RecipientDomain,
        About::Sender,
        About::SendingHost,
        About::Message,
        About::Relay,
        About::Network,
        About::Nobody,
    ];

    /// Its name in JSON, in the index and in notifications.
    pub(crate) fn name(self) -> &'static str {
        match self {
            About::Recipient => "recipient",
            About::RecipientDomain => "recipient-domain",
            About::Sender => "sender",
            About::SendingHost => "sending-host",
            About::Message => "message",
            About::Relay => "relay",
            About::Network => "network",
            About::Nobody => "nobody",
        }
    }

    /// The one with this name.
    pub(crate) fn named(name: &str) -> Option<About> {
        About::ALL.into_iter().find(|about| about.name() == name)
    }

    /// What a failure with this reason is usually about, for policies that do not say. A hard
    /// failure with a reason of their own is about the recipient.
    pub(crate) fn usual(reason: &str, severity: Severity) -> About {
        let known = USUAL.iter().find(|(_, reasons)| reasons.contains(&reason));
        match known {
            Some((about, _)) => *about,
            None if severity == Severity::Hard => About::Recipient,
            None => About::Nobody,
        }
    }

    /// The public vocabulary of reasons.
    pub(crate) fn reasons() -> impl Iterator<Item = &'static str> {
        USUAL.iter().flat_map(|(_, reasons)| reasons.iter().copied())
    }

    /// Whether a failure about it can mean that the address is dead.
    pub(crate) fn can_be_dead(self) -> bool {
        matches!(self, About::Recipient | About::RecipientDomain)
    }
}

/// The vocabulary of reasons, and what a failure with each is usually about.
const USUAL: [(About, &[&str]); 8] = [
    (About::Recipient, &["user-unknown", "filtered", "has-moved", "suspend", "mailbox-full"]),
    (About::RecipientDomain, &["host-unknown", "not-accept"]),
    (About::Sender, &["rejected", "auth-failure"]),
    (
        About::SendingHost,
        &[
            "too-many-connections",
            "rate-limited",
            "blocked",
            "bad-reputation",
            "require-ptr",
            "security-error",
        ],
    ),
    (
        About::Message,
        &[
            "exceed-limit",
            "message-too-big",
            "not-compliant-rfc",
            "spam-detected",
            "virus-detected",
            "content-error",
            "policy-violation",
        ],
    ),
    (
        About::Relay,
        &["system-full", "system-error", "mailer-error", "relay-denied", "syntax-error", "failed-starttls"],
    ),
    (About::Network, &["expired", "network-error"]),
    (About::Nobody, &["undetermined", "feedback", "vacation", "delivered"]),
];

/// Whether the address or its domain is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Dead.
    Hard,
    /// Alive, as far as this failure tells.
    Soft,
    /// No failure.
    None,
    /// The failure does not tell.
    Unknown,
}

/// Failures that a policy is asked about together.
pub(crate) const BATCH: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_the_recipient_or_its_domain_is_hard() {
        for about in About::ALL {
            let class = Class {
                reason: "user-unknown".into(),
                category: "bad-mailbox".into(),
                severity: Severity::Hard,
                about,
                rule: "x".into(),
                evidence: String::new(),
            };
            let is_dead = matches!(about.name(), "recipient" | "recipient-domain");
            let severity = if is_dead { Severity::Hard } else { Severity::Soft };
            assert_eq!(class.restrained().severity, severity, "{about:?}");
            assert_eq!(serde_json::to_value(about).unwrap(), about.name());
            assert_eq!(About::named(about.name()), Some(about));
        }
    }

    #[test]
    fn the_addresses_that_a_text_mentions_are_known() {
        let (sender, recipient) = ("news@shop.example", "kim@firma.example");
        for (text, are_known) in [
            ("550 user KIM not found", [false, true]),
            ("550 <kim@firma.example>: no", [false, true]),
            ("550 kimono not found at firma.example", [false, false]),
            ("550 shop.example is unknown at firma.example", [true, true]),
            ("550 shop.example is unknown", [true, false]),
            ("550 \u{e4}kim is unknown", [false, false]),
        ] {
            let known = mentioned(text, Some(sender), Some(recipient));
            assert_eq!([known.0.is_some(), known.1.is_some()], are_known, "{text}");
        }
        assert_eq!(mentioned("550 no", Some("@"), Some("")), (None, None));
    }

    #[test]
    fn what_says_that_the_sender_is_unwanted_is_not_about_the_recipient() {
        for reason in ["rejected", "blocked", "spam-detected", "auth-failure", "rate-limited"] {
            assert!(!About::usual(reason, Severity::Hard).can_be_dead(), "{reason}");
        }
        assert_eq!(About::usual("no-such-person", Severity::Hard), About::Recipient);
        assert_eq!(About::usual("no-such-person", Severity::Soft), About::Nobody);
    }
}
