//! `[suppression]`: the suppression list.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SuppressionTable {
    /// Release an address that only soft bounces suppressed when it writes to us itself or takes
    /// mail.
    pub(crate) release_alive: bool,
}

impl Default for SuppressionTable {
    fn default() -> SuppressionTable {
        SuppressionTable { release_alive: true }
    }
}
