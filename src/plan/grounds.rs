//! Why an address is suppressed, as far as it is known when that is decided: what is undone later
//! is found by it.

use serde::{Deserialize, Serialize};

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
    /// The key of the report in the journal; of an operator's entry that has replaced another one
    /// of an operator, `~` and what tells the two apart.
    #[serde(skip_serializing_if = "names_no_report", rename = "report")]
    pub(crate) key: String,
    /// What bounced: a digest of Message-ID and address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) bounce: String,
}

impl Grounds {
    /// The key of the report that led to the entry.
    pub(crate) fn report(&self) -> Option<&str> {
        Some(self.key.as_str()).filter(|key| !names_no_report(key))
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Grounds::default()
    }
}

fn names_no_report(key: &str) -> bool {
    key.is_empty() || key.starts_with('~')
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
