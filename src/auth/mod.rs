//! 3 check: who really sent a message, and the DNS questions that find out.
//!
//! The only folder with async code; all that it offers is synchronous. Invariant: "not known now"
//! is never reported as "failed", and no DNS question outlives its deadline.

/// Results of authentication methods, as RFC 8601 names them.
mod auth_result;
/// Domain names that may be looked up.
mod name;
/// Why a question to the DNS has no usable answer.
mod dns_failure;
/// A static zone file.
mod zone;
/// Questions to DNS servers.
mod dns_servers;
/// Mail exchangers and addresses.
mod dns;
/// What an evaluation of SPF has asked for.
mod asked_names;
/// The static zone as `mail_auth` asks for it.
mod zone_answers;
/// What RFC 6376 and RFC 8301 forbid of signatures and keys.
mod dkim_rules;
/// What RFC 7208 forbids of records.
mod spf_rules;
/// DKIM, SPF, DMARC and ARC, verified here.
mod verify;
/// Authentication-Results of a trusted mail server.
mod trusted;
/// Header fields that need a signature.
mod covered_fields;
/// The authentication facts of one message.
mod origin;
/// Whether the author of a message wrote it, to us, and recently.
mod written_to_us;
/// Whether our own mail server wrote a report.
mod own_report;
/// A DNS server for tests.
#[cfg(test)]
pub(crate) mod test_server;

pub(crate) use auth_result::{AuthResult, Signature};
pub(crate) use covered_fields::{ONE_CLICK, cfbl_address, one_click};
pub(crate) use dns::Dns;
pub(crate) use dns_failure::DnsFailure;
pub(crate) use origin::{Check, client_address};
pub(crate) use own_report::{is_own_report, own_report};
pub(crate) use verify::is_signed_header;
