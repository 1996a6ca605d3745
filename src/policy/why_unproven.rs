//! Why a report is not proven, or is no report at all: the other half of `proof`. The table of the
//! reasons is in `docs/proof.md`.
//!
//! Not here: the reasons as words (`plan/unproven`), and what is done with the message (`deliver`).
//! Invariant: it changes no decision; it is asked after the policy, and only where nothing is
//! proven.

use super::proof::Trust;
use super::recipient_facts::RecipientFacts;
use crate::auth;
use crate::clock;
use crate::feedback_type::FeedbackType;
use crate::message::Message;
use crate::plan::Unproven;
use crate::report::{DeliveryAction, Recipient, ReportKind};
use crate::return_path::{self, Refused, day};

/// Recipients of a report that it can be found by.
const MOST: usize = 50;

impl RecipientFacts {
    /// Why nothing follows from the message, as far as its kind and its proofs show.
    pub(crate) fn why_unproven(&self, trust: Trust) -> Unproven {
        let report = self.message.report();
        match report.kind {
            ReportKind::Other => Unproven::NoReport,
            ReportKind::AutoReply => Unproven::AutoReply,
            ReportKind::Challenge => Unproven::Challenge,
            ReportKind::Unsubscribe if self.is_proven_request(trust) => Unproven::NoApplication,
            ReportKind::Unsubscribe => Unproven::NoAuthor,
            ReportKind::FeedbackReport => self.why_no_complaint(trust),
            ReportKind::DeliveryStatus if report.recipients.is_empty() => Unproven::NoAddress,
            ReportKind::DeliveryStatus => {
                let failed = |one: &&Recipient| one.action == DeliveryAction::Failed;
                let failed = report.recipients.iter().find(failed);
                failed.map_or(Unproven::NoFailure, |failed| self.why_no_bounce(failed, trust))
            }
        }
    }

    /// Whether a request to be unsubscribed is proven.
    fn is_proven_request(&self, trust: Trust) -> bool {
        let author = self.message.message(|message| message.author());
        let is_proven = || author.is_some_and(|author| self.proof(&author, trust).is_some());
        self.signed_recipient().is_some() || is_proven()
    }

    /// Addresses and ids that the message can be found by.
    pub(crate) fn about(&self) -> Vec<String> {
        let mut about = self.addresses();
        about.extend(self.author());
        about.extend(self.message.report().original.message_id.clone());
        about.dedup();
        about
    }

    /// Addresses that the message is about: whom a report names, or else who has written it.
    pub(crate) fn addresses(&self) -> Vec<String> {
        let recipients = self.message.report().recipients.iter().take(MOST);
        let named = recipients.flat_map(|one| one.original.iter().chain([&one.address]));
        let mut addresses: Vec<String> = named.cloned().chain(self.signed_recipient()).collect();
        if addresses.is_empty() {
            addresses.extend(self.author());
        }
        addresses.dedup();
        addresses
    }

    fn author(&self) -> Option<String> {
        self.message.message(|message| message.addresses("From")).into_iter().next()
    }

    fn why_no_complaint(&self, trust: Trust) -> Unproven {
        let kind = self.message.report().feedback.as_ref().map(|feedback| &feedback.kind);
        let suppresses =
            matches!(kind, Some(FeedbackType::Abuse | FeedbackType::OptOut | FeedbackType::Fraud));
        let is_proven = || self.complainants().iter().any(|one| self.proof(&one.address, trust).is_some());
        if suppresses && !is_proven() { Unproven::NoComplainant } else { Unproven::ComplaintType }
    }

    fn why_no_bounce(&self, failed: &Recipient, trust: Trust) -> Unproven {
        let mut addresses = failed.original.iter().chain([&failed.address]);
        if addresses.any(|address| self.proof(address, trust).is_some()) {
            return Unproven::NoConsequence;
        }
        self.why_unsigned().unwrap_or_else(|| {
            let config = &self.message.config;
            let own = |message: &Message<'_>| auth::own_report(message, self.envelope(), config);
            // Our server proves the address as it writes it, and this one is written otherwise.
            self.message.message(own).err().unwrap_or(Unproven::OtherAddress)
        })
    }

    /// What is wrong with the signature of the return path that the report came to; `None`: there
    /// is none.
    fn why_unsigned(&self) -> Option<Unproven> {
        let (paths, today) = (&self.message.config.return_paths, day(clock::now_ms()));
        let envelope = [Some(&self.envelope().recipient), self.envelope().original_recipient.as_ref()];
        let paths_of = |path: &String| [Some(path.clone()), return_path::unwrapped(path)];
        let mut tried = envelope.into_iter().flatten().flat_map(paths_of).flatten();
        tried.find_map(|path| match paths.verify(&path, today) {
            Ok(_) => Some(Unproven::OtherAddress),
            Err(Refused::Forged) => Some(Unproven::BadSignature),
            Err(Refused::TooOld { .. }) => Some(Unproven::SignatureExpired),
            Err(Refused::Ahead { .. }) => Some(Unproven::SignatureAhead),
            Err(Refused::NotOurs) => None,
        })
    }
}
