//! WHAT PROVES A REPORT: the one function that says whether a report is about an address, and why.
//! Its table is `docs/proof.md`.
//!
//! Not here: what a policy does about it. Invariant: whatever a policy plans, an address that is
//! not proven is not suppressed, and its soft bounces count for nothing (`plan_builder`). Nothing
//! that a stranger can write into a message is a proof, unless it is signed. What our own server
//! says proves the address that it says it of, as it is written, and no other that is part of it: a
//! stranger may have chosen that address.

use super::complaint_facts::{Complaining, ComplaintEvidence};
use super::recipient_facts::RecipientFacts;
use crate::mailbox_syntax::is_unambiguous;
use crate::report::{Recipient, ReportKind};
use serde::Deserialize;

/// What an operator takes for proof: the setting `trust` of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// Proof only.
    #[default]
    Required,
    /// Weaker evidence as well.
    Preferred,
    /// The word of anyone.
    Off,
}

impl Trust {
    /// The setting in the settings of a policy (JSON). What is not understood is `Required`.
    pub(crate) fn of_settings(settings: &str) -> Trust {
        #[derive(Deserialize)]
        struct Settings {
            trust: Option<serde_json::Value>,
        }
        let settings: Option<Settings> = serde_json::from_str(settings).ok();
        match settings.and_then(|settings| settings.trust).as_ref().and_then(|trust| trust.as_str()) {
            Some("preferred") => Trust::Preferred,
            Some("off") => Trust::Off,
            _ => Trust::Required,
        }
    }
}

/// What shows that a report is about an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Our mail log says so.
    Logged,
    /// The report came to a return path that we signed for the address.
    SignedPath,
    /// A complaint has a token that we signed for the address.
    SignedToken,
    /// A complaint returns the signed header of a message that, by our mail log, went to this
    /// address and to no other.
    ReturnedHeader,
    /// Our own mail server wrote the report, and it names the address as the one that failed.
    OwnServer,
    /// The address itself asks to be unsubscribed, and its domain vouches for that.
    Author,
    /// Weaker: a complaint names the Message-ID of a message that, by our mail log, went to this
    /// address and to no other. Message-IDs can be guessed.
    OnlyRecipient,
    /// Weaker: our mail log shows that the message went to this address and to no other.
    SentThere,
    /// Weaker: the mail system of the address's domain wrote the report, as DMARC shows.
    ItsMailSystem,
    /// Nothing shows it. An operator wants it believed.
    Believed,
}

impl RecipientFacts {
    /// What proves that this address is what the report is about; `None`: nothing that is enough.
    pub(crate) fn proof(&self, address: &str, trust: Trust) -> Option<Proof> {
        let evidence = || self.complaint_evidence(address);
        let complaint = || match evidence()? {
            ComplaintEvidence::Signed => Some(Proof::SignedToken),
            ComplaintEvidence::OnlyRecipient if self.returns_signed_header() => Some(Proof::ReturnedHeader),
            ComplaintEvidence::OnlyRecipient | ComplaintEvidence::Named => None,
        };
        let is = |shown: bool, proof: Proof| shown.then_some(proof);
        let strong = || {
            is(self.is_logged_for(address), Proof::Logged)
                .or_else(|| is(self.is_signed_for(address), Proof::SignedPath))
                .or_else(complaint)
                .or_else(|| is(self.failed(address) && self.is_own_report(), Proof::OwnServer))
                .or_else(|| is(self.is_author(address) && self.is_written_to_us(), Proof::Author))
        };
        let weak = || {
            is(evidence() == Some(ComplaintEvidence::OnlyRecipient), Proof::OnlyRecipient)
                .or_else(|| is(self.was_sent_to(address), Proof::SentThere))
                .or_else(|| is(self.is_its_system(address) && self.is_written_to_us(), Proof::ItsMailSystem))
        };
        strong()
            .or_else(|| (trust >= Trust::Preferred).then(weak).flatten())
            .or_else(|| is(trust == Trust::Off, Proof::Believed))
    }

    /// A complainant as a policy hears of it: evidence that proves nothing to this operator is no
    /// more than a name.
    pub(crate) fn as_proven(&self, complaining: Complaining, trust: Trust) -> Complaining {
        match self.proof(&complaining.address, trust) {
            Some(_) => complaining,
            None => Complaining { evidence: ComplaintEvidence::Named, ..complaining },
        }
    }

    fn complaint_evidence(&self, address: &str) -> Option<ComplaintEvidence> {
        if self.message.report().kind != ReportKind::FeedbackReport {
            return None;
        }
        let complains = |one: &&Complaining| one.address.eq_ignore_ascii_case(address);
        self.complainants().iter().find(complains).map(|one| one.evidence)
    }

    /// Whether our mail log says it of this address, before or after an alias.
    fn is_logged_for(&self, address: &str) -> bool {
        let is_it = |named: &String| is_unambiguous(named) && named.eq_ignore_ascii_case(address);
        let before = |one: &Recipient| one.original.as_ref().is_some_and(is_it);
        self.message.is_log_line()
            && (self.failed(address) || self.message.report().recipients.iter().any(before))
    }

    /// Whether the report names this very address as the one of the last attempt, without a tag
    /// (BATV) or a rewriting (SRS) that anyone may have written. The original address that a report
    /// gives is what whoever sent the message has written there (ORCPT).
    fn failed(&self, address: &str) -> bool {
        let is_it = |one: &Recipient| one.is_literal && one.address.eq_ignore_ascii_case(address);
        self.message.report().recipients.iter().any(is_it)
    }

    /// Whether somebody with this address asks to be unsubscribed.
    fn is_author(&self, address: &str) -> bool {
        self.message.report().kind == ReportKind::Unsubscribe && self.is_from(|from| from == address)
    }

    /// Whether the report calls itself one of the mail system of the address's domain. Its users
    /// cannot write as `mailer-daemon` or `postmaster`.
    fn is_its_system(&self, address: &str) -> bool {
        let domain = |address: &str| address.rsplit_once('@').map(|(_, domain)| domain.to_lowercase());
        let is_system = |from: &str| from.starts_with("mailer-daemon@") || from.starts_with("postmaster@");
        self.is_from(|from| is_system(from) && domain(from) == domain(address))
    }

    /// Whether the one author of the message is such an address; it is asked in lower case.
    fn is_from(&self, is_such: impl FnOnce(&str) -> bool) -> bool {
        let author = self.message.message(|message| message.author());
        author.is_some_and(|author| is_such(&author.to_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_trusts_nobody() {
        for (settings, trust) in [
            ("", Trust::Required),
            ("{}", Trust::Required),
            (r#"{"trust": 1}"#, Trust::Required),
            (r#"{"trust": "OFF"}"#, Trust::Required),
            (r#"{"rules": [], "trust": "preferred"}"#, Trust::Preferred),
            (r#"{"trust": "off"}"#, Trust::Off),
        ] {
            assert_eq!(Trust::of_settings(settings), trust, "{settings}");
        }
    }
}
