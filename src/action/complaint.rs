//! The step that sends a complaint: a feedback report (RFC 5965) to the address that the policy's map has
//! for the sender.
//!
//! Not here: the form of the fields and the frame (`report`), and sending (`doors::smtp`).

use super::Subject;
use super::doors::smtp::Letter;
use crate::config::Config;
use crate::envelope::split_address;
use crate::message::draft::{Draft, bracketed, date};
use crate::plan::Complaint;
use crate::report::Feedback;
use crate::report::feedback::{Complainant, FeedbackReport};
use crate::report::multipart::Multipart;

/// Writes the complaint.
pub(crate) fn write(complaint: &Complaint, subject: &Subject<'_>, config: &Config) -> Letter {
    let from = complaint.sender.clone().unwrap_or_else(|| subject.envelope.recipient.clone());
    let title = format!("FW: {}", subject.message.subject().unwrap_or_default());
    let mut draft = Draft::new(&bracketed(&from), &complaint.route.to, &title, config);
    draft.field("Auto-Submitted", "auto-generated");
    let report = Multipart {
        kind: "feedback-report",
        text: &for_people(complaint, subject),
        fields: &for_programs(complaint, subject).written(),
        original: subject.message,
        max_original: config.send.max_original,
    };
    Letter { from: Some(from), to: complaint.route.to.clone(), data: report.written(draft).into() }
}

fn for_people(complaint: &Complaint, subject: &Subject<'_>) -> String {
    let source = subject.client_address.map(|address| address.to_string());
    format!(
        "This is an email {} report for an email message\r\nreceived from IP {} on {}.\r\n\
         For more information about this format please see\r\nRFC 5965.\r\n",
        complaint.feedback_type,
        source.as_deref().unwrap_or("(unknown)"),
        date(subject.at_ms),
    )
}

fn for_programs(complaint: &Complaint, subject: &Subject<'_>) -> FeedbackReport {
    let envelope = subject.envelope;
    let author = subject.message.addresses("From").into_iter().next();
    FeedbackReport {
        feedback: Feedback {
            kind: complaint.feedback_type.clone(),
            user_agent: Some(concat!("carom/", env!("CARGO_PKG_VERSION")).to_owned()),
            mail_from: Some(envelope.sender.clone()),
            arrival_date: Some(date(subject.at_ms)),
            source_ip: subject.client_address,
            reported_domain: Some(domain_of(author.as_deref().unwrap_or(&envelope.sender)).to_owned()),
            incidents: 1,
            ..Feedback::default()
        },
        reporting_mta: Some(domain_of(&envelope.recipient).to_owned()),
        complainants: vec![Complainant { address: envelope.recipient.clone(), line: 0 }],
    }
}

fn domain_of(address: &str) -> &str {
    split_address(address).map_or("localhost", |(_, domain)| domain)
}
