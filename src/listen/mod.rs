//! Connections of clients: where they come in, and the threads that serve them.
//!
//! Not here: what is said on a connection; a `Service` does that. Invariants: every wait has a
//! deadline; no more sessions than the limit are served, and each client beyond it gets an answer;
//! a stop ends sessions between two requests, and gives one in a request some time.

pub(crate) mod client_count;
mod client_connection;
mod listen_address;
mod listening_socket;
pub(crate) mod open_files;
mod peer;
mod server;
mod service;
mod service_manager;
mod session_places;
mod session_threads;
mod succession;
mod tls_identity;

pub(crate) use client_connection::{ClientConnection, Heard, Pause};
pub(crate) use listen_address::ListenAddress;
pub(crate) use listening_socket::{Doorway, Listener, ListeningSocket};
pub(crate) use peer::Peer;
pub(crate) use server::{ServerSignals, run};
pub(crate) use service::Service;
pub(crate) use session_places::SessionLimits;
pub(crate) use session_threads::SessionThreads;
pub(crate) use succession::Succession;
pub(crate) use tls_identity::TlsIdentity;
