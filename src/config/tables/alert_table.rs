//! `[[alert]]` and `[alerts]`: what operators are alerted of, and how.

use crate::config::metric::{Metric, Of};
use crate::config::span::Span;
use serde::{Deserialize, Serialize};

/// `[alerts]`: how alerts are mailed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlertsTable {
    /// The address in From; default `carom@` and the host's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// The server that takes alerts, `host` or `host:port`; default the mail exchangers of each
    /// address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
}

/// `[[alert]]`: a rule on a statistic.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertTable {
    pub(crate) name: String,
    /// The statistic.
    pub(crate) when: Metric,
    /// Which deliveries count; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) of: Option<Of>,
    /// It fires above this value: percent of rates, seconds of delay, minutes of silence, else a
    /// count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) above: Option<f64>,
    /// It fires below this value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) below: Option<f64>,
    /// The period that counts.
    #[serde(default = "hour")]
    pub(crate) window: Span,
    /// With fewer deliveries, a rate or a delay is not evaluated.
    #[serde(default = "twenty")]
    pub(crate) at_least: u64,
    /// It fires when the threshold has been crossed for this long.
    #[serde(default)]
    pub(crate) hold: Span,
    /// The addresses that get a mail.
    #[serde(default)]
    pub(crate) mail: Vec<String>,
    /// The URL that gets a POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) webhook: Option<String>,
    /// Standard Webhooks secrets of that URL, `whsec_…`; two during a change. Without one, requests
    /// are not signed.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
}

fn hour() -> Span {
    Span::seconds(3600)
}

fn twenty() -> u64 {
    20
}
