//! `[store]`: the database of counters, journal and outbox.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct StoreTable {
    /// The SQLite file; default `carom.db` in the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<PathBuf>,
    /// The key that the databases are encrypted with, as `file:/path` or `credential:NAME`: for a
    /// carom that is built with the feature `sqlcipher`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}
