//! `[index]`: what is kept of the mail logs.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct IndexTable {
    /// The SQLite file; default `index.db` next to the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// Keep each delivery. Otherwise everything is counted, and nothing can be looked up.
    pub(crate) deliveries: bool,
    /// Treat failures in the log like bounce reports: count, suppress, notify.
    pub(crate) act: bool,
    /// The policy that classifies failures and decides about them; empty for none.
    pub(crate) policy: String,
    /// Delete deliveries that are N days older than the newest (0: never).
    pub(crate) keep_days: u32,
    /// Take the local parts of addresses, Message-IDs and replies out of deliveries that were first
    /// seen N days ago (0: never; 1 to 9: 10). Statistics stay as they are.
    pub(crate) anonymous_days: u32,
    /// Read each log for at most N seconds in a tick; the next tick goes on.
    pub(crate) seconds_each: u32,
    /// Keep at most N deliveries (0: no limit).
    pub(crate) max_rows: u64,
}

impl Default for IndexTable {
    fn default() -> IndexTable {
        IndexTable {
            path: None,
            deliveries: true,
            act: true,
            policy: "bounce".into(),
            keep_days: 90,
            anonymous_days: 0,
            seconds_each: 20,
            max_rows: 10_000_000,
        }
    }
}
