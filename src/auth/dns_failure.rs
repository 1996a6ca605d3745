//! Why a question to the DNS has no usable answer.
//!
//! Invariant: `Temporary` is the only one that a later try can change.

use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DnsFailure {
    /// The name does not exist, or has neither mail exchangers nor addresses.
    NotFound,
    /// The domain accepts no mail (null MX, RFC 7505), or names no usable exchanger.
    NoMail,
    /// No answer in time, or a server that failed or refused.
    Temporary(String),
}

impl fmt::Display for DnsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DnsFailure::NotFound => f.write_str("no such domain"),
            DnsFailure::NoMail => f.write_str("the domain takes no mail"),
            DnsFailure::Temporary(why) => write!(f, "DNS: {why}"),
        }
    }
}
