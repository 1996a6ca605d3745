//! `[lmtp]`: `carom lmtp`, which takes messages by LMTP and SMTP.

use super::chaos_table::ChaosTable;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LmtpTable {
    /// Networks whose hosts may connect. Processes of this host that can open the unix socket may.
    pub(crate) clients: Vec<IpNet>,
    /// Networks whose hosts are believed when they say whose mail they hand on (XFORWARD): mail
    /// servers of ours. A unix socket and standard input are believed.
    pub(crate) xforward: Vec<IpNet>,
    /// Sessions at one time.
    pub(crate) sessions: usize,
    /// Sessions at one time from one address.
    pub(crate) sessions_per_client: usize,
    /// Recipients of one message. The client sends the others in another transaction.
    pub(crate) recipients: usize,
    /// Refused commands before the client is sent away.
    pub(crate) errors: usize,
    /// Seconds for the next command.
    pub(crate) command_time: u32,
    /// Seconds for the text of a message.
    pub(crate) data_time: u32,
    /// Seconds for a session.
    pub(crate) session_time: u32,
    /// Seconds that a stop leaves to sessions within a message.
    pub(crate) stop_time: u32,
    /// Threads that decide about messages; as many again do what was decided.
    pub(crate) threads: usize,
    /// A file with the certificate chain for STARTTLS, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    /// A file with its private key, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    /// Makes choices depend on Message-ID and recipient alone: those of the policy, and chaos.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<u64>,
    /// The policy is asked about each recipient at RCPT, if it answers in the SMTP dialogue.
    pub(crate) ask_at_rcpt: bool,
    /// Recipients may ask for chaos (`x+chaos-drop@…`).
    pub(crate) chaos_by_address: bool,
    /// What goes wrong on purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) chaos: Vec<ChaosTable>,
}

impl Default for LmtpTable {
    fn default() -> LmtpTable {
        let loopback = ["127.0.0.0/8", "::1/128"];
        LmtpTable {
            clients: loopback.iter().filter_map(|network| network.parse().ok()).collect(),
            xforward: Vec::new(),
            sessions: 500,
            sessions_per_client: 100,
            recipients: 1000,
            errors: 20,
            command_time: 300,
            data_time: 600,
            session_time: 3600,
            stop_time: 10,
            threads: 16,
            certificate: None,
            key: None,
            seed: None,
            ask_at_rcpt: false,
            chaos_by_address: false,
            chaos: Vec::new(),
        }
    }
}
