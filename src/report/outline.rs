//! Which parts of a message are what: fields of a report, notice, the message that is reported on.
//!
//! Not here: what stands in them. Invariant: a message whose structure is broken is repaired once, never refused.

use super::complained_about;
use super::delivery_status::{DeliveryStatus, RecipientStatus};
use super::feedback::{Complainant, FeedbackReport};
use super::human_notice::HumanNotice;
use super::lines::{self, MAX_FIELDS, MAX_NOTICE, PartText};
use super::original::Original;
use super::quoted_reply::QuotedReply;
use super::{DeliveryAction, MAX_RECIPIENTS, Recipient, Report, ReportKind};
use crate::feedback_type::FeedbackType;
use crate::message::{Message, MimePart, headers};
use std::borrow::Cow;

/// Parts of one kind that are read, at most.
const MAX_PARTS: usize = 50;
/// A header of an enclosed message is read up to this many bytes.
const MAX_HEADER: usize = 256 * 1024;

/// The parts of a message by what they are for.
#[derive(Debug, Default)]
pub(crate) struct Outline<'m, 'a> {
    /// Fields of delivery status notifications.
    pub(crate) status: Vec<&'m MimePart<'a>>,
    /// Messages and headers of messages.
    messages: Vec<&'m MimePart<'a>>,
    feedback: Option<&'m MimePart<'a>>,
    plain: Vec<&'m MimePart<'a>>,
    html: Vec<&'m MimePart<'a>>,
    attached: Vec<&'m MimePart<'a>>,
    /// Whether the message says that it is a report on delivery.
    pub(crate) report: bool,
    /// Whether it says that it is a receipt of a reader (RFC 8098).
    pub(crate) receipt: bool,
}

impl<'m, 'a> Outline<'m, 'a> {
    /// Sorts the parts of a message.
    pub(crate) fn of(message: &'m Message<'a>) -> Outline<'m, 'a> {
        let top = message.content_type();
        let says = top.parameter("report-type").map(str::to_ascii_lowercase);
        let mut outline = Outline {
            report: top.kind == "multipart/report"
                && says.as_deref().is_none_or(|says| says.contains("delivery")),
            receipt: says.as_deref() == Some("disposition-notification"),
            ..Outline::default()
        };
        for part in message.parts() {
            let list = match part.content_type.kind.as_str() {
                "message/feedback-report" => {
                    outline.feedback.get_or_insert(part);
                    continue;
                }
                "message/disposition-notification" => {
                    outline.receipt = true;
                    continue;
                }
                kind if kind.ends_with("/delivery-status") || kind.ends_with("-delivery-status") => {
                    &mut outline.status
                }
                "message/rfc822"
                | "message/global"
                | "message/rfc822-headers"
                | "text/rfc822-headers"
                | "message/global-headers"
                | "text/rfc822" => &mut outline.messages,
                kind if kind.starts_with("text/") && part.attachment => &mut outline.attached,
                "text/html" => &mut outline.html,
                kind if kind.starts_with("text/") || kind.starts_with("multipart/") => &mut outline.plain,
                _ => continue,
            };
            if list.len() < MAX_PARTS {
                list.push(part);
            }
        }
        outline
    }

    /// The fields about each recipient.
    pub(crate) fn groups(&self, message: &Message<'a>) -> Vec<RecipientStatus> {
        let mut groups = Vec::new();
        for part in &self.status {
            groups.extend(
                DeliveryStatus::read(&PartText::of(part, message.raw(), MAX_FIELDS).lines()).recipients,
            );
        }
        groups.truncate(MAX_RECIPIENTS);
        groups
    }

    /// The text that people read: plain, or else HTML, or else what is attached. HTML adds nothing to fields that
    /// already have the reply.
    pub(crate) fn texts(&self, message: &Message<'a>, groups: &[RecipientStatus]) -> Vec<PartText<'a>> {
        let answered = |group: &RecipientStatus| {
            group.last.is_some() && QuotedReply::find(&group.diagnostic).code.is_some()
        };
        let complete = !groups.is_empty() && groups.iter().all(answered);
        let filled =
            |parts: &Vec<&'m MimePart<'a>>| parts.iter().any(|part| !part.body.trim_ascii().is_empty());
        let mut lists = [&self.plain, &self.html, &self.attached].into_iter();
        let list = lists.find(|list| filled(list)).filter(|_| !complete).unwrap_or(&self.plain);
        let mut room = MAX_NOTICE;
        let text = |part: &&MimePart<'a>| {
            let text = PartText::of(part, message.raw(), room);
            room -= part.body.len().min(room);
            text
        };
        list.iter().map(text).collect()
    }

