//! The step that sends a complaint: a feedback report (RFC 5965) to the address that the policy's
//! map has for the sender.
//!
//! Not here: the form of the fields and the frame (`report`), and sending (`doors::smtp`).

use super::doors::smtp::Letter;
use crate::auth::client_address;
use crate::config::Config;
use crate::mail::Mail;
use crate::mailbox_syntax::split_address;
use crate::message::draft::{Draft, Postmark, bracketed, date};
use crate::plan::Complaint;
use crate::report::Feedback;
use crate::report::feedback::{Complainant, FeedbackReport};
use crate::report::multipart::Multipart;
use std::net::IpAddr;

pub(crate) fn write(complaint: &Complaint, mail: &Mail, config: &Config, postmark: &Postmark) -> Letter {
    let from = complaint.sender.clone().unwrap_or_else(|| mail.envelope.recipient.clone());
    let title = format!("FW: {}", mail.message(|message| message.subject()).unwrap_or_default());
    let draft = Draft::answer(&bracketed(&from), &complaint.route.to, &title, &config.hostname(), postmark);
    let source = client_address(&mail.content, &mail.envelope, config);
    let (text, fields) =
        (for_people(complaint, mail, source), for_programs(complaint, mail, source).written());
    let data = mail.message(|original| {
        let (kind, max_original) = ("feedback-report", config.send.max_original);
        Multipart { kind, text: &text, fields: &fields, original, max_original }.written(draft)
    });
    Letter { from: Some(from), to: complaint.route.to.clone(), data: data.into() }
}

fn for_people(complaint: &Complaint, mail: &Mail, source: Option<IpAddr>) -> String {
    let source = source.map(|address| address.to_string());
    format!(
        "This is an email {} report for an email message\r\nreceived from IP {} on {}.\r\n\
         For more information about this format please see\r\nRFC 5965.\r\n",
        complaint.feedback_type,
        source.as_deref().unwrap_or("(unknown)"),
        date(mail.at_ms),
    )
}

fn for_programs(complaint: &Complaint, mail: &Mail, source: Option<IpAddr>) -> FeedbackReport {
    let envelope = &mail.envelope;
    let author = mail.message(|message| message.addresses("From")).into_iter().next();
    FeedbackReport {
        feedback: Feedback {
            kind: complaint.feedback_type.clone(),
            user_agent: Some(concat!("carom/", env!("CARGO_PKG_VERSION")).to_owned()),
            mail_from: Some(envelope.sender.clone()),
            arrival_date: Some(date(mail.at_ms)),
            source_ip: source,
            reported_domain: Some(domain_of(author.as_deref().unwrap_or(&envelope.sender)).to_owned()),
            incidents: 1,
            ..Feedback::default()
        },
        reporting_mta: Some(domain_of(&envelope.recipient).to_owned()),
        complainants: vec![Complainant { address: envelope.recipient.clone(), line: 0, named: true }],
    }
}

fn domain_of(address: &str) -> &str {
    split_address(address).map_or("localhost", |(_, domain)| domain)
}
