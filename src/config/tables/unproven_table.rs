//! `[unproven]`: messages that are accepted without an effect.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct UnprovenTable {
    /// What is done with them.
    pub(crate) action: UnprovenAction,
    /// The address for `forward`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// The server that takes forwarded messages, `host` or `host:port`; without it, the mail
    /// exchangers of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// The directory of those kept; default `unproven` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// Keep the newest N messages for each reason.
    pub(crate) per_reason: usize,
    /// Keep at most N bytes for each reason, compressed; the newest message is kept in any case.
    pub(crate) max_size: u64,
    /// Delete them after N days (0: never).
    pub(crate) days: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UnprovenAction {
    /// `carom find` shows them.
    #[default]
    Keep,
    /// They are sent to an address; what cannot be sent is kept.
    Forward,
    /// The mail server refuses them where that reaches who sent them; the others are kept.
    Refuse,
}

impl Default for UnprovenTable {
    fn default() -> UnprovenTable {
        UnprovenTable {
            action: UnprovenAction::Keep,
            to: None,
            server: None,
            directory: None,
            per_reason: 1000,
            max_size: 64 << 20,
            days: 90,
        }
    }
}
