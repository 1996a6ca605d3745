//! What a message reports about another one: a bounce, a complaint, an automatic reply, a challenge.
//!
//! Not here: what a reason means; that is a policy's to say, by the text, the codes and the command found here.
//! Invariant: reading never fails, takes linear time and looks at shapes, not at who sent the message.

mod absence;
pub(crate) mod automatic_reply;
mod challenge;
mod complained_about;
mod daemons;
pub(crate) mod delivery_status;
mod entries;
mod evidence;
pub(crate) mod feedback;
mod fields;
mod fold;
mod human_notice;
mod lines;
mod list_entry;
mod mailbox;
mod mention;
mod mentions;
pub(crate) mod multipart;
mod one_recipient;
mod original;
mod original_start;
mod outline;
mod phrases;
mod quoted_reply;
mod recipients;
#[cfg(test)]
mod round_trips;
mod sentences;
mod ses_notification;
mod speakers;
mod tidied;
mod transcript;

pub(crate) use feedback::Feedback;
pub(crate) use original::Original;

use crate::feedback_type::FeedbackType;
use crate::message::{Message, mbox};
use crate::smtp_reply::EnhancedStatus;
use automatic_reply::{AutoReplyKind, AutomaticReply};
use evidence::Evidence;
use human_notice::HumanNotice;
use outline::Outline;
use quoted_reply::{QuotedReply, better_status};
use serde::Serialize;

/// Recipients that are listed, at most.
const MAX_RECIPIENTS: usize = 10_000;
/// Messages of one mbox that are read.
const MAX_MESSAGES: usize = 1_000;
/// Messages in messages are opened down to this depth.
const MAX_DEPTH: usize = 3;

/// What a message reports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// What kind of report it is.
    pub(crate) kind: ReportKind,
    /// Whom it is about; at most 10,000.
    pub(crate) recipients: Vec<Recipient>,
    /// The complaint, if it is one.
    pub(crate) feedback: Option<Feedback>,
    /// The message it is about.
    pub(crate) original: Original,
}

/// Kinds of reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReportKind {
    /// What became of a message: a bounce, a delay, a receipt; by RFC 3464 or in any older form.
    DeliveryStatus,
    /// A complaint (RFC 5965).
    FeedbackReport,
    /// An automatic reply (RFC 3834).
    AutoReply,
    /// A filter asks the sender to prove something.
    Challenge,
    /// No report.
    #[default]
    Other,
}

/// What became of a message for one recipient (RFC 3464 section 2.3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeliveryAction {
    /// It was given up.
    #[default]
    Failed,
    /// It is still tried: no bounce.
    Delayed,
    /// It is in the mailbox.
    Delivered,
    /// It went to a server that sends no reports.
    Relayed,
    /// It went to several addresses.
    Expanded,
}

impl DeliveryAction {
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

/// A recipient that a report is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Recipient {
    /// The address it was last tried under.
    pub(crate) address: String,
    /// The address it was sent to, where that is another one.
    pub(crate) original: Option<String>,
    /// What became of it.
    pub(crate) action: DeliveryAction,
    /// The enhanced status code (RFC 3463): of the reply itself, if it has one.
    pub(crate) status: Option<EnhancedStatus>,
    /// The reply code (RFC 5321).
    pub(crate) reply_code: Option<u16>,
    /// The reply, or what else was said, as one line.
    pub(crate) diagnostic: String,
    /// The server that said it.
    pub(crate) remote_mta: Option<String>,
    /// The SMTP command that it answered: `RCPT`, `DATA`, `MAIL`, `EHLO`, `HELO`, `CONN`, …; empty if nobody says.
    pub(crate) stage: &'static str,
    /// Which reader found it.
    pub(crate) reader: &'static str,
    /// The line of the message where it stands; in an encoded part, where that part starts.
    pub(crate) line: u32,
}

/// Reads what a message reports.
pub(crate) fn read(message: &Message<'_>) -> Report {
    nested(message, 0)
}

/// Reads a file: one message, or a mailbox (RFC 4155) whose messages report together. The first that is a report
/// gives its kind.
pub(crate) fn read_file(raw: &[u8]) -> Report {
    let mut merged = Report::default();
    let mut first = 1;
    for raw in messages(raw) {
        let report = shifted(read(&Message::read(raw)), first);
        first = lines::count(raw).saturating_add(first);
        if merged.kind == ReportKind::Other {
            merged = Report { recipients: merged.recipients, ..report.clone() };
        }
        let room = MAX_RECIPIENTS - merged.recipients.len().min(MAX_RECIPIENTS);
        merged.recipients.extend(report.recipients.into_iter().take(room));
    }
    merged
}

