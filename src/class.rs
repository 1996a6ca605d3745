//! Classification: what a delivery failure says, and what the policy makes of it. Data only.
//!
//! Three outputs that are never folded into one: the reason, the category it belongs to, and
//! whether the address is dead.

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
    /// The rule that decided; empty when none did.
    pub(crate) rule: String,
}

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

/// Failures that a policy is given at once.
pub(crate) const BATCH: usize = 10_000;
