//! Moving to carom from its predecessors.
//!
//! Not here: reading and writing files (`cli`). Invariant: carom reads what comes out; what it
//! would refuse is left out, and named in a note.

/// The Bounced Email Service: `config.yml` becomes a `carom.toml`.
pub(crate) mod bes;
/// bouncy-sink: `consume-mail.ini` becomes a `carom.toml`.
pub(crate) mod bouncy_sink;
/// Postfix-Deliverability-Analytics: `application.conf` becomes a `carom.toml`, and its regex list
/// rules.
pub(crate) mod pda;

use crate::config::Config;

/// A config of a predecessor, converted.
#[derive(Debug)]
pub(crate) struct Imported {
    /// A `carom.toml`.
    pub(crate) toml: String,
    /// What was not converted, and why.
    pub(crate) notes: Vec<String>,
}

/// What carom would refuse of a config: the key, why, and the fix.
fn refused(toml: &str) -> Option<String> {
    let read = || {
        let config = Config::parse(toml)?;
        config.mail_logs.get()?;
        config.alerting.get().map(drop)
    };
    let error = read().err()?.to_string();
    // Lines are those of the result, which nobody has seen yet.
    let what = error.strip_prefix("line ").and_then(|rest| rest.split_once(": ")).map(|(_, what)| what);
    Some(what.unwrap_or(&error).to_owned())
}