/// The messages of an mbox, each with its `From ` line, or the only one.
fn messages(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut parts = if mbox::is_mbox(raw) { mbox::split(raw) } else { Vec::new() };
    parts.truncate(MAX_MESSAGES);
    let only = if parts.is_empty() { Some(raw) } else { None };
    parts.into_iter().map(|part| &raw[part.from_line.start..part.message.end]).chain(only)
}

/// Reads a message that stands in `depth` others, once more if it had to be repaired.
fn nested(message: &Message<'_>, depth: usize) -> Report {
    if let Some(raw) = outline::with_line_ends(message.raw()) {
        return repaired(&Message::read(&raw), depth);
    }
    repaired(message, depth)
}

/// Reads a message whose lines end as they should.
fn repaired(message: &Message<'_>, depth: usize) -> Report {
    let Some(raw) = outline::with_header(message) else { return whole(message, depth) };
    let mut report = whole(&Message::read(&raw), depth);
    report.recipients.iter_mut().for_each(|recipient| recipient.line = 0);
    report
}

/// Reads a message whose structure is as good as it gets.
fn whole(message: &Message<'_>, depth: usize) -> Report {
    let outline = Outline::of(message);
    if let Some(report) = outline.complaint(message) {
        return report;
    }
    let groups = outline.groups(message);
    let texts = outline.texts(message, &groups);
    if let Some(report) = texts.first().and_then(|text| ses_notification::read(text.whole())).map(told) {
        return report;
    }
    let mut lines = Vec::new();
    for text in &texts {
        lines.extend(text.lines());
    }
    let notice = HumanNotice::read(lines);
    let original = outline.original(&notice);
    let evidence = Evidence::of(message, &outline, groups, &notice);
    let answer = if evidence.is_certain() { None } else { AutomaticReply::read(message, &notice) };
    if let Some(answer) = answer.filter(|_| !evidence.outweighs_reply()) {
        return answered(answer, original);
    }
    let recipients = evidence.recipients();
    if recipients.is_empty() && depth < MAX_DEPTH {
        let inner = outline
            .enclosed(message)
            .map(|(raw, line)| shifted(nested(&Message::read(&raw), depth + 1), line));
        let report = inner.into_iter().find(|report| {
            matches!(report.kind, ReportKind::FeedbackReport)
                || !report.recipients.is_empty() && report.kind == ReportKind::DeliveryStatus
        });
        let quoted = || {
            let raw = notice.quoted_message()?;
            let report = nested(&Message::read(raw.as_bytes()), depth + 1);
            let first = notice.original().first().map_or(1, |line| line.number);
            (report.kind == ReportKind::DeliveryStatus && !report.recipients.is_empty())
                .then(|| shifted(report, first))
        };
        if let Some(report) = report.or_else(quoted) {
            return report;
        }
    }
    let kind = if recipients.is_empty() && !evidence.is_anonymous_bounce() {
        ReportKind::Other
    } else {
        ReportKind::DeliveryStatus
    };
    Report { kind, recipients, feedback: None, original }
}

/// The report of an enclosed message, with lines counted in the outer one.
fn shifted(mut report: Report, first: u32) -> Report {
    for recipient in report.recipients.iter_mut().filter(|recipient| recipient.line > 0) {
        recipient.line = recipient.line.saturating_add(first).saturating_sub(1);
    }
    report
}

/// The report that an automatic reply is.
fn answered(reply: AutomaticReply, original: Original) -> Report {
    let kind = match reply.kind {
        AutoReplyKind::Challenge => ReportKind::Challenge,
        AutoReplyKind::Absence | AutoReplyKind::Receipt => ReportKind::AutoReply,
    };
    let diagnostic = reply.said();
    let replier = reply.from.filter(|_| reply.kind != AutoReplyKind::Receipt);
    let recipient = |address| Recipient {
        address,
        action: DeliveryAction::Delivered,
        diagnostic,
        reader: "auto-reply",
        line: 1,
        ..Recipient::default()
    };
    let original = original.or(Original { message_id: reply.in_reply_to, ..Original::default() });
    Report { kind, recipients: replier.map(recipient).into_iter().collect(), feedback: None, original }
}

