//! Which address a report is proven to be about. Anyone can write a report, so one that nothing
//! proves must not suppress anybody.
//!
//! Not here: what a proven or an unproven report may do (`act`). Invariant: what is proven about
//! one of a recipient's two addresses is not proven about the other.

use crate::acting::Trust;
use carom_policy::facts::{self, Verdict};
use carom_policy::reports::{self, Recipient};

/// The address that is proven, if one is. Whoever owns an address may claim that mail for it was
/// meant for somebody else, so each of the two addresses needs a proof of its own.
pub(crate) fn proven(recipient: &Recipient, trust: Trust) -> Option<&String> {
    let addresses = || recipient.original.iter().chain([&recipient.address]);
    let signed = addresses().find(|address| reports::is_signed_for(address));
    // A rewritten address only claims what it was before, even when our own server repeats it.
    let literal = || addresses().find(|_| !is_rewritten(recipient)).unwrap_or(&recipient.address);
    let own = || reports::is_from_own_server().then(literal);
    let likely = || addresses().find(|address| reports::was_sent_to(address) || is_from_its_host(address));
    signed.or_else(own).or_else(|| (trust == Trust::Preferred).then(likely).flatten())
}

/// Whether the original address was read out of a return path that a forwarder rewrote (SRS).
fn is_rewritten(recipient: &Recipient) -> bool {
    let local = recipient.address.to_ascii_lowercase();
    local.starts_with("srs0") || local.starts_with("srs1") || local.contains("+srs=")
}

/// Whether the mail system of the address's own domain wrote the report, as DMARC shows. Its users
/// cannot write as `mailer-daemon` or `postmaster`.
fn is_from_its_host(address: &str) -> bool {
    let from = facts::addresses("From");
    let [author] = from.as_slice() else { return false };
    let author = author.to_lowercase();
    let is_system = author.starts_with("mailer-daemon@") || author.starts_with("postmaster@");
    is_system && domain(&author) == domain(address) && facts::dmarc() == Verdict::Pass
}

/// The domain of an address, in lower case.
pub(crate) fn domain(address: &str) -> Option<String> {
    address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase())
}
