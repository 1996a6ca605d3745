//! `[shared]`: the Redis or Valkey that the hosts of an installation share.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SharedTable {
    /// `redis://HOST:PORT`, `rediss://…` for TLS, or `redis+unix:///PATH`. Without it, nothing is
    /// shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// Other nodes of the Cluster, or other Sentinels, that are asked when the first is away.
    pub(crate) other_urls: Vec<String>,
    /// The URLs are nodes of a Cluster.
    pub(crate) cluster: bool,
    /// The URLs are Sentinels, and this is the name of the master.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sentinel: Option<String>,
    /// The installation: hosts with the same name share.
    pub(crate) name: String,
    /// What the keys of counters begin with; without it, `consume-mail:NAME:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counter_prefix: Option<String>,
    /// The user of its access control list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// `file:/PATH` or `credential:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// PEM file of the authority that signed its certificate; without it, those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<PathBuf>,
    /// Seconds until an answer must have come.
    pub(crate) timeout: u32,
}

impl Default for SharedTable {
    fn default() -> SharedTable {
        SharedTable {
            url: None,
            other_urls: Vec::new(),
            cluster: false,
            sentinel: None,
            name: "0".into(),
            counter_prefix: None,
            user: None,
            password: None,
            ca: None,
            timeout: 5,
        }
    }
}
