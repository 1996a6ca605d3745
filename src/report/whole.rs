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
use super::mailbox;
use super::original;
use super::other_report;
use super::outline::Outline;
use super::personal_letter::only_hands_on;
use super::postmaster_notice;
use super::repair;
use super::reported::{Recipient, Report, ReportKind};
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
    if postmaster_notice::is_one(message) {
        return Report::default();
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
    if statuses.is_empty() && other_report::is_one(message) {
        return Report { original, ..Report::default() };
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
    let reported_to = message.addresses("To").into_iter().next().filter(|_| bounce);
    Report { kind, recipients, original, reported_to, ..Report::default() }
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

/// The header of the message that a report itself encloses.
pub(crate) fn returned_header(message: &Message<'_>) -> Option<Vec<u8>> {
    let repaired = repair::with_line_ends(message.raw());
    let message = &repaired.as_deref().map_or_else(|| Message::read(message.raw()), Message::read);
    Outline::of(message).returned_header()
}

/// Whether a person hands on a whole report without a word of their own, and no list or ticket
/// system does: what people write about reports, and digests, are ordinary mail.
fn forwards(message: &Message<'_>, notice: &HumanNotice<'_>) -> bool {
    !writer::is_handed_on(message) && only_hands_on(notice.written())
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
    // Whoever reads this gets mail, whatever bounced before.
    let addressees = message.addresses("To");
    let is_alive = |one: &Recipient| addressees.iter().any(|to| mailbox::same(to, &one.address));
    let read_inside = |raw: &[u8]| {
        let mut report = read(&Message::read(raw), depth + 1);
        if report.kind == ReportKind::DeliveryStatus {
            report.recipients.retain(|one| !is_alive(one));
        }
        report
    };
    let mut enclosed = outline.enclosed(message).map(|(raw, line)| read_inside(&raw).shifted(line));
    let reports = |report: &Report| report.kind == ReportKind::FeedbackReport || report.names_recipients();
    enclosed.find(reports).or_else(|| {
        let raw = notice.quoted_message()?;
        let report = read_inside(raw.as_bytes());
        let first = notice.original().first().map_or(1, |line| line.number);
        report.names_recipients().then(|| report.shifted(first))
    })
}
