//! Which parts of a message are what: fields of a report, text for people, the message that is
//! reported on.
//!
//! Not here: what they say. Invariant: the number of parts that are read, and their size, are
//! bounded.

use super::MAX_RECIPIENTS;
use super::complained_about::{self, OwnAddresses};
use super::delivery_status::{DeliveryStatus, RecipientStatus};
use super::feedback::{Complainant, FeedbackReport};
use super::human_notice::HumanNotice;
use super::lines::{self, MAX_FIELDS, MAX_NOTICE, NumberedLine, PartText};
use super::original::{self, Original};
use super::quoted_reply::QuotedReply;
use super::reported::{DeliveryAction, Recipient, Report, ReportKind};
use crate::feedback_type::FeedbackType;
use crate::message::{Message, MimePart};
use std::borrow::Cow;

/// Parts of one kind that are read, at most.
const MAX_PARTS: usize = 50;
/// Enclosed messages that are searched for a report, at most.
const MAX_ENCLOSED: usize = 3;
/// Recipients of an original that are kept, at most.
const MAX_ADDRESSEES: usize = 200;
/// A header of an enclosed message is read up to this many bytes.
const MAX_HEADER: usize = 256 * 1024;

/// The parts of a message by what they are for.
#[derive(Debug, Default)]
pub(crate) struct Outline<'m, 'a> {
    /// Fields of delivery status notifications.
    status: Vec<&'m MimePart<'a>>,
    /// Messages and headers of messages.
    messages: Vec<&'m MimePart<'a>>,
    feedback: Option<&'m MimePart<'a>>,
    plain: Vec<&'m MimePart<'a>>,
    html: Vec<&'m MimePart<'a>>,
    attached: Vec<&'m MimePart<'a>>,
    /// The message says that it is a report on delivery.
    pub(crate) report: bool,
    /// It says that it is a complaint.
    complaint: bool,
    /// It says that it is a receipt of a reader (RFC 8098).
    pub(crate) receipt: bool,
}

impl<'m, 'a> Outline<'m, 'a> {
    pub(crate) fn of(message: &'m Message<'a>) -> Outline<'m, 'a> {
        let top = message.content_type();
        let says = top.parameter("report-type").map(str::to_ascii_lowercase);
        let mut outline = Outline {
            report: top.kind == "multipart/report"
                && says.as_deref().is_none_or(|says| says.contains("delivery")),
            complaint: says.as_deref() == Some("feedback-report"),
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
        // Without a type it may be a report on anything.
        outline.report &= says.is_some() || !outline.status.is_empty() || !outline.messages.is_empty();
        outline
    }

    /// The fields about each recipient.
    pub(crate) fn statuses(&self, message: &Message<'a>) -> Vec<RecipientStatus> {
        let text = |part: &&MimePart<'a>| PartText::of(part, message.raw(), MAX_FIELDS);
        let read = |text: PartText<'a>| DeliveryStatus::read(&text.field_lines()).recipients;
        self.status.iter().map(text).flat_map(read).take(MAX_RECIPIENTS).collect()
    }

    /// The text for people: plain, or else HTML, or else what is attached. HTML adds nothing to
    /// fields that already have the reply. A part for fields that has none may hold the text.
    pub(crate) fn texts(&self, message: &Message<'a>, statuses: &[RecipientStatus]) -> Vec<PartText<'a>> {
        let answered = |status: &RecipientStatus| {
            status.last.is_some() && QuotedReply::find(&status.diagnostic).code.is_some()
        };
        let complete = !statuses.is_empty() && statuses.iter().all(answered);
        let filled =
            |parts: &Vec<&'m MimePart<'a>>| parts.iter().any(|part| !part.body.trim_ascii().is_empty());
        let mut lists = [&self.plain, &self.html, &self.attached].into_iter();
        let list = lists.find(|list| filled(list)).filter(|_| !complete).unwrap_or(&self.plain);
        let unread = self.status.iter().filter(|_| statuses.is_empty());
        let mut room = MAX_NOTICE;
        let text = |part: &&MimePart<'a>| {
            let text = PartText::of(part, message.raw(), room);
            room -= part.body.len().min(room);
            text
        };
        list.iter().chain(unread).map(text).collect()
    }

    /// The complaint, if the message is one.
    pub(crate) fn complaint(&self, message: &Message<'a>) -> Option<Report> {
        let content = self.messages.first().map(|part| header_of(part));
        let enclosed = content.as_ref().map(|content| Message::read(content));
        let is_jmrp = || self.status.is_empty() && enclosed.as_ref().is_some_and(complained_about::is_jmrp);
        let fields = self.feedback.or_else(|| self.complaint.then(|| self.fields_in_text(message)).flatten());
        let mut complaint = match fields {
            Some(part) => FeedbackReport::read(&PartText::of(part, message.raw(), MAX_FIELDS).lines()),
            None if is_jmrp() => FeedbackReport::of_abuse(),
            None => return None,
        };
        if complaint.complainants.is_empty() {
            let line = self.messages.first().map_or(1, |part| lines::number_of(message.raw(), part.body));
            let found = enclosed
                .as_ref()
                .and_then(|enclosed| complained_about::recipient_in(enclosed, message, line));
            complaint.feedback.derived = found.is_some();
            complaint.complainants.extend(found);
        }
        let own = OwnAddresses::of(message, enclosed.as_ref());
        // A report on authentication names the victim of a forgery: nobody complains.
        let complains = complaint.feedback.kind != FeedbackType::AuthFailure;
        let recipient = |Complainant { address, line, named }| Recipient {
            named: Some(named && complains && !own.has(&address)),
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
            ..Report::default()
        })
    }

