//! `[serve]` and `[[serve.tokens]]`: `carom serve`, and who may ask it.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServeTable {
    /// ADDRESS:PORT or unix:PATH; used if no socket is passed or named on the command line.
    pub(crate) listen: Vec<String>,
    /// A file with the certificate chain for HTTPS, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<PathBuf>,
    /// A file with its private key, in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<PathBuf>,
    /// Names and addresses that browsers may use for this server, beside those of loopback.
    pub(crate) hosts: Vec<String>,
    /// A proxy on this host says in X-Forwarded-For from where a request comes.
    pub(crate) forwarded: bool,
    /// No action is carried out, whoever asks for it.
    pub(crate) read_only: bool,
    /// Connections at the same time.
    pub(crate) connections: usize,
    /// Connections at the same time from one address.
    pub(crate) connections_per_client: usize,
    /// Requests on one connection.
    pub(crate) requests: u64,
    /// Bytes of the request line and header of a request.
    pub(crate) header_size: usize,
    /// Bytes of the body of a request.
    pub(crate) body_size: usize,
    /// Seconds for each part of a request: its header, its body, its answer, and for a client to
    /// take more of the answer. A connection may be idle as long.
    pub(crate) request_time: u32,
    /// Seconds that a stop leaves to requests in hand.
    pub(crate) stop_time: u32,
    /// Failed authentications of one address in a minute, before it has to wait.
    pub(crate) failures: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tokens: Vec<ServeTokenTable>,
}

/// `[[serve.tokens]]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServeTokenTable {
    /// Who has it: the user name of HTTP Basic, and the name in the audit.
    pub(crate) name: String,
    /// The SHA-256 of the token, as `carom secret new --token` prints it.
    pub(crate) sha256: String,
    /// `read`, `act`, `client NAME`, `domain NAME`.
    pub(crate) scopes: Vec<String>,
}

impl Default for ServeTable {
    fn default() -> ServeTable {
        ServeTable {
            listen: vec!["127.0.0.1:1523".into()],
            certificate: None,
            key: None,
            hosts: Vec::new(),
            forwarded: false,
            read_only: false,
            connections: 256,
            connections_per_client: 64,
            requests: 10_000,
            header_size: 16_384,
            body_size: 65_536,
            request_time: 30,
            stop_time: 10,
            failures: 10,
            tokens: Vec::new(),
        }
    }
}
