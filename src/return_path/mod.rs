//! Return paths: signed (VERP), tagged by a milter (BATV), rewritten by a forwarder (SRS).
//!
//! Not here: DNS and authentication (`auth`). Invariant: an address counts as ours only if a key of ours signed it.

/// The secrets that return paths are signed with.
mod keys;
/// Signed return paths: the recipient of a message, and the proof that the message was ours.
pub(crate) mod verp;
/// Return paths with a tag, as milters make them.
pub(crate) mod batv;
/// Return paths that a forwarder rewrote.
pub(crate) mod srs;

pub(crate) use keys::Keys;
