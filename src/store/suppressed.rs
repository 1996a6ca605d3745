//! A suppressed address and why it is one, and a soft bounce that counts towards suppressing one.
//! Not here: the rows.

use crate::plan::Bounced;
use serde::{Deserialize, Serialize};

/// An address that gets no more mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(flatten)]
    pub(crate) grounds: Grounds,
}

/// What is known of a report that suppressed an address; empty where it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Grounds {
    /// The rule that classified the failure.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) rule: String,
    /// Who ran the recipient's mail server; the server's domain if that is not known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) provider: String,
    /// The enhanced status code.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) status: String,
    /// How many soft bounces led to it; 0: something else did.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) soft_bounces: u32,
    /// The key of the report in the journal.
    #[serde(skip_serializing_if = "String::is_empty", rename = "report")]
    pub(crate) key: String,
    /// What bounced: a digest of Message-ID and address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) bounce: String,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Suppressed {
    /// Whether it lasts at least as long as another entry.
    pub(crate) fn lasts_as_long_as(&self, other: &Suppressed) -> bool {
        self.expires_ms.is_none_or(|mine| other.expires_ms.is_some_and(|other| mine >= other))
    }

    pub(crate) fn has_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|expires| expires <= now_ms)
    }
}

/// What an imported entry is to the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImportChange {
    New,
    /// The list says so already, or more.
    Same,
    Changed,
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
