//! The door for mail: a letter to the first of several hosts that takes it.
//!
//! Not here: what the letter says, and when to try again (`retry_time`). Invariant: no host, silent
//! or slow, holds a caller beyond its deadline, and a letter counts as sent only after the host's
//! 2xx to its end.

/// A connection that only looks whether a host answers.
mod greeting;
/// Letters, destinations and failures.
mod letter;
/// The connections of a process.
mod pool;
/// One dialogue with one host.
mod dialogue;
/// Commands and replies.
mod wire;
/// TLS with whatever certificate.
mod opportunistic_tls;
#[cfg(test)]
mod tests;

pub(crate) use greeting::greeting;
pub(crate) use letter::{Letter, SendFailure, SmtpTarget};
pub(crate) use pool::Pool;
