//! Classification: what a delivery failure says, and what the policy makes of it. Data only.
//!
//! Three outputs that are never folded into one: the reason, the category it belongs to, and whether the address is dead.

use serde::{Deserialize, Serialize};

/// A delivery failure, as a report or a mail log shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryFailure {
    /// The reply or diagnostic text.
    pub text: String,
    /// Enhanced status code (RFC 3463), or empty.
    pub status: String,
    /// SMTP reply code, or 0.
    pub code: u16,
    /// The SMTP command that was refused, or empty.
    pub stage: String,
    /// The mail server that refused, or empty.
    pub remote_mta: String,
}

/// What a failure means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// Fine vocabulary: `user-unknown`, `mailbox-full`, …
    pub reason: String,
    /// The PowerMTA bounce category it belongs to.
    pub category: String,
    /// What it says of the address.
    pub severity: Severity,
    /// The rule that decided; empty when none did.
    pub rule: String,
}

/// Whether the address or its domain is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
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
pub const BATCH: usize = 10_000;
