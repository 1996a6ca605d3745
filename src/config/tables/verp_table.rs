//! `[verp]`: return paths that carom signs, so that a bounce proves which message it is about.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct VerpTable {
    /// Secrets of 16 octets or more, or where they are: `file:/path`, `credential:NAME`. The first
    /// one signs, all verify: put a new one first, and remove the old one when its return paths
    /// have expired.
    pub(crate) keys: Vec<String>,
    /// The start of every signed local part.
    pub(crate) prefix: String,
    /// The domain of signed return paths.
    pub(crate) domain: String,
    /// Forms that return paths had before, PREFIX@DOMAIN: those that are under way are verified.
    pub(crate) earlier: Vec<String>,
    /// Days that a signature is valid.
    pub(crate) max_age: u32,
    /// The header field for a signed token: what a complaint about the message returns proves who
    /// complains. CFBL-Feedback-ID (RFC 9477) is always read too.
    pub(crate) header: String,
}

impl Default for VerpTable {
    fn default() -> VerpTable {
        let (prefix, header) = ("b+".into(), "CFBL-Feedback-ID".into());
        let (keys, domain, earlier) = (Vec::new(), String::new(), Vec::new());
        VerpTable { keys, prefix, domain, earlier, max_age: 30, header }
    }
}
