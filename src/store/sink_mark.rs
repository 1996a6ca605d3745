//! How far a sink of events is. Not here: the events that wait (`crate::events`).

use serde::{Deserialize, Serialize};

/// Plain data. Invariant: what is before the position has reached the sink, or was dropped by the
/// setting that says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SinkMark {
    /// The queue that the position is in; empty: an earlier version has written it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) queue: String,
    /// The segment of the queue that is sent now, and the bytes of it that were.
    pub(crate) segment: u64,
    pub(crate) offset: u64,
    /// The end of a batch that was begun: it is repeated as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<u64>,
    /// Whether that batch was sent once and not answered in time.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_late: bool,
    /// Bytes of a batch, after larger ones were not answered in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) most: Option<u64>,
    /// Events that were sent.
    pub(crate) sent: u64,
    /// Bytes that were dropped, because too many waited.
    pub(crate) dropped: u64,
    /// Bytes that wait.
    pub(crate) waiting: u64,
    /// Whether the last tick left events to be collected, which do not wait in the queue yet.
    pub(crate) uncollected: bool,
    /// Since when it fails, milliseconds since 1970, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failing_ms: Option<i64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) fault: String,
}
