//! Failure reports of DMARC in words alone: some filters write a notice for people where RFC 6591
//! has fields.
//!
//! Not here: reports with fields (`feedback`), and aggregate reports, which report on no message.
//! Invariant: nobody is named; the recipient is the victim of a forgery.

use super::feedback::Feedback;
use super::fold::folded;
use super::human_notice::HumanNotice;
use super::original::Original;
use super::reported::{Report, ReportKind};
use crate::feedback_type::FeedbackType;
use crate::message::Message;

/// How subjects name such a report, folded.
const SUBJECTS: [&str; 6] = [
    "dmarc forensic",
    "dmarc failure report",
    "dmarc fail report",
    "dmarc auth failure",
    "dmarc ruf",
    "authentication failure report",
];
/// What its text says, folded.
const PHRASES: [&str; 9] = [
    "claiming to be from you",
    "failed the published dmarc",
    "failed dmarc",
    "dmarc results",
    "dmarc result:",
    "dmarc policy for your domain",
    "spf alignment",
    "dkim alignment",
    "sender ip address",
];
/// Every such text has one of these.
const HINTS: [&str; 2] = ["dmarc", "alignment"];
/// This many of them without a subject that says so.
const ENOUGH: usize = 3;

/// The report; `None` if the message is none.
pub(crate) fn read(message: &Message<'_>, notice: &HumanNotice<'_>, original: &Original) -> Option<Report> {
    let text = &notice.folded.text;
    if !HINTS.iter().any(|hint| text.contains(hint)) {
        return None;
    }
    let subject = folded(&message.subject().unwrap_or_default());
    let said = PHRASES.iter().filter(|phrase| text.contains(*phrase)).count();
    let titled = SUBJECTS.iter().any(|title| subject.contains(title));
    (said >= ENOUGH || (titled && said > 0)).then(|| Report {
        kind: ReportKind::FeedbackReport,
        feedback: Some(Feedback {
            kind: FeedbackType::AuthFailure,
            auth_failure: Some("dmarc".to_owned()),
            incidents: 1,
            ..Feedback::default()
        }),
        original: original.clone(),
        ..Report::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::lines::PartText;

    fn is_report(subject: &str, text: &str) -> bool {
        let raw = format!("Subject: {subject}\r\n\r\n");
        let text = PartText::plain(text, 1);
        let notice = HumanNotice::read(text.lines());
        read(&Message::read(raw.as_bytes()), &notice, &Original::default()).is_some()
    }

    #[test]
    fn a_report_is_known_by_what_it_says() {
        let text = "A message claiming to be from you has failed the published DMARC policy.\n\
            SPF Alignment: no\nDKIM Alignment: no\n";
        assert!(is_report("Report", text));
        assert!(is_report("DMARC Failure Report for x.example", "DMARC Results: reject\n"));
        assert!(!is_report("Undelivered Mail", "550 5.7.1 x.example failed DMARC\n"));
        assert!(!is_report(
            "Report Domain: x.example Submitter: y.example",
            "This is an aggregate report.\n"
        ));
    }
}
