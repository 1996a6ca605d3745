//! What alerts can be about: a statistic, and the group of deliveries that it is counted for.
//!
//! Not here: how the statistics are counted (`stats`). Invariant: a metric is written as it was
//! read.

use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Metric {
    /// Bounced or expired, in percent of finished deliveries.
    BounceRate,
    /// Deferred, in percent of attempts.
    DeferralRate,
    /// Refused in the session, in percent of all.
    RejectRate,
    /// Number of deliveries.
    Volume,
    /// Seconds within which 90 % were delivered.
    Delay,
    /// Deliveries whose reply matches no rule.
    UnknownTexts,
    /// Failures and refusals with this reason.
    Reason(String),
    /// Deliveries that are still deferred.
    Queue,
    /// Minutes since a log was last read.
    LogSilent,
    /// A log cannot be read: 1, else 0.
    LogUnreadable,
    /// Pending steps that have failed before, and notifications that were parked or given up in the
    /// window.
    Outbox,
    /// Parts of the tick that failed.
    TickFailed,
    /// Complaints in the window that match nobody.
    ComplaintUnmatched,
}

/// The words of `when`, except `reason:NAME`.
pub(super) const METRICS: [(&str, Metric); 12] = [
    ("bounce-rate", Metric::BounceRate),
    ("deferral-rate", Metric::DeferralRate),
    ("reject-rate", Metric::RejectRate),
    ("volume", Metric::Volume),
    ("delay", Metric::Delay),
    ("unknown-texts", Metric::UnknownTexts),
    ("queue", Metric::Queue),
    ("log-silent", Metric::LogSilent),
    ("log-unreadable", Metric::LogUnreadable),
    ("outbox", Metric::Outbox),
    ("tick-failed", Metric::TickFailed),
    ("complaint-unmatched", Metric::ComplaintUnmatched),
];

impl Metric {
    /// Whether it is a share of deliveries, which means nothing for a few deliveries.
    pub(crate) fn is_share(&self) -> bool {
        matches!(self, Metric::BounceRate | Metric::DeferralRate | Metric::RejectRate | Metric::Delay)
    }

    /// Whether it is counted from the deliveries of the window.
    pub(crate) fn is_of_deliveries(&self) -> bool {
        self.is_share() || matches!(self, Metric::Volume | Metric::UnknownTexts | Metric::Reason(_))
    }

    /// Whether it fires above zero if no threshold is set, because any is too many.
    pub(crate) fn has_threshold(&self) -> bool {
        matches!(self, Metric::LogUnreadable | Metric::TickFailed)
    }

    /// What follows a value.
    pub(crate) fn unit(&self) -> &'static str {
        match self {
            Metric::BounceRate | Metric::DeferralRate | Metric::RejectRate => " %",
            Metric::Delay => " s",
            Metric::LogSilent => " min",
            _ => "",
        }
    }

    /// Whether it is counted by such groups.
    pub(super) fn allows(&self, group: GroupBy) -> bool {
        match self {
            Metric::BounceRate
            | Metric::DeferralRate
            | Metric::RejectRate
            | Metric::Volume
            | Metric::Delay => true,
            Metric::Reason(_) => group == GroupBy::Provider,
            _ => false,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Reason(name) => write!(f, "reason:{name}"),
            other => f.write_str(METRICS.iter().find(|(_, one)| one == other).map_or("", |(word, _)| word)),
        }
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> String {
        metric.to_string()
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(word: String) -> Result<Metric, String> {
        if let Some(name) = word.strip_prefix("reason:").filter(|name| !name.is_empty()) {
            return Ok(Metric::Reason(name.to_owned()));
        }
        let found = METRICS.iter().find(|(known, _)| *known == word).map(|(_, metric)| metric.clone());
        let words = METRICS.map(|(word, _)| word).join(", ");
        found.ok_or_else(|| format!("`{word}` is not a statistic: use {words} or reason:NAME"))
    }
}

/// How deliveries are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupBy {
    /// The operator of the recipient's mail server.
    Provider,
    RecipientDomain,
    SenderDomain,
    Client,
    Relay,
    /// The stream that a delivery was sent in.
    Source,
}

const GROUPS: [(&str, GroupBy); 6] = [
    ("provider", GroupBy::Provider),
    ("recipient-domain", GroupBy::RecipientDomain),
    ("sender-domain", GroupBy::SenderDomain),
    ("client", GroupBy::Client),
    ("relay", GroupBy::Relay),
    ("source", GroupBy::Source),
];

impl GroupBy {
    /// The word in the config.
    pub(crate) fn name(self) -> &'static str {
        GROUPS.iter().find(|(_, group)| *group == self).map_or("", |(word, _)| word)
    }
}

/// Which deliveries: `provider:each`, `client:shop1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Of {
    pub(crate) group: GroupBy,
    /// `None`: each group.
    pub(crate) name: Option<String>,
}

impl From<Of> for String {
    fn from(of: Of) -> String {
        format!("{}:{}", of.group.name(), of.name.as_deref().unwrap_or("each"))
    }
}

impl TryFrom<String> for Of {
    type Error = String;

    fn try_from(word: String) -> Result<Of, String> {
        let (group, name) = word.split_once(':').unwrap_or((&word, "each"));
        let name = (name != "each").then(|| name.to_lowercase());
        match GROUPS.iter().find(|(known, _)| *known == group) {
            Some((_, group)) if name.as_deref() != Some("") => Ok(Of { group: *group, name }),
            _ => {
                let words = GROUPS.map(|(word, _)| word).join(", ");
                Err(format!("`{word}` is not a group: use {words}, followed by :NAME or :each"))
            }
        }
    }
}
