//! Delivery status notifications (RFC 3464, internationalised by RFC 6533): the fields for each recipient.
//!
//! Not here: the notice for people beside them. Invariant: fields are taken as they come, grouped by what repeats, so
//! that a missing or surplus blank line, another order or an unknown field loses no recipient.

use super::lines::NumberedLine;
use super::mailbox;
use super::quoted_reply::status_in_field;
use super::tidied::tidy;
use super::{DeliveryAction, MAX_RECIPIENTS};
use crate::smtp_reply::EnhancedStatus;

/// A value is read up to this many bytes.
const MAX_VALUE: usize = 16 * 1024;

/// The fields about one recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RecipientStatus {
    /// Final-Recipient, if it is an address.
    pub(crate) last: Option<String>,
    /// Original-Recipient, likewise.
    pub(crate) original: Option<String>,
    /// Action.
    pub(crate) action: Option<DeliveryAction>,
    /// Status.
    pub(crate) status: Option<EnhancedStatus>,
    /// Diagnostic-Code without its type.
    pub(crate) diagnostic: String,
    /// What else is said: the comment of the status, and fields beside Diagnostic-Code that carry the reply.
    pub(crate) comment: String,
    /// Remote-MTA.
    pub(crate) remote_mta: Option<String>,
    /// The line of the first field.
    pub(crate) line: u32,
    /// Whether a field names the recipient, even if not by an address.
    named: bool,
    /// Whether a blank line came after the last field.
    parted: bool,
    seen: u8,
}

/// The fields that begin a new group when they repeat.
#[derive(Clone, Copy)]
enum Key {
    Final = 1,
    Original = 2,
    Action = 4,
    Status = 8,
    Diagnostic = 16,
}

