//! `[relay]`: `carom relay`, which handles the messages of a directory.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RelayTable {
    /// Threads that decide messages, up to 64 files at a time each; as many again do what was
    /// decided.
    pub(crate) threads: usize,
    /// Where kept messages go; default `done` in the relay directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) done: Option<PathBuf>,
    /// Where messages go that could not be handled, each with a file that gives the reason; default
    /// `failed` in the relay directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<PathBuf>,
    /// The config of PowerMTA, whose domains `carom check` compares.
    pub(crate) powermta: PathBuf,
    /// Milliseconds between two looks at the directory with `--follow`.
    pub(crate) interval: u64,
    /// Seconds without change before a file that lacks a proper end is taken as complete.
    pub(crate) settle: u64,
    /// Hours that a deferred message is retried before it goes to `failed`.
    pub(crate) give_up_hours: u32,
    /// Delete kept messages from `done` after N days (0: never).
    pub(crate) keep_days: u32,
}

impl Default for RelayTable {
    fn default() -> RelayTable {
        RelayTable {
            threads: 32,
            done: None,
            failed: None,
            powermta: "/etc/pmta/config".into(),
            interval: 200,
            settle: 5,
            give_up_hours: 120,
            keep_days: 0,
        }
    }
}
