//! The complaint: a feedback report (RFC 5965) to the address that the policy's mapping names for the sender.

use super::Subject;
use super::doors::smtp::Letter;
use super::draft::{Draft, Fields, bracketed, date, domain_of};
use crate::config::Config;
use crate::plan::Complaint;

/// Writes the complaint.
pub(crate) fn write(complaint: &Complaint, subject: &Subject<'_>, config: &Config) -> Letter {
    let envelope = subject.envelope;
    let from = complaint.sender.clone().unwrap_or_else(|| envelope.recipient.clone());
    let source = subject.client_address.map(|address| address.to_string());
    let arrived = date(subject.at_ms);
    let text = format!(
        "This is an email {} report for an email message\r\nreceived from IP {} on {arrived}.\r\n\
         For more information about this format please see\r\nRFC 5965.\r\n",
        complaint.feedback_type,
        source.as_deref().unwrap_or("(unknown)"),
    );
    let mut fields = Fields::default();
    fields.add("Feedback-Type", &complaint.feedback_type);
    fields.add("User-Agent", concat!("carom/", env!("CARGO_PKG_VERSION")));
    fields.add("Version", "1");
    fields.add("Original-Mail-From", &bracketed(&envelope.sender));
    fields.add("Original-Rcpt-To", &bracketed(&envelope.recipient));
    fields.add("Arrival-Date", &arrived);
    fields.add("Reporting-MTA", &format!("dns; {}", domain_of(&envelope.recipient)));
    if let Some(source) = &source {
        fields.add("Source-IP", source);
    }
    let author = subject.message.addresses("From").into_iter().next();
    fields.add("Reported-Domain", domain_of(author.as_deref().unwrap_or(&envelope.sender)));
    let title = format!("FW: {}", subject.message.subject().unwrap_or_default());
    let mut draft = Draft::new(&bracketed(&from), &complaint.route.to, &title, config);
    draft.field("Auto-Submitted", "auto-generated");
    let data = draft.report("feedback-report", &text, &fields, subject, config);
    Letter { from: Some(from), to: complaint.route.to.clone(), data: data.into() }
}
