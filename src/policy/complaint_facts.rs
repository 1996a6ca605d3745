//! Who complains, as far as a complaint shows it, and which addresses cannot: ours and those of
//! lists.
//!
//! Not here: reading the complaint (`report`), and what follows (policies). Invariant: nobody is
//! guessed; a header field that was there when the message was sent names no complainant.

use super::recipient_facts::RecipientFacts;
use crate::envelope::split_address;

/// A recipient who complains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaining {
    pub(crate) address: String,
    pub(crate) evidence: ComplaintEvidence,
}

/// What shows that a recipient complains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComplaintEvidence {
    /// The report says so.
    Named,
    /// A token of ours for the address is in the report.
    Signed,
    /// The message went to this address only.
    OnlyRecipient,
}

impl RecipientFacts {
    /// The recipients who complain.
    pub(crate) fn complainants(&self) -> Vec<Complaining> {
        let report = self.message.report();
        let is_derived = report.feedback.as_ref().is_none_or(|feedback| feedback.derived);
        let named = report.recipients.iter().filter(|_| !is_derived).map(|recipient| Complaining {
            address: recipient.address.clone(),
            evidence: if self.is_signed_for(&recipient.address) {
                ComplaintEvidence::Signed
            } else {
                ComplaintEvidence::Named
            },
        });
        named
            .filter(|found| !self.is_own_address(&found.address) && !self.is_list_address(&found.address))
            .collect()
    }

    /// Whether an address is one of ours.
    pub(crate) fn is_own_address(&self, address: &str) -> bool {
        let is = |own: &String| own.eq_ignore_ascii_case(address);
        let envelope = self.envelope();
        let original = &self.message.report().original;
        is(&envelope.recipient)
            || envelope.original_recipient.as_ref().is_some_and(is)
            || original.from.as_ref().is_some_and(is)
    }

    /// Whether an address has the form of a list's.
    pub(crate) fn is_list_address(&self, address: &str) -> bool {
        let local = split_address(address).map_or("", |(local, _)| local).to_ascii_lowercase();
        let is_role = |role: &str| {
            local.strip_suffix(role).is_some_and(|name| name.ends_with('-'))
                || local.strip_prefix(role).is_some_and(|name| name.starts_with('-'))
        };
        ["owner", "request", "bounces"].into_iter().any(is_role)
    }
}
