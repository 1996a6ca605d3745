//! What carom observed and keeps: the last tick, the state of each alert, differences between
//! policies, templates.

use crate::envelope::Envelope;
use serde::{Deserialize, Serialize};

/// Without a tick for so long (milliseconds), ticks have stopped.
pub(crate) const OVERDUE_MS: i64 = 10 * 60_000;

/// The mark that has the config file of the last tick.
pub(crate) const CONFIG_OF_TICK: &str = "config of the tick";

/// The last tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Heartbeat {
    /// Its end, in milliseconds since 1970, as every time that ends in `_ms`.
    pub(crate) at_ms: i64,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
    /// The end of the last tick of which no part failed.
    pub(crate) whole_ms: Option<i64>,
    /// The parts that failed.
    pub(crate) failed: Vec<String>,
}

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertState {
    /// Beyond the threshold, but not for long enough.
    Pending,
    /// Beyond the threshold.
    Firing,
    /// Back within the threshold.
    Resolved,
}

impl AlertState {
    const ALL: [AlertState; 3] = [AlertState::Pending, AlertState::Firing, AlertState::Resolved];

    pub(crate) fn name(self) -> &'static str {
        match self {
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Resolved => "resolved",
        }
    }

    pub(crate) fn named(name: &str) -> Option<AlertState> {
        AlertState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// An alert rule and a group that it fires for, or did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlertRecord {
    /// The name of the rule.
    pub(crate) rule: String,
    /// The group; empty for all mail.
    pub(crate) subject: String,
    pub(crate) state: AlertState,
    /// When it entered this state.
    pub(crate) since_ms: i64,
    /// The last value.
    pub(crate) value: Option<f64>,
    /// The state that operators were last notified of.
    pub(crate) told: Option<AlertState>,
    /// The time of that notification.
    pub(crate) told_ms: i64,
    /// The time of the last notification that it fires.
    pub(crate) fired_ms: i64,
}

/// A message that two policies decided differently.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Difference {
    /// When the message came.
    pub(crate) at_ms: i64,
    #[serde(flatten)]
    pub(crate) envelope: Envelope,
    /// With this seed, both decide the same again.
    pub(crate) seed: u64,
    /// The policy in force.
    pub(crate) policy: String,
    /// SHA-256 of its component.
    pub(crate) hash: String,
    /// Its plan, as JSON.
    pub(crate) plan: String,
    /// The policy that only observes.
    pub(crate) other_policy: String,
    /// SHA-256 of its component.
    pub(crate) other_hash: String,
    /// Its plan, as JSON, or `{"failure": …}`.
    pub(crate) other_plan: String,
}

/// The result of looking up an application's URL template.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TemplateLookup {
    /// `None`: none was found so far.
    pub(crate) template: Option<String>,
    /// The server's name for this version of the document.
    pub(crate) etag: Option<String>,
    /// Do not look it up again before this time.
    pub(crate) fresh_ms: i64,
    /// What went wrong the last time; empty: nothing.
    pub(crate) note: String,
}