/// Whether a line starts a field that only a delivery status has.
pub(crate) fn is_recipient_field(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default().trim();
    line.contains(':')
        && ["Final-Recipient", "Original-Recipient"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The recipients that lines of fields tell of.
pub(crate) fn read(lines: &[NumberedLine<'_>]) -> Vec<RecipientStatus> {
    let mut groups: Vec<RecipientStatus> = Vec::new();
    let mut current = RecipientStatus::default();
    let mut at = 0;
    while at < lines.len() && groups.len() < MAX_RECIPIENTS {
        let line = lines[at];
        at += 1;
        if line.is_blank() {
            current.parted = true;
            continue;
        }
        let Some((name, value)) = line.trimmed().split_once(':') else { continue };
        let mut value = value.trim().to_owned();
        while let Some(next) = lines.get(at).filter(|next| next.text.starts_with([' ', '\t'])) {
            if value.len() < MAX_VALUE {
                value.push(' ');
                value.push_str(next.trimmed());
            }
            at += 1;
        }
        if current.take(name.trim(), value.trim(), line.number, &mut groups) {
            current.parted = false;
        }
    }
    if current.seen > 0 {
        groups.push(current);
    }
    groups.retain(|group| group.named || group.seen & (Key::Action as u8 | Key::Status as u8) != 0);
    groups
}

impl RecipientStatus {
    /// Stores a field; whether it is one about a recipient.
    fn take(&mut self, name: &str, value: &str, line: u32, groups: &mut Vec<RecipientStatus>) -> bool {
        let key = match name.to_ascii_lowercase().as_str() {
            "final-recipient" => Key::Final,
            "original-recipient" => Key::Original,
            "action" => Key::Action,
            "status" => Key::Status,
            "diagnostic-code" => Key::Diagnostic,
            other => return self.take_other(other, value),
        };
        let complete = self.parted && self.named && self.seen & (Key::Action as u8 | Key::Status as u8) != 0;
        if complete || (self.seen & key as u8 != 0 && self.named) {
            groups.push(std::mem::take(self));
        }
        self.seen |= key as u8;
        if self.line == 0 {
            self.line = line;
        }
        match key {
            Key::Final => (self.last, self.named) = (mailbox::in_field(value), true),
            Key::Original => (self.original, self.named) = (mailbox::in_field(value), true),
            Key::Action => self.action = Some(action(value)),
            Key::Status => {
                self.status = status_in_field(value);
                let comment = value.split_once('(').map(|(_, comment)| comment.trim_end_matches(')'));
                self.comment.push_str(comment.unwrap_or_default());
            }
            Key::Diagnostic => {
                if self.diagnostic.is_empty() {
                    self.diagnostic = tidy(mailbox::typed(value).1.trim_matches('"'));
                }
            }
        }
        true
    }

    fn take_other(&mut self, name: &str, value: &str) -> bool {
        match name {
            "remote-mta" => self.remote_mta = host(mailbox::typed(value).1),
            "x-supplementary-info"
            | "x400-supplementary-info"
            | "x-diagnostic"
            | "x-smtp-reply"
            | "x-error"
            | "x-response"
            | "x-reason"
            | "x-mailer-diagnostic" => {
                let text = tidy(value.trim_matches(['"', '<', '>']));
                self.comment =
                    if self.comment.is_empty() { text } else { format!("{} {text}", self.comment) };
            }
            "last-attempt-date" | "will-retry-until" | "final-log-id" | "x-actual-recipient"
            | "x-display-name" => {}
            _ => return false,
        }
        true
    }
}

/// The word of an Action field. Unknown words are the failures of programs that do not know the five.
fn action(value: &str) -> DeliveryAction {
    let word: String = value.trim().chars().take_while(char::is_ascii_alphabetic).collect();
    match word.to_ascii_lowercase().as_str() {
        "delayed" | "delay" | "deferred" => DeliveryAction::Delayed,
        "delivered" | "deliverable" | "success" => DeliveryAction::Delivered,
        "relayed" => DeliveryAction::Relayed,
        "expanded" => DeliveryAction::Expanded,
        _ => DeliveryAction::Failed,
    }
}

/// The name in a Remote-MTA field: `mx.example (192.0.2.1)`, `[192.0.2.1]`.
fn host(value: &str) -> Option<String> {
    let word = value.split([' ', '\t', '(', ',', ';']).find(|word| !word.is_empty())?;
    let name = word.trim_matches(['[', ']', '<', '>', '"']).trim_end_matches('.');
    let known = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | ':' | '_'));
    (known && !name.is_empty() && name.len() <= 255).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn groups(text: &str) -> Vec<RecipientStatus> {
        read(&PartText::plain(text, 1).lines())
    }

    #[test]
    fn a_report_by_the_book() {
        let read = groups(
            "Reporting-MTA: dns; mta.example\nArrival-Date: today\n\nFinal-Recipient: rfc822; a@x.example\n\
             Original-Recipient: rfc822;b@x.example\nAction: failed\nStatus: 5.1.1 (gone)\n\
             Remote-MTA: dns; mx.x.example (192.0.2.1)\nDiagnostic-Code: smtp; 550-5.1.1 User\n 550 5.1.1 unknown\n\n\
             Final-Recipient: rfc822; c@x.example\nAction: delayed\nStatus: 4.4.1\n",
        );
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].last.as_deref(), Some("a@x.example"));
        assert_eq!(read[0].original.as_deref(), Some("b@x.example"));
        assert_eq!((read[0].action, read[0].line), (Some(DeliveryAction::Failed), 4));
        assert_eq!(
            (read[0].diagnostic.as_str(), read[0].comment.as_str()),
            ("550-5.1.1 User unknown", "gone")
        );
        assert_eq!(read[0].remote_mta.as_deref(), Some("mx.x.example"));
        assert_eq!((read[1].action, read[1].diagnostic.as_str()), (Some(DeliveryAction::Delayed), ""));
    }

    #[test]
    fn groups_are_found_by_what_repeats() {
        let order =
            "Action: failed\nStatus: 5.0.0\nFinal-recipient: rfc822;a@x\nDiagnostic-code: smtp; 550 no\n";
        for text in [
            format!("{order}\n{}", order.replace("a@x", "b@x")),
            format!("{order}{}", order.replace("a@x", "b@x")),
            "Final-Recipient: a@x\n\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: 550 no\nFinal-Recipient: b@x\n\
             DeliveryAction: failed\nDiagnostic-Code: 550 no\n"
                .to_owned(),
        ] {
            let read = groups(&text);
            let last: Vec<_> = read.iter().flat_map(|group| group.last.as_deref()).collect();
            assert_eq!(last, ["a@x", "b@x"], "{text}");
            assert!(read.iter().all(|group| group.diagnostic == "550 no"), "{text}");
        }
    }

    #[test]
    fn sloppy_fields_are_read() {
        let read = groups(
            "Action : error\nFinal-Recipient : rfc/822;a@x.example\nStatus : 5.7.1\nRemote-MTA: [192.0.2.1]\n",
        );
        assert_eq!(
            (read[0].action, read[0].last.as_deref()),
            (Some(DeliveryAction::Failed), Some("a@x.example"))
        );
        assert_eq!(read[0].remote_mta.as_deref(), Some("192.0.2.1"));
        assert_eq!(groups("Reporting-MTA: dns; x\n"), []);
        assert_eq!(
            groups("X-Supplementary-Info: <smtp;550 no>\nOriginal-Recipient: a@x")[0].comment,
            "smtp;550 no"
        );
    }

    #[test]
    fn recipients_are_bounded() {
        let text = "Final-Recipient: rfc822;a@x.example\nAction: failed\n\n".repeat(30_000);
        assert!(groups(&text).len() <= MAX_RECIPIENTS + 1);
    }
}
