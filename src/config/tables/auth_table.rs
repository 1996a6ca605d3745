//! `[auth]`: which statements about authentication and origin are trusted.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuthTable {
    /// Authserv-ids whose Authentication-Results headers (RFC 8601) are trusted. Without one,
    /// carom verifies the message itself.
    pub(crate) trusted_authserv_ids: Vec<String>,
    /// The `by` hosts whose Received header shows the client's address. Without one, it is the
    /// topmost Received header, which our own mail server has just written.
    pub(crate) received_by: Vec<String>,
    /// Forwarders whose ARC seals (RFC 8617) are trusted, by the domain that seals. DKIM signatures
    /// that they have verified count, although the message was changed on the way. Not used with
    /// `trusted_authserv_ids`.
    pub(crate) arc_sealers: Vec<String>,
    /// The addresses of our own mail servers. A bounce from one of them is about a message of ours.
    pub(crate) own_servers: Vec<IpNet>,
}

impl Default for AuthTable {
    fn default() -> AuthTable {
        let own_servers =
            vec![IpNet::from(IpAddr::V4(Ipv4Addr::LOCALHOST)), IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))];
        AuthTable {
            trusted_authserv_ids: Vec::new(),
            received_by: Vec::new(),
            arc_sealers: Vec::new(),
            own_servers,
        }
    }
}
