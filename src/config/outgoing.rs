//! `[send]` and `[visit]`: mail that carom sends, and links that it fetches.

use serde::{Deserialize, Serialize};

/// `[send]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Send {
    /// Seconds for one mail exchanger, from connecting to the end of the dialogue.
    pub(crate) timeout: u32,
    /// Use STARTTLS where it is offered.
    pub(crate) starttls: bool,
    /// Hours that mail which cannot be sent is tried again.
    pub(crate) give_up_hours: u32,
    /// Originals larger than this many bytes are returned as headers only.
    pub(crate) max_original: u64,
    /// Received headers of a message that is answered, at most: one with more goes in circles.
    pub(crate) max_received: usize,
}

/// `[visit]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Visit {
    /// Links fetched for one step at most.
    pub(crate) max_links: usize,
    /// Bytes read of one answer at most.
    pub(crate) max_bytes: u64,
    /// Redirects followed for one link at most; each hop is held to the same rules as the link.
    pub(crate) max_redirects: u32,
    /// Seconds that the answer of a tracker check is remembered.
    pub(crate) probe_expiry: u32,
    /// User-Agents to choose from; none for the built-in table.
    pub(crate) user_agents: Vec<String>,
}

impl Default for Send {
    fn default() -> Send {
        Send { timeout: 20, starttls: true, give_up_hours: 120, max_original: 10 << 20, max_received: 50 }
    }
}

impl Default for Visit {
    fn default() -> Visit {
        Visit {
            max_links: 100,
            max_bytes: 1 << 20,
            max_redirects: 0,
            probe_expiry: 3600,
            user_agents: Vec::new(),
        }
    }
}
