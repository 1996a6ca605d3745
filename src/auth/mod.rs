//! Authentication: who really sent a message, and the DNS that tells.
//!
//! The only place with async code; every door of it is synchronous. Invariant: "not known now" is never told as
//! "failed", and no question to the DNS outlives its deadline.

/// What authentication says: the words of RFC 8601.
mod auth_result;
/// Domain names that may be asked about.
mod name;
/// Why a question to the DNS has no usable answer.
mod dns_failure;
/// A static zone file.
mod zone;
/// Questions over the network.
mod dns_servers;
/// Mail exchangers and addresses.
mod dns;
/// The static zone as `mail_auth` wants to see it.
mod zone_answers;
/// DKIM, SPF and DMARC, done by ourselves.
mod verify;
/// Results of a mail server whose word is taken.
mod trusted;
/// The facts about one message, computed when they are asked for.
mod origin;
/// A DNS server that does as it is told.
#[cfg(test)]
pub(crate) mod test_server;

pub(crate) use auth_result::{AuthResult, Signature};
pub(crate) use dns::Dns;
pub(crate) use dns_failure::DnsFailure;
pub(crate) use origin::{Check, client_address};
