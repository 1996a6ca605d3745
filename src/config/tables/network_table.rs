//! `[network]`: where carom may connect to, and the name that it uses.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct NetworkTable {
    /// Loopback, private and other special addresses (RFC 6890) are refused outside these networks.
    pub(crate) allow_private: Vec<IpNet>,
    /// The port that mail is sent to.
    pub(crate) smtp_port: u16,
    /// The name in EHLO, Message-ID and Reporting-MTA; default the host's own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hostname: Option<String>,
}

impl Default for NetworkTable {
    fn default() -> NetworkTable {
        NetworkTable { allow_private: Vec::new(), smtp_port: 25, hostname: None }
    }
}
