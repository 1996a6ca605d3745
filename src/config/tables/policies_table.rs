//! `[policies]`: where policies are installed, and how many old releases are kept.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PoliciesTable {
    /// Where `carom policy install` puts policies; default `policies` in the state directory, or
    /// `/etc/carom/policies`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// The user that carom runs as under the mail server. Files that this user could write are
    /// never installed.
    pub(crate) mail_user: String,
    /// Releases of one policy that are kept for a rollback, including the current one.
    pub(crate) keep: usize,
}

impl Default for PoliciesTable {
    fn default() -> PoliciesTable {
        PoliciesTable { directory: None, mail_user: "carom".into(), keep: 10 }
    }
}
