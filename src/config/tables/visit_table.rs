//! `[visit]`: how links are fetched.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct VisitTable {
    /// Links fetched for one step at most.
    pub(crate) max_links: usize,
    /// Bytes read of one response at most.
    pub(crate) max_bytes: u64,
    /// Redirects followed for one link at most. Each hop obeys the same rules as the link.
    pub(crate) max_redirects: u32,
    /// Seconds that the result of a tracker check is remembered.
    pub(crate) probe_expiry: u32,
    /// Whether links that unsubscribe the reader are followed like others.
    pub(crate) unsubscribe: bool,
    /// User-Agents to choose from; empty for the built-in table.
    pub(crate) user_agents: Vec<String>,
}

impl Default for VisitTable {
    fn default() -> VisitTable {
        VisitTable {
            max_links: 100,
            max_bytes: 1 << 20,
            max_redirects: 0,
            probe_expiry: 3600,
            unsubscribe: false,
            user_agents: Vec::new(),
        }
    }
}
