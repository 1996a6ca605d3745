//! The imports of a policy that answer questions: facts about the message, and what it reports
//! about another one.
//!
//! Not here: finding out (`message_facts`, `recipient_facts`). Invariant: every answer goes through
//! `Host::ask`, so that the time it takes is not the guest's.

use super::bindings::carom::policy::{facts, reports};
use super::complaint_facts::{Complaining, ComplaintEvidence};
use super::guest_text::{MAX_TEXT, shortened};
use super::host::Host;
use super::recipient_facts::RecipientFacts;
use crate::auth::AuthResult;
use crate::message::LinkKind;
use crate::report;
use crate::return_path;

impl From<AuthResult> for facts::Verdict {
    fn from(verdict: AuthResult) -> facts::Verdict {
        match verdict {
            AuthResult::Pass => facts::Verdict::Pass,
            AuthResult::Fail => facts::Verdict::Fail,
            AuthResult::SoftFail => facts::Verdict::SoftFail,
            AuthResult::Neutral => facts::Verdict::Neutral,
            AuthResult::None => facts::Verdict::None,
            AuthResult::TempError => facts::Verdict::TempError,
            AuthResult::PermError => facts::Verdict::PermError,
        }
    }
}

impl facts::Host for Host {
    fn sender(&mut self) -> String {
        self.ask("sender", |facts| facts.envelope().sender.clone())
    }

    fn recipient(&mut self) -> String {
        self.ask("recipient", |facts| facts.envelope().recipient.clone())
    }

    fn original_recipient(&mut self) -> Option<String> {
        self.ask("original-recipient", |facts| facts.envelope().original_recipient.clone())
    }

    fn client_address(&mut self) -> Option<String> {
        self.ask("client-address", |facts| facts.client_address().map(|address| address.to_string()))
    }

    fn helo(&mut self) -> Option<String> {
        self.ask("helo", |facts| facts.envelope().client_helo.clone())
    }

    fn queue_id(&mut self) -> Option<String> {
        self.ask("queue-id", |facts| facts.envelope().queue_id.clone())
    }

    fn envelope_id(&mut self) -> Option<String> {
        self.ask("envelope-id", |facts| facts.envelope().envid.clone())
    }

    fn size(&mut self) -> u64 {
        self.ask("size", |facts| facts.message.size() as u64)
    }

    fn header(&mut self, name: String) -> Option<String> {
        self.ask("header", |facts| facts.message.message(|message| message.header(&name).map(shortened)))
    }

    fn headers(&mut self, name: String) -> Vec<String> {
        self.ask("headers", |facts| {
            facts
                .message
                .message(|message| message.headers(&name).into_iter().take(1000).map(shortened).collect())
        })
    }

    fn addresses(&mut self, name: String) -> Vec<String> {
        self.ask("addresses", |facts| facts.message.message(|message| message.addresses(&name)))
    }

    fn text(&mut self) -> Option<String> {
        self.ask("text", |facts| facts.message.message(|message| message.text(MAX_TEXT)))
    }

    fn dkim(&mut self) -> facts::Verdict {
        self.ask("dkim", |facts| facts.message.dkim().0.into())
    }

    fn dkim_signatures(&mut self) -> Vec<facts::DkimSignature> {
        self.ask("dkim-signatures", |facts| {
            let signatures = facts.message.dkim().1.iter();
            let told = signatures
                .map(|one| facts::DkimSignature { domain: one.domain.clone(), verdict: one.result.into() });
            told.collect()
        })
    }

    fn spf(&mut self) -> wasmtime::Result<facts::Verdict> {
        let known = self.ask("spf", RecipientFacts::spf_or_later);
        known.map(Into::into).ok_or_else(|| self.wait_for_dns())
    }

    fn dmarc(&mut self) -> wasmtime::Result<facts::Verdict> {
        let known = self.ask("dmarc", RecipientFacts::dmarc_or_later);
        known.map(Into::into).ok_or_else(|| self.wait_for_dns())
    }

    fn images(&mut self) -> Vec<String> {
        self.ask("images", |facts| facts.message.images().to_vec())
    }

    fn links(&mut self) -> Vec<String> {
        self.ask("links", |facts| {
            let links = facts.message.links().iter();
            let shown = links.filter(|link| link.kind != LinkKind::ListUnsubscribe);
            shown.map(|link| link.url.clone()).collect()
        })
    }

    fn times_deferred(&mut self) -> u32 {
        self.ask("times-deferred", |facts| facts.earlier_deferrals().times)
    }

