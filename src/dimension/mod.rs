//! The dimensions that deliveries are counted by: domain, provider, and the other names.
//!
//! Not here: counting (`ingest`) and the sums (`index`).

/// The domain that a host name belongs to.
pub(crate) mod domain;
/// Who runs a mail server.
pub(crate) mod provider;
/// The names under which a delivery counts.
pub(crate) mod names;
