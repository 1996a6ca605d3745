//! The doors out of the process: mail (`smtp`) and the web (`http`), and what guards them.
//!
//! Not here: what is sent (the files of `action`). Invariant: nothing connects to an address that `guard` did not allow.

/// Which addresses may be connected to.
pub(super) mod guard;
/// Links, notifications and documents.
pub(super) mod http;
/// When a step is tried again.
pub(crate) mod retry;
/// Mail.
pub(super) mod smtp;
