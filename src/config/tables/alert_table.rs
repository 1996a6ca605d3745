//! `[[alert]]` and `[alerts]`: what operators are told of, and how.
//!
//! Not here: what the figures are, and when an alert fires (`alert`). Invariant: a rule that has been read can be evaluated.

use crate::config::{Fault, Span};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;

/// `[alerts]`: the mail that alerts are told by.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlertsTable {
    /// The address in From; default `carom@` and the host's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The server that takes alerts, `host` or `host:port`; none: the mail exchangers of each address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
}

/// `[[alert]]`: a rule on a statistic.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertTable {
    /// What it is called.
    pub(crate) name: String,
    /// The statistic.
    pub(crate) when: Metric,
    /// Of which deliveries; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<Of>,
    /// It fires above this value: percent of rates, seconds of delay, minutes of silence, else a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) above: Option<f64>,
    /// It fires below this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) below: Option<f64>,
    /// How far back is counted.
    #[serde(default = "hour")]
    pub(crate) window: Span,
    /// Fewer deliveries say nothing about a rate or a delay.
    #[serde(default = "twenty")]
    pub(crate) at_least: u64,
    /// It fires when things have stood so for this long.
    #[serde(default)]
    pub(crate) hold: Span,
    /// Addresses that are told.
    #[serde(default)]
    pub(crate) mail: Vec<String>,
    /// A URL that is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) webhook: Option<String>,
    /// Standard Webhooks secrets of that URL, `whsec_…`; two while they are changed. None: requests are not signed.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
}

fn hour() -> Span {
    Span::seconds(3600)
}

fn twenty() -> u64 {
    20
}

/// What a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Metric {
    /// Bounced or expired, percent of what came to an end.
    BounceRate,
    /// Put off, percent of attempts.
    DeferralRate,
    /// Refused in the session, percent of all.
    RejectRate,
    /// Deliveries.
    Volume,
    /// Seconds within which nine of ten were delivered.
    Delay,
    /// Deliveries with a reply that no rule knows.
    UnknownTexts,
    /// Failures and refusals with this reason.
    Reason(String),
    /// Deliveries that are still put off.
    Queue,
    /// Minutes since a log was last read.
    LogSilent,
    /// Steps that were tried in vain and are owed, and notifications that were parked or given up in the window.
    Outbox,
    /// Parts of the tick that failed.
    TickFailed,
}

/// The words of `when`, but for `reason:NAME`.
const METRICS: [(&str, Metric); 10] = [
    ("bounce-rate", Metric::BounceRate),
    ("deferral-rate", Metric::DeferralRate),
    ("reject-rate", Metric::RejectRate),
    ("volume", Metric::Volume),
    ("delay", Metric::Delay),
    ("unknown-texts", Metric::UnknownTexts),
    ("queue", Metric::Queue),
    ("log-silent", Metric::LogSilent),
    ("outbox", Metric::Outbox),
    ("tick-failed", Metric::TickFailed),
];

impl Metric {
    /// Whether it is a share of deliveries, which few deliveries say nothing about.
    pub(crate) fn is_share(&self) -> bool {
        matches!(self, Metric::BounceRate | Metric::DeferralRate | Metric::RejectRate | Metric::Delay)
    }

    /// Whether it is counted from the deliveries of the window.
    pub(crate) fn is_of_deliveries(&self) -> bool {
        self.is_share() || matches!(self, Metric::Volume | Metric::UnknownTexts | Metric::Reason(_))
    }

    /// What stands after a value.
    pub(crate) fn unit(&self) -> &'static str {
        match self {
            Metric::BounceRate | Metric::DeferralRate | Metric::RejectRate => " %",
            Metric::Delay => " s",
            Metric::LogSilent => " min",
            _ => "",
        }
    }

    /// The groups it can be told of.
    fn allows(&self, group: Group) -> bool {
        match self {
            Metric::BounceRate
            | Metric::DeferralRate
            | Metric::RejectRate
            | Metric::Volume
            | Metric::Delay => true,
            Metric::Reason(_) => group == Group::Provider,
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
        found.ok_or_else(|| format!("`{word}` is no statistic: use {words} or reason:NAME"))
    }
}

/// By what deliveries are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// Who runs the recipient's mail server.
    Provider,
    /// The domain of the recipient.
    RecipientDomain,
    /// The domain of the envelope sender.
    SenderDomain,
    /// The client id.
    Client,
    /// The next hop.
    Relay,
}

const GROUPS: [(&str, Group); 5] = [
    ("provider", Group::Provider),
    ("recipient-domain", Group::RecipientDomain),
    ("sender-domain", Group::SenderDomain),
    ("client", Group::Client),
    ("relay", Group::Relay),
];

impl Group {
    /// The word in the config.
    pub(crate) fn name(self) -> &'static str {
        GROUPS.iter().find(|(_, group)| *group == self).map_or("", |(word, _)| word)
    }
}

/// Which deliveries: `provider:each`, `client:shop1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Of {
    /// By what they are grouped.
    pub(crate) group: Group,
    /// The group; none: each.
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
                Err(format!("`{word}` is no group: use {words}, followed by :NAME or :each"))
            }
        }
    }
}

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once('@').filter(|(local, domain)| !local.is_empty() && !domain.is_empty());
    parts.is_some() && !text.contains(|c: char| c.is_control() || c.is_whitespace() || "<>".contains(c))
}

fn is_web(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host().is_some())
}

