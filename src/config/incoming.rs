//! `[message]` and `[relay]`: how messages come in, and what one may take.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[message]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Message {
    /// Largest message in bytes; a larger one is deferred, never cut.
    pub(crate) max_size: u64,
    /// Seconds from start to end of one message; then the mail server is told to try again.
    pub(crate) deadline: u32,
}

/// `[relay]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Relay {
    /// Messages handled at once.
    pub(crate) threads: usize,
    /// Where kept messages go; default `done` in the relay directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) done: Option<PathBuf>,
    /// Where messages go that could not be handled, with the reason beside them; default `failed` in the relay directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<PathBuf>,
    /// Milliseconds between two looks at the directory with `--follow`.
    pub(crate) interval: u64,
    /// Seconds a file without a proper end must have lain unchanged before it is taken as whole.
    pub(crate) settle: u64,
    /// Hours that a message which is deferred again and again stays; then it goes to `failed`.
    pub(crate) give_up_hours: u32,
    /// Days that kept messages stay in `done`; 0 for ever.
    pub(crate) keep_days: u32,
}

impl Default for Message {
    fn default() -> Message {
        Message { max_size: 64 << 20, deadline: 60 }
    }
}

impl Default for Relay {
    fn default() -> Relay {
        Relay {
            threads: 32,
            done: None,
            failed: None,
            interval: 200,
            settle: 5,
            give_up_hours: 120,
            keep_days: 0,
        }
    }
}