    fn first_deferred(&mut self) -> Option<u64> {
        let first = self.ask("first-deferred", |facts| facts.earlier_deferrals().first_ms);
        first.and_then(|first| u64::try_from(first).ok())
    }
}

impl reports::Host for Host {
    fn kind(&mut self) -> reports::ReportKind {
        self.ask("report-kind", |facts| match facts.message.report().kind {
            report::ReportKind::DeliveryStatus => reports::ReportKind::DeliveryStatus,
            report::ReportKind::FeedbackReport => reports::ReportKind::FeedbackReport,
            report::ReportKind::AutoReply => reports::ReportKind::AutoReply,
            report::ReportKind::Challenge => reports::ReportKind::Challenge,
            // The enum of 1.0 has no name for a request to unsubscribe.
            report::ReportKind::Unsubscribe | report::ReportKind::Other => reports::ReportKind::Other,
        })
    }

    fn recipients(&mut self) -> Vec<reports::Recipient> {
        self.ask("report-recipients", |facts| {
            facts.message.report().recipients.iter().map(Into::into).collect()
        })
    }

    fn feedback_type(&mut self) -> Option<String> {
        self.ask("feedback-type", |facts| {
            facts.message.report().feedback.as_ref().map(|feedback| feedback.kind.to_string())
        })
    }

    fn original_message_id(&mut self) -> Option<String> {
        self.ask("original-message-id", |facts| facts.message.report().original.message_id.clone())
    }

    fn original_sender(&mut self) -> Option<String> {
        self.ask("original-sender", RecipientFacts::original_sender)
    }

    fn is_signed_for(&mut self, address: String) -> bool {
        self.ask("is-signed-for", |facts| facts.is_signed_for(&address))
    }

    fn was_sent_to(&mut self, address: String) -> bool {
        self.ask("was-sent-to", |facts| facts.was_sent_to(&address))
    }

    fn is_from_own_server(&mut self) -> bool {
        self.ask("is-from-own-server", RecipientFacts::is_own_report)
    }

    fn is_proven(&mut self, address: String) -> bool {
        let trust = self.trust;
        self.ask("is-proven", |facts| facts.proof(&address, trust).is_some())
    }

    fn is_unsubscribe(&mut self) -> bool {
        self.ask("is-unsubscribe", |facts| facts.message.report().kind == report::ReportKind::Unsubscribe)
    }

    fn signed_recipient(&mut self) -> Option<String> {
        self.ask("signed-recipient", RecipientFacts::signed_recipient)
    }

    fn complainants(&mut self) -> Vec<reports::Complainant> {
        let trust = self.trust;
        self.ask("complainants", |facts| {
            let heard = |one| facts.as_proven(one, trust).into();
            facts.complainants().into_iter().map(heard).collect()
        })
    }

    fn is_own_address(&mut self, address: String) -> bool {
        self.ask("is-own-address", |facts| facts.is_own_address(&address))
    }

    fn is_list_address(&mut self, address: String) -> bool {
        self.ask("is-list-address", |facts| facts.is_list_address(&address))
    }
}

impl From<Complaining> for reports::Complainant {
    fn from(complainant: Complaining) -> reports::Complainant {
        reports::Complainant {
            address: complainant.address,
            evidence: match complainant.evidence {
                ComplaintEvidence::Named => reports::Evidence::Named,
                ComplaintEvidence::Signed => reports::Evidence::Signed,
                ComplaintEvidence::OnlyRecipient => reports::Evidence::OnlyRecipient,
            },
        }
    }
}

impl From<&report::Recipient> for reports::Recipient {
    fn from(recipient: &report::Recipient) -> reports::Recipient {
        reports::Recipient {
            address: recipient.address.clone(),
            original: return_path::meant(&recipient.address, recipient.original.as_deref()),
            fate: match recipient.action {
                report::DeliveryAction::Failed => reports::Fate::Failed,
                report::DeliveryAction::Delayed => reports::Fate::Delayed,
                report::DeliveryAction::Delivered => reports::Fate::Delivered,
                report::DeliveryAction::Relayed => reports::Fate::Relayed,
                report::DeliveryAction::Expanded => reports::Fate::Expanded,
            },
            text: recipient.diagnostic.clone(),
            status: recipient.status.map(|status| status.to_string()).unwrap_or_default(),
            code: recipient.reply_code.unwrap_or_default(),
            stage: recipient.stage.to_owned(),
            remote_mta: recipient.remote_mta.clone().unwrap_or_default(),
        }
    }
}
