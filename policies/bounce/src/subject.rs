//! The address that a report is about, and the steps that name it.
//!
//! Not here: which steps are taken (`act`, `complain`). Invariant: an address is proven only by
//! evidence for this very address.

use crate::acting::Acting;
use crate::proof::{domain, proven};
use carom_policy::actions::{self, Notification, SoftBounce, Suppression};
use carom_policy::reports::{self, Complainant, Evidence, Recipient};
use carom_policy::{facts, now};

/// The address that a report is about, the sender whose mail it was, and whether that is proven.
pub(crate) struct Subject {
    pub address: String,
    pub sender_domain: String,
    pub is_proven: bool,
}

impl Subject {
    pub fn of(recipient: &Recipient) -> Subject {
        let named = recipient.original.as_ref().unwrap_or(&recipient.address);
        let (address, is_proven) = match proven(recipient) {
            Some(address) => (address, true),
            None => (named, false),
        };
        Subject { address: address.clone(), sender_domain: sender_domain(), is_proven }
    }

    /// Of a complaint.
    pub fn complaining(complainant: &Complainant) -> Subject {
        let recipients =
            if complainant.evidence == Evidence::Named { reports::recipients() } else { Vec::new() };
        let is_named = |one: &&Recipient| {
            let original = one.original.as_deref().unwrap_or_default();
            [&one.address, original].iter().any(|known| known.eq_ignore_ascii_case(&complainant.address))
        };
        let named = recipients.iter().find(is_named).map(Subject::of);
        let usable = |subject: &Subject| {
            !reports::is_own_address(&subject.address) && !reports::is_list_address(&subject.address)
        };
        let (address, is_proven) = (complainant.address.clone(), complainant.evidence != Evidence::Named);
        let itself = Subject { address, sender_domain: sender_domain(), is_proven };
        named.filter(usable).unwrap_or(itself)
    }

    /// Keeps the report, so that it can be read when somebody asks why.
    pub fn keep(&self, acting: &Acting) {
        if acting.keep {
            actions::keep_for(&self.address, now());
        }
    }

    pub fn suppression(&self, reason: &str, acting: &Acting) -> Suppression {
        let (address, sender_domain) = (self.address.clone(), self.sender_domain.clone());
        Suppression { address, sender_domain, reason: reason.into(), days: acting.suppress_days }
    }

    pub fn soft_bounce(&self, acting: &Acting) -> SoftBounce {
        SoftBounce {
            address: self.address.clone(),
            sender_domain: self.sender_domain.clone(),
            threshold: acting.threshold,
            window: acting.window,
            proven: self.is_proven,
        }
    }

    pub fn notification(&self, event: &str, fields: Vec<(String, String)>) -> Notification {
        let (address, sender_domain) = (self.address.clone(), self.sender_domain.clone());
        Notification { event: event.into(), address, sender_domain, fields }
    }
}

/// The domain of the sender whose mail a report is about.
pub(crate) fn sender_domain() -> String {
    let sender = reports::original_sender().as_deref().and_then(domain);
    sender.or_else(|| domain(&facts::recipient())).unwrap_or_default()
}
