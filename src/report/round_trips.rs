//! What carom writes reads back equal; what it reads from real reports, and writes again, reads
//! equal.

use super::automatic_reply::{AutoReplyKind, AutomaticReply};
use super::delivery_status::{DeliveryStatus, RecipientStatus};
use super::feedback::{Complainant, Feedback, FeedbackReport};
use super::human_notice::HumanNotice;
use super::lines::{MAX_FIELDS, PartText};
use super::multipart::Multipart;
use super::{DeliveryAction, ReportKind};
use crate::feedback_type::FeedbackType;
use crate::message::Message;
use crate::message::draft::{Draft, Postmark};
use crate::smtp_reply::EnhancedStatus;
use std::fs;

/// The reports that tests/reports has.
fn fixtures() -> Vec<(String, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reports");
    let messages = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let messages = messages.filter(|path| path.extension().is_some_and(|ending| ending == "eml"));
    messages.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// The text of each part of this type.
fn parts(message: &Message<'_>, kind: &str) -> Vec<String> {
    let parts = message.parts().iter().filter(|part| part.content_type.kind == kind);
    parts.map(|part| PartText::of(part, message.raw(), MAX_FIELDS).whole().to_owned()).collect()
}

/// Without what depends on the message that it was read from: the lines, and whether its field was
/// only the address.
fn unplaced(mut status: DeliveryStatus) -> DeliveryStatus {
    status.recipients.iter_mut().for_each(|recipient| (recipient.line, recipient.is_literal) = (0, false));
    status
}

fn read_status(text: &str) -> DeliveryStatus {
    unplaced(DeliveryStatus::read(&PartText::plain(text, 1).lines()))
}

fn read_feedback(text: &str) -> FeedbackReport {
    let mut report = FeedbackReport::read(&PartText::plain(text, 1).lines());
    report.complainants.iter_mut().for_each(|complainant| complainant.line = 0);
    report
}

fn read_reply(mail: &[u8]) -> Option<AutomaticReply> {
    let message = Message::read(mail);
    let text = message.text(MAX_FIELDS).unwrap_or_default();
    let text = PartText::plain(&text, 1);
    AutomaticReply::read(&message, &HumanNotice::read(text.lines()))
}

fn postmark() -> Postmark {
    Postmark::new(&[b"1"], 1_795_000_000_000)
}

#[test]
fn a_bounce_that_is_written_reads_back_equal() {
    let recipient = |last: &str| RecipientStatus {
        last: Some(last.to_owned()),
        original: Some("jürgen+list@grün.example".to_owned()),
        action: Some(DeliveryAction::Failed),
        status: Some(EnhancedStatus::new(5, 7, 26)),
        remote_mta: Some("mx.example".to_owned()),
        diagnostic: "550 5.7.26 nicht zulässig (see; this)".to_owned(),
        last_attempt: Some("Sat, 28 Nov 2026 08:00:00 +0000".to_owned()),
        ..RecipientStatus::default()
    };
    let status = DeliveryStatus {
        envelope_id: Some("QQ314159".to_owned()),
        reporting_mta: Some("here.example".to_owned()),
        received_from: Some("[192.0.2.1]".to_owned()),
        arrival_date: Some("Sat, 28 Nov 2026 08:00:00 +0000".to_owned()),
        recipients: vec![recipient("a@x.example"), recipient("\"b c\"@x.example")],
    };
    assert_eq!(read_status(status.written().as_str()), status);

    let mail = Multipart {
        kind: "delivery-status",
        text: "It failed.",
        fields: &status.written(),
        original: &Message::read(b"Message-ID: <1@x.example>\r\nSubject: \xff\r\n\r\nbody\r\n"),
        max_original: 1_000,
    }
    .written(Draft::answer("<a@x.example>", "b@x.example", "failed", "here.example", &postmark()));
    let report = super::read(&Message::read(&mail));
    assert_eq!((report.kind, report.recipients.len()), (ReportKind::DeliveryStatus, 2));
    assert_eq!(report.recipients[0].diagnostic, status.recipients[0].diagnostic);
    assert_eq!(report.original.message_id.as_deref(), Some("1@x.example"));
}

#[test]
fn a_complaint_that_is_written_reads_back_equal() {
    let complainant = |address: &str| Complainant { address: address.to_owned(), line: 0, named: true };
    let report = FeedbackReport {
        feedback: Feedback {
            kind: FeedbackType::NotSpam,
            user_agent: Some("carom/1.0".to_owned()),
            mail_from: Some("news@sender.example".to_owned()),
            arrival_date: Some("Sat, 28 Nov 2026 08:00:00 +0000".to_owned()),
            source_ip: "2001:db8::1".parse().ok(),
            reported_domain: Some("sender.example".to_owned()),
            reported_uri: vec!["http://a.example/".to_owned(), "http://b.example/".to_owned()],
            authentication_results: Some("mx.example; spf=fail".to_owned()),
            auth_failure: Some("dmarc".to_owned()),
            incidents: 7,
            derived: false,
        },
        reporting_mta: Some("mx.example".to_owned()),
        complainants: vec![complainant("a@x.example"), complainant("jürgen@grün.example")],
    };
    assert_eq!(read_feedback(report.written().as_str()), report);
    for kind in ["abuse", "auth-failure", "fraud", "opt-out", "virus", "other", "x-new"] {
        let feedback = Feedback { kind: FeedbackType::named(kind), ..report.feedback.clone() };
        let report = FeedbackReport { feedback, ..report.clone() };
        assert_eq!(read_feedback(report.written().as_str()), report);
    }
}

#[test]
fn an_automatic_reply_that_is_written_reads_back_equal() {
    let reply = AutomaticReply {
        kind: AutoReplyKind::Absence,
        from: Some("joe@x.example".to_owned()),
        in_reply_to: Some("1.2@sender.example".to_owned()),
        subject: "Nicht im Büro".to_owned(),
        text: "Ich bin bis Montag verreist. Grüße".to_owned(),
    };
    let mail = reply.written("news@sender.example", "here.example", &postmark());
    assert_eq!(read_reply(&mail), Some(reply));
}

#[test]
fn bounces_of_others_read_and_written_again_read_equal() {
    let mut seen = 0;
    for (name, raw) in fixtures() {
        for text in parts(&Message::read(&raw), "message/delivery-status") {
            let status = read_status(&text);
            assert_eq!(read_status(status.written().as_str()), status, "{name}");
            seen += status.recipients.len();
        }
    }
    assert!(seen > 15, "{seen}");
}

#[test]
fn complaints_of_others_read_and_written_again_read_equal() {
    let mut seen = 0;
    for (name, raw) in fixtures() {
        for text in parts(&Message::read(&raw), "message/feedback-report") {
            let report = read_feedback(&text);
            assert_eq!(read_feedback(report.written().as_str()), report, "{name}");
            seen += 1;
        }
    }
    assert!(seen > 5, "{seen}");
}

#[test]
fn absences_of_others_read_and_written_again_read_equal() {
    let mut seen = 0;
    for (name, raw) in fixtures() {
        let Some(reply) = read_reply(&raw).filter(|reply| reply.kind == AutoReplyKind::Absence) else {
            continue;
        };
        let again = read_reply(&reply.written("news@sender.example", "here.example", &postmark()));
        assert_eq!(again, Some(reply), "{name}");
        seen += 1;
    }
    assert!(seen > 5, "{seen}");
}
