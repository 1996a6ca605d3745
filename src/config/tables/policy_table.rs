//! `[policy.NAME]`: one named policy, where it comes from, and its settings.
//!
//! Not here: what the settings mean. The policy itself validates them.

use super::OnTrap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PolicyTable {
    /// A component file. Without it, NAME is a policy that is shipped with carom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// What happens to a message when this policy fails; default `[limits] on_trap`.
    #[serde(skip_serializing_if = "Option::is_none", alias = "on-trap")]
    pub(crate) on_trap: Option<OnTrap>,
    /// Decide in parallel to the current policy for comparison. Differences are counted and kept
    /// for `carom policy diff`; nothing that this policy decides is done.
    pub(crate) monitor: bool,
    /// The policy's own settings.
    pub(crate) settings: toml::Table,
}
