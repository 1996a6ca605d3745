//! Reports on something else than one delivery: receipts of readers (RFC 8098), TLS reports
//! (RFC 8460), aggregate reports of DMARC (RFC 7489).
//!
//! Not here: complaints (`feedback`), failure reports of DMARC (`failure_report`). Invariant: what
//! its header and its parts say of its type outranks the words of its text.

use super::fold::folded;
use crate::message::{Message, MimePart};

/// Types of reports that are about no delivery.
const OTHERS: [&str; 2] = ["tlsrpt", "disposition-notification"];

pub(crate) fn is_one(message: &Message<'_>) -> bool {
    let top = message.content_type();
    let is_other = |says: &str| OTHERS.iter().any(|other| says.eq_ignore_ascii_case(other));
    let is_typed = top.kind == "multipart/report" && top.parameter("report-type").is_some_and(is_other);
    let subject = folded(&message.subject().unwrap_or_default());
    is_typed
        || message.header("TLS-Report-Domain").is_some()
        || (subject.starts_with("report domain:") && subject.contains("submitter:"))
        || message.parts().iter().any(is_of_other)
}

/// Whether a part is the content of such a report.
fn is_of_other(part: &MimePart<'_>) -> bool {
    let kind = part.content_type.kind.as_str();
    let name = part.content_type.parameter("name").unwrap_or_default();
    // `receiver.example!sender.example!1700000000!1700086399.xml.gz`
    let is_aggregate = name.matches('!').count() >= 3 && !kind.starts_with("text/");
    kind == "message/disposition-notification" || kind.starts_with("application/tlsrpt") || is_aggregate
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_tells_what_a_report_is_on() {
        for (header, other) in [
            ("Content-Type: multipart/report; report-type=tlsrpt; boundary=b", true),
            ("Content-Type: multipart/report; report-type=\"disposition-notification\"; boundary=b", true),
            ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", false),
            ("Content-Type: multipart/report; report-type=feedback-report; boundary=b", false),
            ("Content-Type: multipart/report; boundary=b", false),
            ("Subject: Report Domain: a.example Submitter: b.example Report-ID: <1@b.example>", true),
            ("TLS-Report-Domain: a.example", true),
            ("Content-Type: application/gzip; name=\"b.example!a.example!1!2.xml.gz\"", true),
            ("Content-Type: application/gzip; name=\"log.gz\"", false),
            ("Subject: Undeliverable: Report", false),
        ] {
            let raw = format!("{header}\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n");
            assert_eq!(is_one(&Message::read(raw.as_bytes())), other, "{header}");
        }
    }
}
