//! What a message reports, as data: the same whatever form the report has.
//!
//! Not here: how it is found out. Invariant: a recipient has an address, and every text is one
//! line.

use super::feedback::Feedback;
use super::original::Original;
use crate::mailbox_syntax::in_a_labels;
use crate::smtp_reply::EnhancedStatus;
use serde::Serialize;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    pub(crate) kind: ReportKind,
    /// Who it is about; at most 10,000.
    pub(crate) recipients: Vec<Recipient>,
    /// The complaint, if it is one.
    pub(crate) feedback: Option<Feedback>,
    /// The message it is about.
    pub(crate) original: Original,
    /// What it asks to be taken off, if it does.
    pub(crate) unsubscribe: Option<Unsubscribing>,
    /// To whom a report on a delivery went: whoever sent the message that it is about.
    #[serde(skip)]
    pub(crate) reported_to: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReportKind {
    /// What became of a message: a bounce, a delay, a receipt; by RFC 3464 or in any older form.
    DeliveryStatus,
    /// A complaint (RFC 5965).
    FeedbackReport,
    /// RFC 3834.
    AutoReply,
    /// A filter asks the sender to prove something.
    Challenge,
    /// Somebody asks by mail to be taken off a list (RFC 2369).
    Unsubscribe,
    /// Not a report.
    #[default]
    Other,
}

/// What became of a message for one recipient (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryAction {
    #[default]
    Failed,
    /// The server goes on trying: this is not a bounce.
    Delayed,
    Delivered,
    /// It went to a server that sends no reports.
    Relayed,
    /// It went to several addresses.
    Expanded,
}

/// A recipient that a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Recipient {
    /// The address that was tried last.
    pub(crate) address: String,
    /// The address is all of the field for programs that names the last attempt, or our log has it:
    /// it was not looked for in a text, nothing was taken off, and it can mean no other.
    #[serde(skip)]
    pub(crate) is_literal: bool,
    /// The address that the message was sent to, if it is another one.
    pub(crate) original: Option<String>,
    pub(crate) action: DeliveryAction,
    /// The enhanced status code: of the reply itself, if it has one.
    pub(crate) status: Option<EnhancedStatus>,
    pub(crate) reply_code: Option<u16>,
    /// The reply, or what else was said, as one line.
    pub(crate) diagnostic: String,
    /// The server that said it.
    pub(crate) remote_mta: Option<String>,
    /// The SMTP command that it answered: `RCPT`, `DATA`, `MAIL`, `EHLO`, `HELO`, `CONN`, …; or
    /// empty.
    pub(crate) stage: &'static str,
    /// Of a complaint: the provider says that this recipient complains. Otherwise the address is
    /// only in the message that is complained about, or is a digest, and proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) named: Option<bool>,
    /// Which reader found the recipient.
    pub(crate) reader: &'static str,
    /// The line of the message; in an encoded part, the line where that part starts.
    pub(crate) line: u32,
}

/// What somebody asks to be taken off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Unsubscribing {
    /// The address that the request went to.
    pub(crate) to: Option<String>,
    /// What that address, or else the subject, has for the list or the subscriber.
    pub(crate) token: Option<String>,
}

impl Report {
    /// Whether it is about failed deliveries, and says to whom.
    pub(crate) fn names_recipients(&self) -> bool {
        self.kind == ReportKind::DeliveryStatus && !self.recipients.is_empty()
    }

    /// Who sent the message that it is about, as far as its header shows; else to whom the report
    /// went.
    pub(crate) fn senders(&self) -> Vec<&String> {
        let Original { return_path, from, .. } = &self.original;
        let known: Vec<&String> = return_path.iter().chain(from).collect();
        if known.is_empty() { self.reported_to.iter().collect() } else { known }
    }

    /// The report of a message that starts on this line of an outer one.
    pub(crate) fn shifted(mut self, first: u32) -> Report {
        for recipient in self.recipients.iter_mut().filter(|recipient| recipient.line > 0) {
            recipient.line = recipient.line.saturating_add(first).saturating_sub(1);
        }
        self
    }
}

impl Recipient {
    /// Whether the report names this address, before or after aliases.
    pub(crate) fn names(&self, address: &str) -> bool {
        let address = in_a_labels(address);
        let is_it = |name: &String| in_a_labels(name).eq_ignore_ascii_case(&address);
        is_it(&self.address) || self.original.as_ref().is_some_and(is_it)
    }

    /// Whether the message ran in a circle, or seemed to: who sent it may have written the trace
    /// fields that say so.
    pub(crate) fn is_about_a_loop(&self) -> bool {
        const WORDS: [&str; 9] = [
            "too many hops",
            "too many received",
            "too many \"received\"",
            "hop count",
            "mail loop",
            "routing loop",
            "forwarding loop",
            "is looping",
            "loops back",
        ];
        let is_status = |status: &EnhancedStatus| (status.subject, status.detail) == (4, 6);
        let said = self.diagnostic.to_lowercase();
        self.status.as_ref().is_some_and(is_status) || WORDS.iter().any(|words| said.contains(words))
    }
}

impl DeliveryAction {
    /// The word of an Action field.
    pub(crate) fn name(self) -> &'static str {
        match self {
            DeliveryAction::Failed => "failed",
            DeliveryAction::Delayed => "delayed",
            DeliveryAction::Delivered => "delivered",
            DeliveryAction::Relayed => "relayed",
            DeliveryAction::Expanded => "expanded",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_known_by_its_status_or_its_words() {
        let is_loop = |status: &str, diagnostic: &str| {
            let status = status.parse().ok();
            Recipient { status, diagnostic: diagnostic.into(), ..Recipient::default() }.is_about_a_loop()
        };
        assert!(is_loop("5.4.6", "552 mailbox full"));
        assert!(is_loop("5.4.0", "554 5.4.0 Error: too many hops (in reply to end of DATA command)"));
        assert!(is_loop("5.4.14", "554 5.4.14 Hop count exceeded - possible mail loop detected"));
        assert!(!is_loop("5.2.2", "552 5.2.2 mailbox full") && !is_loop("", ""));
    }
}
