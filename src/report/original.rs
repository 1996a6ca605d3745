//! The message that a report is about, as far as the report quotes its header.
//!
//! Not here: judging whether it was ours. Invariant: every text is bounded and one line.

use super::lines::NumberedLine;
use super::mailbox;
use crate::message::Message;
use serde::Serialize;

/// A field is kept up to this many characters.
const MAX_FIELD: usize = 1_000;
/// Lines of a quoted header that are read, at most.
const MAX_LINES: usize = 400;

/// The header of the message that is reported on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Original {
    /// Its Message-ID without angle brackets.
    pub(crate) message_id: Option<String>,
    /// Its Subject, decoded.
    pub(crate) subject: Option<String>,
    /// The first address of From.
    pub(crate) from: Option<String>,
    /// The first address of To.
    pub(crate) to: Option<String>,
    /// Its Return-Path: the sender in the envelope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) return_path: Option<String>,
    /// Its List-Id without the description and the angle brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) list_id: Option<String>,
    /// Its Feedback-ID: what Gmail counts complaints by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) feedback_id: Option<String>,
    /// Its CFBL-Feedback-ID (RFC 9477).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cfbl_feedback_id: Option<String>,
}

/// The fields of a header that are read.
const NAMES: [&str; 8] =
    ["Message-ID", "Subject", "From", "To", "Return-Path", "List-Id", "Feedback-ID", "CFBL-Feedback-ID"];

impl Original {
    /// Of an enclosed message or header section.
    pub(crate) fn of(message: &Message<'_>) -> Original {
        let address = |name: &str| {
            let value = message.header(name)?;
            mailbox::first(&value).map(|found| found.address.to_owned())
        };
        let text = |name: &str| {
            let value = message.header(name)?;
            Some(bounded(value.trim().to_owned())).filter(|value| !value.is_empty())
        };
        let list_id = |value: String| match value.rsplit_once('<') {
            Some((_, id)) => id.trim_end_matches('>').to_owned(),
            None => value,
        };
        Original {
            message_id: message.message_id().map(bounded),
            subject: message.subject().map(bounded),
            from: address("From"),
            to: address("To").or_else(|| address("X-Original-To")),
            return_path: address("Return-Path"),
            list_id: text("List-Id").map(list_id),
            feedback_id: text("Feedback-ID"),
            cfbl_feedback_id: text("CFBL-Feedback-ID"),
        }
    }

    /// Of lines in a text that repeat the header, maybe quoted or indented.
    pub(crate) fn quoted(lines: &[NumberedLine<'_>]) -> Original {
        Original::of(&Message::read(quoted_fields(lines, &NAMES).as_bytes()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Original::default()
    }

    /// Fills what is missing from another reading.
    pub(crate) fn or(self, other: Original) -> Original {
        Original {
            message_id: self.message_id.or(other.message_id),
            subject: self.subject.or(other.subject),
            from: self.from.or(other.from),
            to: self.to.or(other.to),
            return_path: self.return_path.or(other.return_path),
            list_id: self.list_id.or(other.list_id),
            feedback_id: self.feedback_id.or(other.feedback_id),
            cfbl_feedback_id: self.cfbl_feedback_id.or(other.cfbl_feedback_id),
        }
    }
}

/// To whom a header in a text says that the message went: the address that the last host received
/// it for, or else the only addressee. The addressee of a mailing list is the list.
pub(crate) fn sole_recipient(lines: &[NumberedLine<'_>]) -> Option<String> {
    /// A header is read so far.
    const NEAR: usize = 40;
    const FIELDS: [&str; 6] = ["Received", "To", "Cc", "List-Id", "List-Post", "X-BeenThere"];
    let header = lines.iter().position(NumberedLine::is_blank).filter(|blank| *blank > 1);
    let lines = &lines[..header.unwrap_or(lines.len()).min(NEAR)];
    let fields = quoted_fields(lines, &FIELDS);
    let header = Message::read(fields.as_bytes());
    let traces = header.headers("Received");
    if let Some(address) = traces.iter().take(2).find_map(|trace| received_for(trace)) {
        return Some(address.to_owned());
    }
    let list = FIELDS[3..].iter().any(|name| header.header(name).is_some());
    let mut to: Vec<String> = ["To", "Cc"].iter().flat_map(|name| header.addresses(name)).take(3).collect();
    to.dedup_by(|one, other| mailbox::same(one, other));
    to.pop().filter(|_| to.is_empty() && !list)
}

/// The address in the `for` clause of a trace field (RFC 5321 section 4.4).
fn received_for(trace: &str) -> Option<&str> {
    let clause = trace.split_once(" for ")?.1;
    let found = mailbox::first(clause)?;
    (found.start <= 1).then_some(found.address)
}

/// The fields of these names in lines that repeat a header, without the marks of a quotation.
pub(crate) fn quoted_fields(lines: &[NumberedLine<'_>], names: &[&str]) -> String {
    let mut header = String::new();
    let mut wanted = false;
    for line in lines.iter().take(MAX_LINES) {
        let text = line.text.trim_start_matches(['>', ' ']);
        let name = text.split_once(':').map_or("", |(name, _)| name);
        let field = !name.is_empty() && name.len() < 60 && !name.contains([' ', '<']);
        let fold = !field && line.text.starts_with([' ', '\t', '>']) && wanted;
        if field {
            wanted = names.iter().any(|known| name.eq_ignore_ascii_case(known));
        }
        if wanted && (field || fold) && !text.is_empty() {
            header.push_str(if fold { " " } else { "" });
            header.push_str(text.trim_start());
            header.push('\n');
        } else if !field {
            wanted = false;
        }
    }
    header
}

fn bounded(text: String) -> String {
    match text.char_indices().nth(MAX_FIELD) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn a_quoted_header_is_read() {
        for text in [
            "Received: x\nSubject: =?utf-8?q?J=C3=BCrgen?=\n is here\nFrom: A <a@x.example>\nTo: b@y.example\nMessage-ID: <1@x>\n\nBody: x\n",
            "> Subject: =?utf-8?q?J=C3=BCrgen?= is here\n> From: a@x.example\n> To: b@y.example\n> Message-Id:\n>  <1@x>\n",
        ] {
            let read = Original::quoted(&PartText::plain(text, 1).lines());
            assert_eq!(read.subject.as_deref(), Some("Jürgen is here"));
            assert_eq!(
                (read.from.as_deref(), read.to.as_deref()),
                (Some("a@x.example"), Some("b@y.example"))
            );
            assert_eq!(read.message_id.as_deref(), Some("1@x"), "{text}");
        }
        assert!(Original::quoted(&[]).is_empty());
    }

    #[test]
    fn what_tells_whose_message_it_was_is_read() {
        let raw = b"Return-Path: <b+1@x.example>\nList-Id: Our news <news.x.example>\nFeedback-ID: 1:2:x\n\
            CFBL-Feedback-ID: 111:222\n\n";
        let read = Original::of(&Message::read(raw));
        assert_eq!(read.return_path.as_deref(), Some("b+1@x.example"));
        assert_eq!(read.list_id.as_deref(), Some("news.x.example"));
        assert_eq!(
            (read.feedback_id.as_deref(), read.cfbl_feedback_id.as_deref()),
            (Some("1:2:x"), Some("111:222"))
        );
    }
}