impl AlertsTable {
    /// Key, fault and remedy, if it cannot be.
    pub(crate) fn impossible(&self) -> Option<Fault> {
        if self.from.as_deref().is_some_and(|from| !is_address(from)) {
            return Some(("from", "is not an address", "give one like carom@example.com"));
        }
        let port = self.server.as_deref().and_then(|server| server.rsplit_once(':'));
        if port.is_some_and(|(host, port)| !host.contains(':') && port.parse::<u16>().is_err()) {
            return Some(("server", "has no such port", "give a host, or host:25"));
        }
        None
    }
}

/// Key, fault and remedy of the first rule that cannot be.
pub(crate) fn impossible(rules: &[AlertTable]) -> Option<(usize, Fault)> {
    let mut names = HashSet::new();
    for (number, rule) in rules.iter().enumerate() {
        let plain = !rule.name.is_empty() && !rule.name.contains(char::is_control) && rule.name.len() <= 100;
        if !plain || !names.insert(&rule.name) {
            return Some((
                number,
                ("name", "is missing, too long, or there twice", "give each [[alert]] its own"),
            ));
        }
        let finite = |value: Option<f64>| value.is_none_or(f64::is_finite);
        if !finite(rule.above) || !finite(rule.below) || (rule.above.is_some() && rule.below.is_some()) {
            return Some((
                number,
                ("above", "an alert has one threshold", "give either above or below, a number"),
            ));
        }
        if rule.above.is_none() && rule.below.is_none() && rule.when != Metric::TickFailed {
            return Some((number, ("[[alert]]", "has no threshold", "give above or below")));
        }
        if rule.of.as_ref().is_some_and(|of| !rule.when.allows(of.group)) {
            return Some((
                number,
                (
                    "of",
                    "this statistic is not counted so",
                    "remove the key, or use bounce-rate, deferral-rate, reject-rate, volume or delay (reason:NAME by provider)",
                ),
            ));
        }
        if rule.window.ms() < 60_000 {
            return Some((number, ("window", "is shorter than a minute", "use a span like 15m, 1h or 24h")));
        }
        if rule.mail.is_empty() && rule.webhook.is_none() {
            return Some((
                number,
                ("[[alert]]", "tells nobody", "give mail = [\"you@example.com\"], or webhook"),
            ));
        }
        if rule.webhook.as_deref().is_some_and(|url| !is_web(url)) {
            return Some((number, ("webhook", "is not the address of a web server", "give https://…")));
        }
        if rule.mail.iter().any(|to| !is_address(to)) {
            return Some((
                number,
                ("mail", "holds what is not an address", "give addresses like ops@example.com"),
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn rule(keys: &str) -> Result<Config, String> {
        Config::parse(&format!("[[alert]]\nname = \"a\"\n{keys}\n")).map_err(|error| error.to_string())
    }

    #[test]
    fn every_statistic_can_be_named_and_is_written_as_it_was_read() {
        for (word, _) in super::METRICS {
            let config = rule(&format!("when = \"{word}\"\nabove = 1\nmail = [\"a@b.example\"]")).unwrap();
            assert_eq!(config.alert[0].when.to_string(), word);
        }
        let config = rule("when = \"reason:spam-block\"\nof = \"provider:Google\"\nbelow = 1.5\nwindow = \"90m\"\nwebhook = \"http://x/\"").unwrap();
        let text = toml::to_string(&config.alert[0]).unwrap();
        for line in ["when = \"reason:spam-block\"", "of = \"provider:google\"", "window = \"90m\""] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_is_named_with_a_remedy() {
        for (keys, said) in [
            ("when = \"luck\"", "use bounce-rate"),
            ("when = \"volume\"\nabove = 1", "tells nobody"),
            ("when = \"volume\"\nmail = [\"a@b.example\"]", "give above or below"),
            ("when = \"volume\"\nabove = 1\nbelow = 1\nmail = [\"a@b.example\"]", "one threshold"),
            ("when = \"volume\"\nabove = nan\nmail = [\"a@b.example\"]", "one threshold"),
            ("when = \"volume\"\nabove = 1\nmail = [\"a@b\\r\\nBcc: x@y\"]", "not an address"),
            (
                "when = \"queue\"\nof = \"provider:each\"\nabove = 1\nmail = [\"a@b.example\"]",
                "not counted so",
            ),
            ("when = \"volume\"\nof = \"moon:each\"\nabove = 1\nmail = [\"a@b.example\"]", "use provider"),
            ("when = \"volume\"\nwindow = \"soon\"\nabove = 1\nmail = [\"a@b.example\"]", "15m"),
            (
                "when = \"volume\"\nwindow = \"9s\"\nabove = 1\nmail = [\"a@b.example\"]",
                "shorter than a minute",
            ),
        ] {
            let error = rule(keys).unwrap_err();
            assert!(error.contains(said) && error.contains("line "), "{keys}: {error}");
        }
        for (keys, said) in
            [("webhook = \"ftp://x/y\"", "line 4: webhook"), ("webhook = \"not a url\"", "line 4: webhook")]
        {
            let error = rule(&format!("when = \"tick-failed\"\n{keys}")).unwrap_err();
            assert!(error.contains(said), "{keys}: {error}");
        }
        let second = "when = \"tick-failed\"\nmail = [\"a@b.example\"]\n[[alert]]\nname = \"b\"\nwhen = \"tick-failed\"\nmail = [\"notanaddress\"]";
        assert!(rule(second).unwrap_err().contains("line 8: mail"), "{:?}", rule(second));
        assert!(
            Config::parse("[alerts]\nserver = \"mx.example:99999\"\n")
                .unwrap_err()
                .to_string()
                .contains("line 2: server")
        );
        let twice = "when = \"tick-failed\"\nmail = [\"a@b.example\"]\n[[alert]]\nname = \"a\"\nwhen = \"tick-failed\"\nmail = [\"a@b.example\"]";
        assert!(rule(twice).unwrap_err().contains("there twice"));
    }
}
