//! `[auth]`: which statements about authentication and origin are trusted.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuthTable {
    /// Authserv-ids whose Authentication-Results headers (RFC 8601) are trusted. Without one,
    /// carom verifies the message itself.
    pub(crate) trusted_authserv_ids: Vec<String>,
    /// The `by` hosts whose Received header shows the client's address where the mail server does
    /// not tell it. Without one, it is the topmost Received header. It proves no report.
    pub(crate) received_by: Vec<String>,
    /// Forwarders whose ARC seals (RFC 8617) are trusted, by the domain that seals. DKIM signatures
    /// that they have verified count, although the message was changed on the way. Not used with
    /// `trusted_authserv_ids`.
    pub(crate) arc_sealers: Vec<String>,
    /// The addresses of our own mail servers that send mail and take none from strangers. A bounce
    /// that one of them hands in is proven if its trace names no other server (`docs/proof.md`).
    pub(crate) own_servers: Vec<IpNet>,
}
