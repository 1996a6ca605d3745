//! Feedback reports: the fields of ARF (RFC 5965, with RFC 6591 and 6650), read and written.
//!
//! Not here: who may complain, and what the enclosed message says instead (`complained_about`).
//! Invariant: what is written reads back equal.

use super::fields::{self, FieldLine, WrittenFields};
use super::lines::NumberedLine;
use super::mailbox;
use super::masked::{is_hashed, is_masked};
use crate::feedback_type::FeedbackType;
use crate::message::draft::bracketed;
use serde::Serialize;
use std::net::IpAddr;

/// Values of a field that repeats, at most.
const MAX_REPEATED: usize = 1_000;
/// A longer value is not kept.
const MAX_VALUE: usize = 2_000;

/// A complaint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Feedback {
    #[serde(rename = "type")]
    pub(crate) kind: FeedbackType,
    /// The program that reports.
    pub(crate) user_agent: Option<String>,
    /// The sender in the envelope of the message.
    pub(crate) mail_from: Option<String>,
    /// When the message arrived.
    pub(crate) arrival_date: Option<String>,
    /// The address of the server that the message came from.
    pub(crate) source_ip: Option<IpAddr>,
    pub(crate) reported_domain: Option<String>,
    pub(crate) reported_uri: Vec<String>,
    pub(crate) authentication_results: Option<String>,
    /// What failed: `dmarc`, `spf`, `dkim`, …
    pub(crate) auth_failure: Option<String>,
    /// How many complaints this is.
    pub(crate) incidents: u32,
    /// The recipient was not in the report but in the message.
    pub(crate) derived: bool,
}

/// The part of a report that programs read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FeedbackReport {
    pub(crate) feedback: Feedback,
    pub(crate) reporting_mta: Option<String>,
    pub(crate) complainants: Vec<Complainant>,
}

/// A recipient who complains, and the line where the address is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Complainant {
    pub(crate) address: String,
    pub(crate) line: u32,
    /// The provider says that this one complains; the address is not just in the message that is
    /// complained about, and not a digest.
    pub(crate) named: bool,
}

