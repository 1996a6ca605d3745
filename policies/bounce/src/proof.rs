//! Which of the two addresses of a report is proven. Anyone can write a report, so one that nothing
//! proves must not suppress anybody.
//!
//! Not here: what proves an address, which carom decides (`reports::is_proven`), and what a proven
//! or an unproven report may do (`act`). Invariant: what is proven about one of a recipient's two
//! addresses is not proven about the other.

use carom_policy::reports::{self, Recipient};

/// The address that is proven, if one is. Whoever owns an address may claim that mail for it was
/// meant for somebody else, so each of the two addresses needs a proof by itself.
pub(crate) fn proven(recipient: &Recipient) -> Option<&String> {
    let mut addresses = recipient.original.iter().chain([&recipient.address]);
    addresses.find(|address| reports::is_proven(address))
}

/// The domain of an address, in lower case.
pub(crate) fn domain(address: &str) -> Option<String> {
    address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase())
}
