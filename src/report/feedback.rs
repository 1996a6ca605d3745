//! Feedback reports: ARF (RFC 5965, with RFC 6591 and 6650), and Microsoft's JMRP, which sends the message alone.
//!
//! Not here: who may complain. Invariant: a field that is missing or blacked out is looked for in the message that is
//! reported on, and then it is said that it was derived.

use super::lines::NumberedLine;
use super::mailbox;
use crate::message::Message;
use serde::Serialize;

/// Values of a field that repeats, at most.
const MAX_REPEATED: usize = 1_000;
/// A value is kept up to this many bytes.
const MAX_VALUE: usize = 2_000;

/// A complaint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Feedback {
    /// `abuse`, `fraud`, `auth-failure`, `not-spam`, `opt-out`, `virus`, `other`, or what else the report says.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The program that reports.
    pub(crate) user_agent: Option<String>,
    /// Who sent the message, as the envelope said.
    pub(crate) mail_from: Option<String>,
    /// When it arrived.
    pub(crate) arrival_date: Option<String>,
    /// The address of the server it came from.
    pub(crate) source_ip: Option<String>,
    /// The domain that is complained of.
    pub(crate) reported_domain: Option<String>,
    /// The addresses that are complained of.
    pub(crate) reported_uri: Vec<String>,
    /// What was found out about the sender.
    pub(crate) authentication_results: Option<String>,
    /// What failed: `dmarc`, `spf`, `dkim`, …
    pub(crate) auth_failure: Option<String>,
    /// How many complaints this stands for.
    pub(crate) incidents: u32,
    /// Whether the recipient was not in the report but in the message.
    pub(crate) derived: bool,
}

/// A report, and whom it is about.
pub(crate) struct FeedbackReport {
    pub(crate) feedback: Feedback,
    /// Those who complain, as the report says.
    pub(crate) recipients: Vec<(String, u32)>,
}

/// Reads the fields of a report.
pub(crate) fn read(lines: &[NumberedLine<'_>]) -> FeedbackReport {
    let mut feedback = Feedback { incidents: 1, ..Feedback::default() };
    let mut recipients: Vec<(String, u32)> = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        at += 1;
        let Some((name, value)) = line.trimmed().split_once(':') else { continue };
        let mut value = value.trim().to_owned();
        while let Some(next) = lines.get(at).filter(|next| next.text.starts_with([' ', '\t'])) {
            if value.len() + next.text.len() < MAX_VALUE {
                value = format!("{value} {}", next.trimmed());
            }
            at += 1;
        }
        let value = value.trim();
        if value.is_empty() || value.len() > MAX_VALUE {
            continue;
        }
        let first = |field: &mut Option<String>| _ = field.get_or_insert_with(|| value.to_owned());
        match name.trim().to_ascii_lowercase().as_str() {
            "feedback-type" => feedback.kind = value.to_ascii_lowercase(),
            "user-agent" => first(&mut feedback.user_agent),
            "original-mail-from" => feedback.mail_from = mailbox::in_field(value),
            "arrival-date" | "received-date" => first(&mut feedback.arrival_date),
            "source-ip" | "source" => {
                feedback.source_ip =
                    value.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string()).or(feedback.source_ip)
            }
            "reported-domain" => first(&mut feedback.reported_domain),
            "reported-uri" if feedback.reported_uri.len() < MAX_REPEATED => {
                feedback.reported_uri.push(value.to_owned())
            }
            "authentication-results" => first(&mut feedback.authentication_results),
            "auth-failure" => first(&mut feedback.auth_failure),
            "incidents" => feedback.incidents = value.parse().unwrap_or(1),
            "original-rcpt-to" | "original-recipient" | "removal-recipient" | "recipient"
            | "x-original-rcpt-to"
                if recipients.len() < MAX_REPEATED =>
            {
                let address = mailbox::in_field(value).filter(|address| !is_redacted(address));
                recipients.extend(address.map(|address| (address, line.number)));
            }
            _ => {}
        }
    }
    if feedback.kind.is_empty() {
        feedback.kind = "other".to_owned();
    }
    FeedbackReport { feedback, recipients }
}

/// Whether an address was made unreadable: RFC 6590 has no form for it, so programs have their own.
fn is_redacted(address: &str) -> bool {
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local).to_ascii_lowercase();
    ["redacted", "hidden", "removed", "anonymous", "xxx"]
        .iter()
        .any(|word| local.trim_matches(['[', ']', '_', '-']) == *word)
}

/// Microsoft's form: no report, only the message, with a field for the recipient in its header.
pub(crate) fn is_jmrp(enclosed: &Message<'_>) -> bool {
    enclosed.header("X-HmXmrOriginalRecipient").is_some()
}

/// The recipient by the header of the message that is reported on.
pub(crate) fn recipient_in(original: &Message<'_>) -> Option<String> {
    const NAMES: [&str; 7] = [
        "X-HmXmrOriginalRecipient",
        "X-Original-Rcpt-To",
        "X-Rcpt-To",
        "Envelope-To",
        "X-Envelope-To",
        "To",
        "X-Original-To",
    ];
    let address = |name: &&str| {
        let value = original.header(name)?;
        let address = mailbox::first(&value)?.address.to_owned();
        (!is_redacted(&address)).then_some(address)
    };
    NAMES.iter().find_map(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    #[test]
    fn the_fields_of_a_report() {
        let text = "Feedback-Type: Abuse\nUser-Agent: x/1.0\nVersion: 1\nOriginal-Mail-From: <a@x.example>\n\
            Original-Rcpt-To: b@y.example\nOriginal-Rcpt-To: <c@y.example>\nSource-IP: 192.0.2.1\nIncidents: 3\n\
            Authentication-Results: y;\n spf=fail\nReported-URI: http://x.example/\n";
        let read = read(&PartText::plain(text, 1).lines());
        assert_eq!((read.feedback.kind.as_str(), read.feedback.incidents), ("abuse", 3));
        assert_eq!(read.recipients, [("b@y.example".to_owned(), 5), ("c@y.example".to_owned(), 6)]);
        assert_eq!(read.feedback.authentication_results.as_deref(), Some("y; spf=fail"));
        assert_eq!(read.feedback.source_ip.as_deref(), Some("192.0.2.1"));
    }

    #[test]
    fn a_redacted_recipient_is_none() {
        let read = read(
            &PartText::plain("Original-Rcpt-To: redacted@y.example\nOriginal-Rcpt-To: [hidden]\n", 1).lines(),
        );
        assert_eq!((read.recipients.len(), read.feedback.kind.as_str()), (0, "other"));
        let original = Message::read(b"To: undisclosed\r\nX-HmXmrOriginalRecipient: a@x.example\r\n\r\n");
        assert_eq!(recipient_in(&original).as_deref(), Some("a@x.example"));
    }
}
