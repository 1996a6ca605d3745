//! What makes two reports the same report: the message that they are about and the recipient,
//! whatever the queue id, the route, or the server that wrote them.
//!
//! Not here: remembering what came before (`store`). Invariant: reports about two messages are two
//! reports; without anything that names the message, the report itself has to be the same.

use super::message_facts::MessageFacts;
use super::recipient_facts::RecipientFacts;
use crate::digest;
use crate::mailbox_syntax::in_a_labels;
use crate::plan::{Bounced, Unmatched};
use crate::report::{self, ReportKind};

/// Digits of a fingerprint.
const DIGITS: usize = 32;

/// What a report about this message and address is known by.
pub(crate) fn of_message(message_id: &str, address: &str) -> String {
    // Servers on the way may change the case of its domain.
    digest_of(&[&message_id.to_lowercase(), &plain(address)])
}

/// A domain in other scripts has two spellings, and servers change one for the other.
fn plain(address: &str) -> String {
    in_a_labels(&address.to_lowercase()).into_owned()
}

fn digest_of(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().flat_map(|part| [part.as_bytes(), b"\0"]).collect();
    digest::sha256_hex(&parts[..parts.len() - 1], DIGITS)
}

impl MessageFacts {
    /// What a report says about an address; `None` if the message reports nothing.
    pub(crate) fn bounced(&self, address: &str) -> Option<Bounced> {
        let report = self.report();
        let original = &report.original;
        if let Some(message_id) = &original.message_id {
            return Some(Bounced { id: of_message(message_id, address), logged: self.is_log_line() });
        }
        let address = plain(address);
        if self.is_log_line() || report.kind == ReportKind::Other {
            return None;
        }
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let found = report.recipients.iter().find(|one| {
            plain(&one.address) == address
                || one.original.as_ref().is_some_and(|original| plain(original) == address)
        });
        let diagnostic = found.map_or("", |found| found.diagnostic.as_str());
        let (subject, from) = (text(&original.subject), text(&original.from));
        let which = self.which_message();
        let id = digest_of(&[&which, &subject, &from, diagnostic, &address]);
        Some(Bounced { id, logged: false })
    }

    /// What names the message that a report is about, if it has no Message-ID; else what names the
    /// report.
    fn which_message(&self) -> String {
        self.message(|message| {
            let original = |name: &str| report::original_header(message, name);
            let named = ["Date", "Feedback-ID", "CFBL-Feedback-ID", "X-Mailer-RecptId"];
            let named: Vec<String> = named.iter().filter_map(|name| original(name)).collect();
            if !named.is_empty() {
                return named.join(" ");
            }
            let own = message.header("Message-ID").or_else(|| message.header("Date"));
            own.unwrap_or_else(|| digest::sha256_hex(&[without_header(self.content.raw())], DIGITS))
        })
    }
}

/// What stays the same when a message comes another way.
fn without_header(message: &[u8]) -> &[u8] {
    let end = |blank: &[u8]| message.windows(blank.len()).position(|window| window == blank);
    let start = end(b"\n\n").into_iter().chain(end(b"\n\r\n")).min();
    start.map_or(message, |start| &message[start..])
}

impl RecipientFacts {
    /// The complaint, for one that matches nobody.
    pub(crate) fn unmatched(&self) -> Unmatched {
        let report = self.message.report();
        let original = &report.original;
        let ids = [&original.message_id, &original.feedback_id, &original.cfbl_feedback_id];
        let feedback_type = report.feedback.as_ref().map(|feedback| feedback.kind.to_string());
        let feedback_type = feedback_type.unwrap_or_default();
        let whole = format!("complaint {feedback_type}");
        Unmatched {
            id: self.message.bounced(&whole).map(|bounced| bounced.id).unwrap_or_default(),
            found_by: ids.into_iter().flatten().cloned().collect(),
            feedback_type,
            reporter: self
                .message
                .message(|message| message.addresses("From").into_iter().next().unwrap_or_default()),
        }
    }
}