/// The report that a notification in JSON is.
fn told(notification: ses_notification::SesNotification) -> Report {
    let complaint = notification.complaint.map(|kind| Feedback {
        kind: FeedbackType::named(&kind),
        incidents: 1,
        ..Feedback::default()
    });
    let recipients = notification.recipients.into_iter().map(|told| {
        let reply = QuotedReply::find(&told.diagnostic);
        Recipient {
            address: told.address,
            action: told.action,
            status: better_status(told.status, reply.status),
            reply_code: reply.code,
            diagnostic: told.diagnostic,
            reader: "notification",
            line: 1,
            ..Recipient::default()
        }
    });
    Report {
        kind: if complaint.is_some() { ReportKind::FeedbackReport } else { ReportKind::DeliveryStatus },
        recipients: recipients.collect(),
        feedback: complaint,
        original: notification.original,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const SAMPLES: [&[u8]; 8] = [
        include_bytes!("../../tests/reports/postfix-text.eml"),
        include_bytes!("../../tests/reports/postfix-dsn.eml"),
        include_bytes!("../../tests/reports/sendmail.eml"),
        include_bytes!("../../tests/reports/chinese.eml"),
        include_bytes!("../../tests/reports/outlook-html.eml"),
        include_bytes!("../../tests/reports/forwarded.eml"),
        include_bytes!("../../tests/reports/arf-abuse.eml"),
        include_bytes!("../../tests/reports/broken-mime.eml"),
    ];

    fn of(raw: &[u8]) -> Report {
        read(&Message::read(raw))
    }

    #[test]
    fn a_recipient_tells_where_it_was_found() {
        let report = of(SAMPLES[1]);
        let recipient = &report.recipients[0];
        assert_eq!((recipient.reader, recipient.line, recipient.stage), ("delivery-status", 26, "DATA"));
        assert_eq!(recipient.diagnostic, "550-5.7.1 The content was refused by our filter");
        assert_eq!(report.original.message_id.as_deref(), Some("spring.1@sender.example.com"));
        assert_eq!(report.original.to.as_deref(), Some("reader@rcpt.example.org"));
    }

    #[test]
    fn lines_of_an_enclosed_report_are_those_of_the_message() {
        let report = of(SAMPLES[5]);
        let line = String::from_utf8_lossy(SAMPLES[5])
            .lines()
            .position(|line| line.starts_with("Final-Recipient"))
            .unwrap();
        assert_eq!(report.recipients[0].line as usize, line + 1);
    }

    #[test]
    fn a_mailbox_reports_together() {
        let mailbox = [b"From a Tue\n", SAMPLES[0], b"\n\nFrom b Tue\n", SAMPLES[1]].concat();
        assert_eq!(read_file(&mailbox).recipients.len(), 3);
        assert_eq!(read_file(SAMPLES[1]), of(SAMPLES[1]));
    }

    #[test]
    fn mutated_reports_never_panic_and_never_take_long() {
        let mut random = fastrand::Rng::with_seed(3464);
        let end = Instant::now() + Duration::from_millis(700);
        while Instant::now() < end {
            let mut raw = random.choice(SAMPLES).unwrap_or_default().to_vec();
            for _ in 0..random.usize(1..30) {
                let at = random.usize(..raw.len());
                match random.u8(..5) {
                    0 => raw[at] = random.u8(..),
                    1 => raw[at] = random.choice(b"\r\n:;=?\"<>()[]\\ \0-@,").copied().unwrap_or(0),
                    2 => raw.truncate(at.max(1)),
                    3 => raw.retain(|&byte| byte != b'\n'),
                    _ => raw.extend_from_within(at..),
                }
                raw.truncate(100_000);
                raw.push(b'.');
            }
            let started = Instant::now();
            for recipient in of(&raw).recipients {
                assert!(recipient.address.contains('@') && recipient.address.len() < 400);
            }
            assert!(started.elapsed() < Duration::from_secs(1));
        }
    }

    #[test]
    fn ten_megabytes_of_anything_are_read_in_bounded_time() {
        let head = "From: MAILER-DAEMON@x.example\r\nSubject: failure\r\n";
        let status = "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n";
        for line in [
            "<a@x.example>: not delivered\r\n",
            "Final-Recipient: rfc822;a@x.example\r\nAction: failed\r\n\r\n",
            "@",
            "\"@",
            "<",
            "550 5.7.1 ",
            "original message\r\n",
            "\r",
            ">>> RCPT TO:<a@x>\r\n<<< 550 no\r\n",
            "undeliverable to a@x.example ",
            "Recipient: <a@x.example>\r\n",
            "Received: x\r\n",
            "--aaaaaaaaaaaa\r\n",
        ] {
            for kind in ["", status, "Content-Type: text/html\r\n"] {
                let raw = format!("{head}{kind}\r\n<br>\r\n{}", line.repeat(10_000_000 / line.len()));
                let started = Instant::now();
                assert!(of(raw.as_bytes()).recipients.len() <= MAX_RECIPIENTS);
                let limit = if cfg!(debug_assertions) { 10 } else { 1 };
                assert!(started.elapsed() < Duration::from_secs(limit), "{line:?} {:?}", started.elapsed());
            }
        }
    }
}
