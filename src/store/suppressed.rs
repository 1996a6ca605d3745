//! A suppressed address, and a soft bounce that counts towards suppressing one. Not here: the rows.

use crate::plan::Bounced;
use serde::{Deserialize, Serialize};

/// An address that gets no more mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suppressed {
    /// In lower case.
    pub(crate) address: String,
    /// From which domain it gets no more mail; empty: from any.
    #[serde(default)]
    pub(crate) sender_domain: String,
    /// Why: a class of failure, `complaint`, or an operator's own words.
    #[serde(default)]
    pub(crate) reason: String,
    /// Who decided: `report`, `operator` or `import`.
    #[serde(default)]
    pub(crate) source: String,
    /// In milliseconds since 1970, as every time that ends in `_ms`.
    #[serde(default)]
    pub(crate) added_ms: i64,
    /// `None`: until an operator removes it.
    #[serde(default)]
    pub(crate) expires_ms: Option<i64>,
}

/// A soft bounce to count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoftBounce<'a> {
    pub(crate) address: &'a str,
    /// The domain whose mail bounced.
    pub(crate) sender_domain: &'a str,
    /// It is counted once under this key.
    pub(crate) key: &'a str,
    /// For how many days it counts.
    pub(crate) window: u32,
    /// Whether the report is proven to be about a message of ours.
    pub(crate) proven: bool,
    pub(crate) at_ms: i64,
    /// What bounced, if known.
    pub(crate) bounce: Option<&'a Bounced>,
}

/// The soft bounces of an address after one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StrikeCount {
    /// How many count now.
    pub(crate) count: u32,
    /// The same bounce was counted before: by the log if this is a report, by a report if this is
    /// the log.
    pub(crate) known: bool,
}
