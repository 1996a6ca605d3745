//! `[limits]`: what every policy may use, and what happens when one fails.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LimitsTable {
    /// Milliseconds for one decision, without the time that DNS takes.
    pub(crate) time: u64,
    /// Bytes of memory.
    pub(crate) memory: usize,
    /// Steps of one plan.
    pub(crate) steps: usize,
    /// Bytes of log text of one decision.
    pub(crate) log: usize,
    pub(crate) on_trap: OnTrap,
}

/// What happens to a message whose policy failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnTrap {
    /// The mail server keeps it and tries again.
    Defer,
    /// It is accepted, and nothing is done.
    Accept,
}

impl Default for LimitsTable {
    fn default() -> LimitsTable {
        LimitsTable { time: 250, memory: 64 << 20, steps: 256, log: 16 << 10, on_trap: OnTrap::Defer }
    }
}