    /// The fields of a complaint in a part that does not say so.
    fn fields_in_text(&self, message: &Message<'a>) -> Option<&'m MimePart<'a>> {
        let starts = |line: &NumberedLine<'_>| {
            let name = line.trimmed().split(':').next().unwrap_or_default();
            name.eq_ignore_ascii_case("Feedback-Type")
        };
        let has =
            |part: &&&MimePart<'a>| PartText::of(part, message.raw(), MAX_FIELDS).lines().iter().any(starts);
        self.plain.iter().chain(&self.attached).find(has).copied()
    }

    /// The message that is reported on: enclosed, attached, or repeated in the text.
    pub(crate) fn original(&self, notice: &HumanNotice<'_>) -> Original {
        let enclosed = self.messages.iter().chain(&self.attached);
        let mut enclosed = enclosed.map(|part| Original::of(&Message::read(&header_of(part))));
        let known = |original: &Original| !original.is_empty();
        enclosed
            .find(known)
            .or_else(|| Some(Original::quoted(notice.original())).filter(known))
            .unwrap_or_else(|| Original::quoted(&notice.as_sent))
    }

    /// To whom the message went that is reported on, as far as its header shows.
    pub(crate) fn addressees(&self, notice: &HumanNotice<'_>) -> Vec<String> {
        const FIELDS: [&str; 4] = ["To", "Cc", "Delivered-To", "X-Original-To"];
        let of = |message: &Message<'_>| -> Vec<String> {
            FIELDS.iter().flat_map(|name| message.addresses(name)).take(MAX_ADDRESSEES).collect()
        };
        let enclosed = self.messages.first().map(|part| of(&Message::read(&header_of(part))));
        let quoted = || of(&Message::read(original::quoted_fields(notice.original(), &FIELDS).as_bytes()));
        enclosed.filter(|addressees| !addressees.is_empty()).unwrap_or_else(quoted)
    }

    /// The first field of this name in the header of an enclosed message.
    pub(crate) fn original_header(&self, name: &str) -> Option<String> {
        let enclosed = self.messages.iter().take(MAX_ENCLOSED);
        enclosed
            .filter_map(|part| Message::read(&header_of(part)).header(name))
            .find(|value| !value.is_empty())
    }

    /// The header section of the first enclosed message.
    pub(crate) fn returned_header(&self) -> Option<Vec<u8>> {
        let header = header_of(self.messages.first()?);
        Some(Message::read(&header).header_block().to_vec())
    }

    /// Whether a message is enclosed.
    pub(crate) fn encloses(&self) -> bool {
        !self.messages.is_empty()
    }

    /// The enclosed messages, and the lines where they start.
    pub(crate) fn enclosed(&self, message: &Message<'a>) -> impl Iterator<Item = (Cow<'a, [u8]>, u32)> {
        let enclosed = self.messages.iter().take(MAX_ENCLOSED);
        enclosed.map(|part| (part.content().0, lines::number_of(message.raw(), part.body)))
    }
}

/// As much of an enclosed message as its header may have.
fn header_of<'a>(part: &MimePart<'a>) -> Cow<'a, [u8]> {
    match part.content().0 {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..bytes.len().min(MAX_HEADER)]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(MAX_HEADER);
            Cow::Owned(bytes)
        }
    }
}
