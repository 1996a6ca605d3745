//! One message, read from the outside in: repaired, taken apart, and understood by the first reader
//! that knows its form.
//!
//! Not here: the readers. Invariant: a message in a message is opened only if the outer one names
//! nobody, and only to a bounded depth.

use super::automatic_reply::AutomaticReply;
use super::evidence::Evidence;
use super::failure_report;
use super::human_notice::HumanNotice;
use super::lines::{NumberedLine, PartText};
use super::original;
use super::outline::Outline;
use super::own_words::OwnWords;
use super::personal_letter::talks;
use super::repair;
use super::reported::{Report, ReportKind};
use super::ses_notification;
use super::unsubscribe;
use super::writer;
use crate::message::Message;

/// Messages in messages are opened down to this depth.
const MAX_DEPTH: usize = 3;

/// Reads a message that is inside `depth` others. A broken one is repaired and read again.
pub(crate) fn read(message: &Message<'_>, depth: usize) -> Report {
    if let Some(raw) = repair::without_mark(message.raw()) {
        return with_header(&Message::read(raw), depth);
    }
    match repair::with_line_ends(message.raw()) {
        Some(raw) => with_header(&Message::read(&raw), depth),
        None => with_header(message, depth),
    }
}

fn with_header(message: &Message<'_>, depth: usize) -> Report {
    let Some(raw) = repair::with_header(message) else { return understood(message, depth) };
    let mut report = understood(&Message::read(&raw), depth);
    report.recipients.iter_mut().for_each(|recipient| recipient.line = 0);
    report
}

fn understood(message: &Message<'_>, depth: usize) -> Report {
    let outline = Outline::of(message);
    if let Some(report) = outline.complaint(message) {
        return report;
    }
    let statuses = outline.statuses(message);
    let texts = outline.texts(message, &statuses);
    if let Some(report) = texts.first().and_then(|text| ses_notification::read(text.whole())) {
        return report;
    }
    let notice = HumanNotice::read(lines_of(&texts));
    let original = outline.original(&notice);
    if statuses.is_empty()
        && let Some(report) = failure_report::read(message, &notice, &original)
    {
        return report;
    }
    let evidence = Evidence::of(message, &outline, statuses, &notice);
    if evidence.is_quarantine_digest() {
        return Report { original, ..Report::default() };
    }
    if !evidence.is_certain()
        && let Some(request) = unsubscribe::read(message, &notice)
    {
        return request;
    }
    if !evidence.is_certain()
        && !outline.receipt
        && let Some(reply) = AutomaticReply::read(message, &notice)
        && !evidence.outweighs_reply()
    {
        return reply.report(original);
    }
    let recipients = evidence.recipients();
    let handed_on = !evidence.is_of_person() || forwards(message, &notice);
    if recipients.is_empty()
        && handed_on
        && let Some(report) = inner(message, &outline, &notice, depth)
    {
        return report;
    }
    let bounce = !recipients.is_empty() || evidence.is_anonymous_bounce();
    let kind = if bounce { ReportKind::DeliveryStatus } else { ReportKind::Other };
    Report { kind, recipients, original, ..Report::default() }
}

/// The lines of all texts.
fn lines_of<'t>(texts: &'t [PartText<'_>]) -> Vec<NumberedLine<'t>> {
    let mut texts = texts.iter().map(PartText::lines);
    let mut lines = texts.next().unwrap_or_default();
    lines.extend(texts.flatten());
    lines
}

/// The first field of this name in the header of the message that a report is about: enclosed, in
/// an enclosed report, or repeated in the text.
pub(crate) fn original_header(message: &Message<'_>, name: &str, depth: usize) -> Option<String> {
    let repaired = repair::with_line_ends(message.raw());
    let message = &repaired.as_deref().map_or_else(|| Message::read(message.raw()), Message::read);
    let outline = Outline::of(message);
    let in_enclosed = || {
        let mut enclosed = outline.enclosed(message).filter(|_| depth < MAX_DEPTH);
        enclosed.find_map(|(raw, _)| original_header(&Message::read(&raw), name, depth + 1))
    };
    let in_text = || {
        let texts = outline.texts(message, &[]);
        let notice = HumanNotice::read(lines_of(&texts));
        let fields = original::quoted_fields(notice.original(), &[name]);
        Message::read(fields.as_bytes()).header(name).filter(|value| !value.is_empty())
    };
    outline.original_header(name).or_else(in_enclosed).or_else(in_text)
}

/// Whether a person hands on a whole report with hardly a word and asks nothing, and no list or
/// ticket system does: what people write about reports, and digests, are ordinary mail.
fn forwards(message: &Message<'_>, notice: &HumanNotice<'_>) -> bool {
    let written = notice.written();
    !writer::is_handed_on(message) && written.text.len() <= OwnWords::MAX_REMARK && !talks(written)
}

/// The report in an enclosed or quoted message.
fn inner<'a>(
    message: &Message<'a>,
    outline: &Outline<'_, 'a>,
    notice: &HumanNotice<'_>,
    depth: usize,
) -> Option<Report> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let mut enclosed =
        outline.enclosed(message).map(|(raw, line)| read(&Message::read(&raw), depth + 1).shifted(line));
    let reports = |report: &Report| report.kind == ReportKind::FeedbackReport || report.names_recipients();
    enclosed.find(reports).or_else(|| {
        let raw = notice.quoted_message()?;
        let report = read(&Message::read(raw.as_bytes()), depth + 1);
        let first = notice.original().first().map_or(1, |line| line.number);
        report.names_recipients().then(|| report.shifted(first))
    })
}
