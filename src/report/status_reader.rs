//! The fields of delivery status notifications, read.
//!
//! Not here: the types, and writing them (`delivery_status`). Invariant: fields are grouped by what
//! repeats, so a missing or surplus blank line, another order or an unknown field loses no
//! recipient.

use super::MAX_RECIPIENTS;
use super::delivery_status::{DeliveryStatus, RecipientStatus};
use super::fields::{self, FieldLine, unescaped};
use super::lines::NumberedLine;
use super::mailbox;
use super::quoted_reply::status_in_field;
use super::reported::DeliveryAction;
use super::tidied::tidy;
use crate::mailbox_syntax::is_unambiguous;
use crate::text::bounded;

/// A value is read up to this many bytes.
const MAX_VALUE: usize = 16 * 1024;
/// The same for values about the whole message.
const MAX_MESSAGE_VALUE: usize = 800;

impl DeliveryStatus {
    /// Reads the fields; whatever is not one is skipped.
    pub(crate) fn read(lines: &[NumberedLine<'_>]) -> DeliveryStatus {
        let mut reader = Reader::default();
        for field in fields::read(lines, MAX_VALUE) {
            if reader.read.recipients.len() >= MAX_RECIPIENTS {
                break;
            }
            match field {
                FieldLine::Blank => reader.after_blank = true,
                FieldLine::Field { name, value, line } => reader.take(name, &value, line),
            }
        }
        reader.end_recipient();
        reader.read
    }
}

/// Whether a line starts a field that only a delivery status has.
pub(crate) fn is_recipient_field(line: &str) -> bool {
    let name = line.split(':').next().unwrap_or_default().trim();
    line.contains(':')
        && ["Final-Recipient", "Original-Recipient"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a line is a field about the report, of those that programs read.
pub(crate) fn is_field_of_report(line: &str) -> bool {
    const FIELDS: [&str; 5] = [
        "Reporting-MTA:",
        "Arrival-Date:",
        "Received-From-MTA:",
        "Original-Envelope-Id:",
        "Last-Attempt-Date:",
    ];
    FIELDS.iter().any(|name| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

/// The fields that begin a new recipient when they repeat, as bits of [`Reader::seen`].
#[derive(Clone, Copy)]
enum Key {
    Final = 1,
    Original = 2,
    Action = 4,
    Status = 8,
    Diagnostic = 16,
}

/// What was read so far, and the recipient whose fields are being read.
#[derive(Default)]
struct Reader {
    read: DeliveryStatus,
    current: RecipientStatus,
    seen: u8,
    /// Whether a field names the recipient, even if not by an address.
    named: bool,
    /// Whether a blank line came after the last field.
    after_blank: bool,
}

impl Reader {
    fn take(&mut self, name: &str, value: &str, line: u32) {
        let name = name.to_ascii_lowercase();
        let key = match name.as_str() {
            "final-recipient" => Key::Final,
            "original-recipient" => Key::Original,
            "action" => Key::Action,
            "status" => Key::Status,
            "diagnostic-code" => Key::Diagnostic,
            other => return self.take_other(other, value),
        };
        let names = matches!(key, Key::Final | Key::Original);
        let complete = names && self.after_blank && self.named && self.says_what_happened();
        if complete || (self.seen & key as u8 != 0 && self.named) {
            self.end_recipient();
        }
        self.after_blank = false;
        self.seen |= key as u8;
        let current = &mut self.current;
        if current.line == 0 {
            current.line = line;
        }
        match key {
            Key::Final => {
                (current.last, self.named) = (mailbox::in_field(value), true);
                current.is_literal = mailbox::literal_in_field(value).is_some_and(is_unambiguous);
                current.name = mailbox::name_in_field(value).filter(|_| current.last.is_none());
            }
            Key::Original => (current.original, self.named) = (mailbox::in_field(value), true),
            Key::Action => current.action = Some(action(value)),
            Key::Status => {
                current.status = status_in_field(value);
                let comment = value.split_once('(').map(|(_, comment)| comment.trim_end_matches(')'));
                current.comment.push_str(comment.unwrap_or_default());
            }
            Key::Diagnostic if current.diagnostic.is_empty() => {
                current.diagnostic = tidy(unescaped(mailbox::typed(value).1).trim_matches('"'));
            }
            Key::Diagnostic => {}
        }
    }

    fn take_other(&mut self, name: &str, value: &str) {
        let short = || Some(bounded(value, MAX_MESSAGE_VALUE).to_owned());
        let mta = || Some(bounded(mailbox::typed(value).1, MAX_MESSAGE_VALUE).to_owned());
        let current = &mut self.current;
        match name {
            "original-envelope-id" => return self.read.envelope_id = short(),
            "reporting-mta" => return self.read.reporting_mta = mta(),
            "received-from-mta" => return self.read.received_from = mta(),
            "arrival-date" => return self.read.arrival_date = short(),
            "remote-mta" => current.remote_mta = host(mailbox::typed(value).1),
            "last-attempt-date" => current.last_attempt = short(),
            "x-supplementary-info"
            | "x400-supplementary-info"
            | "x-diagnostic"
            | "x-smtp-reply"
            | "x-error"
            | "x-response"
            | "x-reason"
            | "x-mailer-diagnostic" => {
                let text = tidy(unescaped(value).trim_matches(['"', '<', '>']));
                current.comment =
                    if current.comment.is_empty() { text } else { format!("{} {text}", current.comment) };
            }
            "will-retry-until" | "final-log-id" | "x-actual-recipient" | "x-display-name" => {}
            _ => return,
        }
        self.after_blank = false;
    }

    fn says_what_happened(&self) -> bool {
        self.seen & (Key::Action as u8 | Key::Status as u8) != 0
    }

    /// Keeps the recipient, unless its fields say neither who it is nor what happened.
    fn end_recipient(&mut self) {
        let current = std::mem::take(&mut self.current);
        if self.named || self.says_what_happened() {
            self.read.recipients.push(current);
        }
        (self.seen, self.named, self.after_blank) = (0, false, false);
    }
}

/// The word of an Action field. Unknown words are the failures of programs that do not know the
/// five.
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

    fn read(text: &str) -> Vec<RecipientStatus> {
        DeliveryStatus::read(&PartText::plain(text, 1).lines()).recipients
    }

    #[test]
    fn a_report_by_the_book() {
        let read = read(
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
    fn recipients_are_found_by_what_repeats() {
        let order =
            "Action: failed\nStatus: 5.0.0\nFinal-recipient: rfc822;a@x\nDiagnostic-code: smtp; 550 no\n";
        for text in [
            format!("{order}\n{}", order.replace("a@x", "b@x")),
            format!("{order}{}", order.replace("a@x", "b@x")),
            "Final-Recipient: a@x\n\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: 550 no\nFinal-Recipient: b@x\n\
             Action: failed\nDiagnostic-Code: 550 no\n"
                .to_owned(),
        ] {
            let read = read(&text);
            let last: Vec<_> = read.iter().flat_map(|group| group.last.as_deref()).collect();
            assert_eq!(last, ["a@x", "b@x"], "{text}");
            assert!(read.iter().all(|group| group.diagnostic == "550 no"), "{text}");
        }
    }

    #[test]
    fn sloppy_fields_are_read() {
        let found = read(
            "Action : error\nFinal-Recipient : rfc/822;a@x.example\nStatus : 5.7.1\nRemote-MTA: [192.0.2.1]\n",
        );
        assert_eq!(
            (found[0].action, found[0].last.as_deref()),
            (Some(DeliveryAction::Failed), Some("a@x.example"))
        );
        assert_eq!(found[0].remote_mta.as_deref(), Some("192.0.2.1"));
        assert_eq!(read("Reporting-MTA: dns; x\n"), []);
        assert_eq!(
            read("X-Supplementary-Info: <smtp;550 no>\nOriginal-Recipient: a@x")[0].comment,
            "smtp;550 no"
        );
    }

    #[test]
    fn recipients_are_bounded() {
        let text = "Final-Recipient: rfc822;a@x.example\nAction: failed\n\n".repeat(30_000);
        assert!(read(&text).len() <= MAX_RECIPIENTS + 1);
    }
}
