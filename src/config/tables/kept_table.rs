//! `[kept]`: bounce reports and complaints that are kept by the address they are about.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct KeptTable {
    /// The directory; default `kept` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<PathBuf>,
    /// Keep the newest N reports of each address.
    pub(crate) per_address: usize,
    /// Delete reports after N days (0: never).
    pub(crate) days: u32,
}

impl Default for KeptTable {
    fn default() -> KeptTable {
        KeptTable { directory: None, per_address: 10, days: 90 }
    }
}
