//! What names a message, and the kind of mail that it is, when it comes again after it was
//! deferred.
//!
//! A mail server that tries again hands in the same message, maybe from another address of its
//! network. Not here: what is remembered (`store`). Invariant: other recipients, senders and
//! networks have other names.

use crate::digest::sha256_hex;
use std::net::IpAddr;

/// Digits of a name.
const DIGITS: usize = 32;
/// Where one part of a name ends.
const END: &[u8] = b"\0";

/// The imports that ask for it: only then is a deferral remembered.
pub(crate) const ASKED: [&str; 2] = ["times-deferred", "first-deferred"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeferralNames {
    /// The message, sender and recipient.
    pub(crate) message: String,
    /// Network, sender and recipient.
    pub(crate) triplet: String,
}

/// What is remembered of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EarlierDeferrals {
    /// How often the message was deferred.
    pub(crate) times: u32,
    /// When the first of the triplet was, in milliseconds since 1970.
    pub(crate) first_ms: Option<i64>,
}

impl DeferralNames {
    /// Of a message with this Message-ID, or these bytes.
    pub(crate) fn of(id: &[u8], sender: &str, recipient: &str, client: Option<IpAddr>) -> DeferralNames {
        let (sender, recipient) = (sender.as_bytes(), recipient.as_bytes());
        let network = client.map(network).unwrap_or_default();
        DeferralNames {
            message: sha256_hex(&[id, END, sender, END, recipient], DIGITS),
            triplet: sha256_hex(&[network.as_bytes(), END, sender, END, recipient], DIGITS),
        }
    }
}

/// The network that a mail server's addresses are in.
fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}")
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}
