//! Moving to carom from its predecessors.
//!
//! Not here: reading and writing files (`cli`).

/// bouncy-sink: `consume-mail.ini` becomes a `carom.toml`.
pub(crate) mod bouncy_sink;
/// Postfix-Deliverability-Analytics: its regex list becomes rules.
pub(crate) mod pda;
