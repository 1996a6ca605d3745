//! `[dns]`: who answers DNS queries. Without settings, the system's resolvers do.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct DnsTable {
    /// Servers to ask instead, `address:port`.
    pub(crate) servers: Vec<SocketAddr>,
    /// A zone file (RFC 1035 section 5) that answers every query. Names that it lacks do not exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) zone: Option<PathBuf>,
    /// Seconds for one query with all its retries.
    pub(crate) timeout: u32,
}

impl Default for DnsTable {
    fn default() -> DnsTable {
        DnsTable { servers: Vec::new(), zone: None, timeout: 5 }
    }
}