    /// The complaint, if the message is one.
    pub(crate) fn complaint(&self, message: &Message<'a>) -> Option<Report> {
        let header = self.messages.first().map(|part| content(part));
        let enclosed = header.as_ref().map(|header| Message::read(&header[..header.len().min(MAX_HEADER)]));
        let bare = self.status.is_empty() && enclosed.as_ref().is_some_and(complained_about::is_jmrp);
        let mut complaint = match self.feedback {
            Some(part) => FeedbackReport::read(&PartText::of(part, message.raw(), MAX_FIELDS).lines()),
            None if bare => FeedbackReport::read(&[]),
            None => return None,
        };
        if bare && self.feedback.is_none() {
            complaint.feedback.kind = FeedbackType::Abuse;
        }
        if complaint.complainants.is_empty() {
            let found = enclosed.as_ref().and_then(complained_about::recipient_in);
            complaint.feedback.derived = found.is_some();
            let line = self.messages.first().map_or(1, |part| lines::number_of(message.raw(), part.body));
            complaint.complainants.extend(found.map(|address| Complainant { address, line }));
        }
        let recipient = |Complainant { address, line }| Recipient {
            address,
            action: DeliveryAction::Delivered,
            reader: if complaint.feedback.derived { "original-header" } else { "feedback-report" },
            line,
            ..Recipient::default()
        };
        Some(Report {
            kind: ReportKind::FeedbackReport,
            recipients: complaint.complainants.into_iter().map(recipient).collect(),
            original: enclosed.as_ref().map(Original::of).unwrap_or_default(),
            feedback: Some(complaint.feedback),
        })
    }

    /// The message that is reported on: enclosed, attached, or repeated in the text.
    pub(crate) fn original(&self, notice: &HumanNotice<'_>) -> Original {
        let enclosed = self.messages.iter().chain(&self.attached).map(|part| {
            let content = content(part);
            Original::of(&Message::read(&content[..content.len().min(MAX_HEADER)]))
        });
        let enclosed = enclosed.into_iter().find(|original| !original.is_empty()).unwrap_or_default();
        let quoted =
            if enclosed.is_empty() { Original::quoted(notice.original()) } else { Original::default() };
        let found = enclosed.or(quoted);
        if found.is_empty() { Original::quoted(notice.own()) } else { found }
    }

    /// Whether a message is enclosed.
    pub(crate) fn encloses(&self) -> bool {
        !self.messages.is_empty()
    }

    /// The enclosed messages, and the lines where they start.
    pub(crate) fn enclosed(&self, message: &Message<'a>) -> impl Iterator<Item = (Cow<'a, [u8]>, u32)> {
        self.messages.iter().take(3).map(|part| (content(part), lines::number_of(message.raw(), part.body)))
    }
}

fn content<'a>(part: &MimePart<'a>) -> Cow<'a, [u8]> {
    part.content().0
}

/// A message whose lines end with CR alone, with line ends; `None` if they end with LF.
pub(crate) fn with_line_ends(raw: &[u8]) -> Option<Vec<u8>> {
    let start = &raw[..raw.len().min(64 * 1024)];
    let bare = start.contains(&b'\r') && !start.contains(&b'\n');
    bare.then(|| raw.iter().map(|&byte| if byte == b'\r' { b'\n' } else { byte }).collect())
}

/// Whether bytes start with a name; case does not count.
fn starts_with(bytes: &[u8], name: &[u8]) -> bool {
    bytes.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// A message that has lost the fields by which it is a multipart, with such a field: its body begins with a delimiter,
/// and one has a Content-Type after it.
pub(crate) fn with_header(message: &Message<'_>) -> Option<Vec<u8>> {
    const MAX_LINES: usize = 400;
    if message.parts().len() > 1 {
        return None;
    }
    let body = message.body();
    let mut at = 0;
    for _ in 0..MAX_LINES {
        if at >= body.len() {
            break;
        }
        let end = headers::line_end(body, at);
        let line = headers::without_line_end(&body[at..end]).trim_ascii_end();
        let next = &body[end..];
        if [&b"received:"[..], b"return-path:", b"dkim-signature:"].iter().any(|name| starts_with(line, name))
        {
            break;
        }
        let delimits = line.len() > 8 && line.len() < 78 && line.starts_with(b"--");
        if delimits && starts_with(next, b"content-") {
            let boundary = String::from_utf8_lossy(&line[2..]).replace(['"', '\\'], "");
            let field = format!("Content-Type: multipart/report; boundary=\"{boundary}\"\n");
            let kept: Vec<&[u8]> = message
                .raw_fields()
                .iter()
                .filter(|field| !field.is("Content-Type"))
                .map(|field| field.whole)
                .collect();
            return Some([&kept.concat(), field.as_bytes(), b"\n", body].concat());
        }
        at = end;
    }
    None
}
