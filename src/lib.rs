//! carom handles what rebounds in e-mail. The modules stand in reading order: each uses only those above it.

/// What went wrong, and what the mail server is told.
pub mod error;
/// A point in time by which something must be over.
pub mod deadline;
/// `carom.toml` → `Config`.
pub mod config;
/// The envelope and the ways a message comes in.
pub mod intake;
/// Reading a message.
pub mod message;
/// DKIM, SPF, DMARC, and the DNS they ask.
pub mod auth;
/// The policy: engine, host functions, the plan it makes.
pub mod policy;
/// Counters, journal and outbox.
pub mod store;
/// Doing what the plan says.
pub mod action;