impl FeedbackReport {
    /// Reads the fields; of those that may be there once, the first counts.
    pub(crate) fn read(lines: &[NumberedLine<'_>]) -> FeedbackReport {
        let feedback = Feedback { incidents: 1, ..Feedback::default() };
        let mut report = FeedbackReport { feedback, ..FeedbackReport::default() };
        let mut types: Vec<FeedbackType> = Vec::new();
        for field in fields::read(lines, MAX_VALUE) {
            if let FieldLine::Field { name, value, line } = field
                && (1..=MAX_VALUE).contains(&value.len())
            {
                if name.eq_ignore_ascii_case("Feedback-Type") && types.len() < MAX_REPEATED {
                    types.push(FeedbackType::in_field(&value));
                }
                report.take(&name.to_ascii_lowercase(), &value, line);
            }
        }
        report.feedback.kind = FeedbackType::agreed(types);
        report
    }

    /// A complaint without fields.
    pub(crate) fn of_abuse() -> FeedbackReport {
        let feedback = Feedback { kind: FeedbackType::Abuse, incidents: 1, ..Feedback::default() };
        FeedbackReport { feedback, ..FeedbackReport::default() }
    }

    fn take(&mut self, name: &str, value: &str, line: u32) {
        let feedback = &mut self.feedback;
        let first = |field: &mut Option<String>| _ = field.get_or_insert_with(|| value.to_owned());
        match name {
            "user-agent" => first(&mut feedback.user_agent),
            "original-mail-from" => feedback.mail_from = mailbox::in_field(value),
            "arrival-date" | "received-date" => first(&mut feedback.arrival_date),
            "source-ip" | "source" => feedback.source_ip = value.parse().ok().or(feedback.source_ip),
            "reported-domain" => first(&mut feedback.reported_domain),
            "reported-uri" if feedback.reported_uri.len() < MAX_REPEATED => {
                feedback.reported_uri.push(value.to_owned());
            }
            "authentication-results" => first(&mut feedback.authentication_results),
            "auth-failure" => first(&mut feedback.auth_failure),
            "incidents" => feedback.incidents = value.parse().unwrap_or(1),
            "reporting-mta" => self.reporting_mta = Some(mailbox::typed(value).1.to_owned()),
            "original-rcpt-to"
            | "original-recipient"
            | "final-recipient"
            | "removal-recipient"
            | "recipient"
            | "rcpt-to"
            | "x-original-rcpt-to"
            | "x-removal-recipient"
            | "x-hmxmroriginalrecipient" => self.take_complainant(value, line),
            _ => {}
        }
    }

    /// Adds who complains, once, unless the address is masked.
    fn take_complainant(&mut self, value: &str, line: u32) {
        let Some(address) = mailbox::in_field(value).filter(|address| !is_masked(address)) else { return };
        let known = |known: &Complainant| mailbox::same(&known.address, &address);
        if self.complainants.len() < MAX_REPEATED && !self.complainants.iter().any(known) {
            let named = !is_hashed(&address);
            self.complainants.push(Complainant { address, line, named });
        }
    }

    /// The fields, those that RFC 5965 demands first.
    pub(crate) fn written(&self) -> WrittenFields {
        let feedback = &self.feedback;
        let mut fields = WrittenFields::default();
        fields.add("Feedback-Type", &feedback.kind.to_string());
        fields.add_some("User-Agent", feedback.user_agent.as_deref());
        fields.add("Version", "1");
        fields.add("Original-Mail-From", &bracketed(feedback.mail_from.as_deref().unwrap_or_default()));
        for complainant in &self.complainants {
            fields.add("Original-Rcpt-To", &bracketed(&complainant.address));
        }
        fields.add_some("Arrival-Date", feedback.arrival_date.as_deref());
        fields.add_mta("Reporting-MTA", self.reporting_mta.as_deref());
        fields.add_some("Source-IP", feedback.source_ip.map(|address| address.to_string()).as_deref());
        fields.add_some("Reported-Domain", feedback.reported_domain.as_deref());
        for uri in &feedback.reported_uri {
            fields.add("Reported-URI", uri);
        }
        fields.add_some("Authentication-Results", feedback.authentication_results.as_deref());
        fields.add_some("Auth-Failure", feedback.auth_failure.as_deref());
        if feedback.incidents != 1 {
            fields.add("Incidents", &feedback.incidents.to_string());
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn read(text: &str) -> FeedbackReport {
        FeedbackReport::read(&PartText::plain(text, 1).lines())
    }

    #[test]
    fn the_fields_of_a_report() {
        let read = read(
            "Feedback-Type: Abuse\nUser-Agent: x/1.0\nVersion: 1\nOriginal-Mail-From: <a@x.example>\n\
            Original-Rcpt-To: b@y.example\nOriginal-Rcpt-To: <c@y.example>\nSource-IP: 192.0.2.1\nIncidents: 3\n\
            Authentication-Results: y;\n spf=fail\nReported-URI: http://x.example/\n",
        );
        assert_eq!((&read.feedback.kind, read.feedback.incidents), (&FeedbackType::Abuse, 3));
        let complainant =
            |address: &str, line| Complainant { address: address.to_owned(), line, named: true };
        assert_eq!(read.complainants, [complainant("b@y.example", 5), complainant("c@y.example", 6)]);
        assert_eq!(read.feedback.authentication_results.as_deref(), Some("y; spf=fail"));
        assert_eq!(read.feedback.source_ip, "192.0.2.1".parse().ok());
    }

    #[test]
    fn a_redacted_recipient_is_not_one() {
        let read = read("Original-Rcpt-To: redacted@y.example\nOriginal-Rcpt-To: [hidden]\n");
        assert_eq!((read.complainants.len(), read.feedback.kind), (0, FeedbackType::default()));
    }

    #[test]
    fn a_recipient_that_two_fields_name_is_one_and_a_digest_is_not_named() {
        let twice = read("Original-Rcpt-To: <a@y.example>\nRemoval-Recipient: A@y.example\n");
        assert_eq!((twice.complainants.len(), twice.complainants[0].named), (1, true));
        let digest = read("Original-Rcpt-To: cb4a01a48251d4765f489076aa81e2a4@y.example\n");
        assert!(!digest.complainants[0].named);
    }
}
