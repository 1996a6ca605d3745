//! Moving to carom from its predecessors.
//!
//! Not here: reading and writing files (`cli`).

/// The Bounced Email Service: `config.yml` becomes a `carom.toml`.
pub(crate) mod bes;
/// bouncy-sink: `consume-mail.ini` becomes a `carom.toml`.
pub(crate) mod bouncy_sink;
/// Postfix-Deliverability-Analytics: `application.conf` becomes a `carom.toml`, and its regex list
/// rules.
pub(crate) mod pda;

/// A config of a predecessor, converted.
#[derive(Debug)]
pub(crate) struct Imported {
    /// A `carom.toml`.
    pub(crate) toml: String,
    /// What was not converted, and why.
    pub(crate) notes: Vec<String>,
}
