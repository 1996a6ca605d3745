//! A suppressed address and why it is one, and a soft bounce that counts towards suppressing one.
//! Not here: the rows.

use crate::mailbox_syntax::{in_a_labels, normal_domain};
use crate::plan::{Bounced, Grounds, Plan};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;

/// An address that gets no more mail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suppressed {
    /// In lower case; or a domain or a pattern (`suppression_target`).
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

impl Suppressed {
    /// Why, as replies say it: a list may have been imported without reasons.
    pub(crate) fn given_reason(&self) -> &str {
        let given = [&self.reason, &self.source].into_iter().map(|text| text.trim());
        given.into_iter().find(|text| !text.is_empty()).unwrap_or("no reason given")
    }

    /// The same under the one form of its address and of its sender domain.
    pub(crate) fn as_listed(&self) -> Cow<'_, Suppressed> {
        if self.is_ascii() && !self.address.ends_with('.') {
            return Cow::Borrowed(self);
        }
        let (address, sender_domain) = (in_a_labels(&self.address), normal_domain(&self.sender_domain));
        Cow::Owned(Suppressed { address: address.into_owned(), sender_domain, ..self.clone() })
    }

    /// Whether it names no domain in another script.
    pub(crate) fn is_ascii(&self) -> bool {
        self.address.is_ascii() && self.sender_domain.is_ascii()
    }

    /// Whether it lasts at least as long as another entry.
    pub(crate) fn lasts_as_long_as(&self, other: &Suppressed) -> bool {
        self.expires_ms.is_none_or(|mine| other.expires_ms.is_some_and(|other| mine >= other))
    }

    pub(crate) fn has_expired(&self, now_ms: i64) -> bool {
        self.expires_ms.is_some_and(|expires| expires <= now_ms)
    }
}

/// An entry that leaves the list because it was wrong.
#[derive(Clone, Debug)]
pub(crate) struct Released {
    /// As it was looked up.
    pub(crate) entry: Suppressed,
    /// The entry that it had replaced, if that goes on.
    pub(crate) restored: Option<Suppressed>,
    /// Soft bounces of this time (milliseconds since 1970) are forgotten.
    pub(crate) forgotten: Range<i64>,
    /// The key and the plan of the notification.
    pub(crate) notice: Option<(String, Plan)>,
}

/// What became of the entry of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportedEntry {
    Written,
    /// The same failure has made it before.
    Known,
    /// An operator has taken the address off the list since the same failure: it stays off.
    Removed,
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
    /// This many suppress the address.
    pub(crate) threshold: u32,
    /// For how many days it counts.
    pub(crate) window: u32,
    /// Whether the report is proven to be about a message of ours.
    pub(crate) proven: bool,
    pub(crate) at_ms: i64,
    /// What bounced, if known.
    pub(crate) bounce: Option<&'a Bounced>,
}

impl SoftBounce<'_> {
    /// Does something with the same under the one form of its address and of its sender domain.
    pub(crate) fn as_listed<T>(&self, with: impl FnOnce(&SoftBounce<'_>) -> T) -> T {
        let (address, sender_domain) = (in_a_labels(self.address), normal_domain(self.sender_domain));
        with(&SoftBounce { address: &address, sender_domain: &sender_domain, ..*self })
    }
}

/// What comes of a report once, under whichever key it comes first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effect<'a> {
    /// What comes of it.
    pub(crate) event: &'a str,
    /// The same for the same report.
    pub(crate) id: &'a str,
    pub(crate) address: &'a str,
    /// The journal's key of this report.
    pub(crate) key: &'a str,
    pub(crate) at_ms: i64,
    /// The same report takes effect again after this time.
    pub(crate) until_ms: i64,
}

/// The soft bounces of an address after one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StrikeCount {
    /// How many count now.
    pub(crate) count: u32,
    /// The same bounce was counted before, under another key: reported again, or in the log too.
    pub(crate) known: bool,
    /// Another soft bounce has reached the threshold already.
    pub(crate) reached_before: bool,
}
