//! `[limits]`, `[policies]` and `[policy.NAME]`: what policies may use, where they are, and what each is told.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `[limits]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    /// Milliseconds for one decision, waiting for DNS not counted.
    pub(crate) time: u64,
    /// Bytes of memory.
    pub(crate) memory: usize,
    /// Steps of one plan.
    pub(crate) steps: usize,
    /// Bytes of log text of one decision.
    pub(crate) log: usize,
    /// What becomes of a message whose policy failed.
    pub(crate) on_trap: OnTrap,
}

/// What becomes of a message whose policy failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnTrap {
    /// The mail server keeps it and tries again.
    Defer,
    /// It is taken, and nothing is done.
    Accept,
}

/// `[policies]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Policies {
    /// Where `carom policy install` puts policies; default `policies` in the state directory, or `/etc/carom/policies`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// The user that carom runs as under the mail server. Nothing that this user could write is ever installed.
    pub(crate) mail_user: String,
    /// Releases of one policy that are kept to roll back to, the one in force included.
    pub(crate) keep: usize,
}

/// `[policy.NAME]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Policy {
    /// A component file; without one NAME is a policy that is shipped with carom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// What becomes of a message when this policy fails; default `[limits] on_trap`.
    #[serde(skip_serializing_if = "Option::is_none", alias = "on-trap")]
    pub(crate) on_trap: Option<OnTrap>,
    /// Decide beside the policy in force, for comparison: differences are counted and kept for `carom policy diff`, and
    /// nothing that this policy wants is done.
    pub(crate) monitor: bool,
    /// The policy's own settings.
    pub(crate) settings: toml::Table,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { time: 250, memory: 64 << 20, steps: 256, log: 16 << 10, on_trap: OnTrap::Defer }
    }
}

impl Default for Policies {
    fn default() -> Policies {
        Policies { directory: None, mail_user: "carom".into(), keep: 10 }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { path: None, on_trap: None, monitor: false, settings: toml::Table::new() }
    }
}
