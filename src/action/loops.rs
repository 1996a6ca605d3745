//! Mail loops: no mail is sent because of a message that has been here before, and no answer
//! because of an answer.
//!
//! Not here: what automatic replies spare besides (`auto_reply`), and null senders (`decide`).
//! Invariants: two programs that forward to each other stop, because each turn adds a trace field;
//! two that answer each other stop at the first turn, whatever a server on the way removes, because
//! an answer is known by several marks.

use crate::mail::Mail;
use crate::maillog::message_ids::ALERT_ID;
use crate::message::{Message, answer_trace};
use crate::report::{self, ReportKind};
use memchr::memmem;

/// Types of parts (RFC 3464, 6533, 5965, 8098) that only reports have.
const REPORTS: [&str; 6] = [
    "message/delivery-status",
    "message/global-delivery-status",
    "message/feedback-report",
    "message/disposition-notification",
    "message/global-disposition-notification",
    "message/tracking-status",
];

/// Why nothing may be sent: the message is an answer, it was here before, or it came through too
/// many servers.
pub(crate) fn why_not(mail: &Mail, max_received: usize) -> Option<String> {
    circle(mail, max_received).or_else(|| {
        let mark = mail.message(answer)?;
        Some(format!("the message is an answer itself: {mark}"))
    })
}

/// By what the message is known as an answer: a report, or an automatic reply.
fn answer(message: &Message<'_>) -> Option<&'static str> {
    let begins = |name: &str, start: &str| {
        let value = message.header(name).unwrap_or_default();
        value.trim().to_ascii_lowercase().starts_with(start)
    };
    let is_alert = || message.message_id().is_some_and(|id| id.starts_with(ALERT_ID));
    let has_report = || message.parts().iter().any(|part| REPORTS.contains(&part.content_type.kind.as_str()));
    // Where nothing else is left, its words and layout are.
    let reads_as_one = || {
        may_be_report(message.raw())
            && matches!(report::read(message).kind, ReportKind::DeliveryStatus | ReportKind::FeedbackReport)
    };
    if answer_trace::is_of_carom(message) || is_alert() {
        Some("carom wrote it")
    } else if begins("Auto-Submitted", "auto-replied") || begins("Precedence", "auto_reply") {
        Some("it says that it replies automatically")
    } else if message.content_type().kind == "multipart/report" || has_report() || reads_as_one() {
        Some("it is a report")
    } else {
        None
    }
}

/// Whether there is a status code (RFC 3463) or a complaint (RFC 5965) to read, or text that hides
/// one: reading a message as a report takes longer than all else that is done to answer it.
fn may_be_report(raw: &[u8]) -> bool {
    let is_code = |dot: usize| {
        let class = dot.checked_sub(1).and_then(|at| raw.get(at));
        let before = dot.checked_sub(2).and_then(|at| raw.get(at));
        matches!(class, Some(b'2' | b'4' | b'5'))
            && before.is_none_or(|before| !before.is_ascii_alphanumeric() && *before != b'.')
            && matches!(raw.get(dot + 1..), Some([b'0'..=b'7', b'.', b'0'..=b'9', ..]))
    };
    let has = |word: &[u8]| memmem::find(raw, word).is_some();
    memchr::memchr_iter(b'.', raw).any(is_code) || has(b"Feedback-Type") || has(b"base64")
}

/// The message was here before, or came through too many servers.
pub(super) fn circle(mail: &Mail, max_received: usize) -> Option<String> {
    let received = mail.message(|message| message.headers("Received")).len();
    if received > max_received {
        return Some(format!("the message goes in circles, it has {received} Received headers"));
    }
    // The mail server adds one before it hands the message to us; a second one was there when it
    // arrived.
    let envelope = &mail.envelope;
    let ours = |value: &String| {
        let to = |address: &str| !address.is_empty() && value.trim().eq_ignore_ascii_case(address);
        to(&envelope.recipient) || envelope.original_recipient.as_deref().is_some_and(to)
    };
    let been_here =
        mail.message(|message| message.headers("Delivered-To")).iter().filter(|value| ours(value)).count();
    (been_here > 1)
        .then(|| format!("the message goes in circles, it was delivered here {} times before", been_here - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;

    #[test]
    fn an_answer_is_known_by_any_of_its_marks() {
        let is_answer = |raw: &str| answer(&Message::read(raw.as_bytes())).is_some();
        for header in [
            "X-Carom-Answer: a.example",
            "Message-ID: <carom-answer.0123@a.example>",
            "Message-ID: <carom-alert.0123@a.example>",
            "References: <1@x.example>\r\n <carom-answer.0123@a.example>",
            "Auto-Submitted: Auto-Replied (vacation)",
            "Precedence: auto_reply",
            "Content-Type: multipart/report; report-type=feedback-report",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report",
            "Subject: Mail delivery failed\r\n\r\n<a@b.example>: 550 5.1.1 user unknown",
        ] {
            assert!(
                is_answer(&format!("From: MAILER-DAEMON@a.example\r\n{header}\r\n\r\nx\r\n")),
                "{header}"
            );
        }
        for header in [
            "Subject: news",
            "Auto-Submitted: auto-generated",
            "Precedence: bulk\r\nList-Id: <news.a.example>",
            "Message-ID: <my-carom-answer.1@a.example>",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822",
        ] {
            assert!(!is_answer(&format!("From: shop@a.example\r\n{header}\r\n\r\nx\r\n")), "{header}");
        }
    }

    #[test]
    fn only_what_has_a_status_code_is_read_as_a_report() {
        for text in
            ["x 5.1.1 y", "(4.7.0)", "2.0.0", "Feedback-Type: abuse", "Content-Transfer-Encoding: base64"]
        {
            assert!(may_be_report(text.as_bytes()), "{text}");
        }
        for text in ["", ".", "5.", "version 15.1.1", "192.0.2.1", "5.1", "a5.1.1", "3.1.4", "5.9.1"] {
            assert!(!may_be_report(text.as_bytes()), "{text}");
        }
    }

    fn why(header: &str) -> Option<String> {
        let raw = format!("{header}Subject: x\r\n\r\nbody\r\n");
        let envelope = Envelope {
            recipient: "b@here.example".into(),
            original_recipient: Some("a@here.example".into()),
            ..Envelope::default()
        };
        why_not(&Mail::arrived(raw.into_bytes(), envelope, 0, 0), 3)
    }

    #[test]
    fn more_servers_than_mail_comes_through() {
        let hop = "Received: from a.example by b.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n";
        assert_eq!(why(&hop.repeat(3)), None);
        assert!(why(&hop.repeat(4)).unwrap().contains("4 Received"));
    }

    #[test]
    fn a_message_that_was_delivered_here_before() {
        let to = |address: &str| format!("Delivered-To: {address}\r\n");
        assert_eq!(why(&to("b@here.example")), None);
        assert_eq!(why(&(to("b@here.example") + &to("c@there.example").repeat(9))), None);
        assert!(why(&(to("b@here.example") + &to("c@there.example") + &to("B@Here.example"))).is_some());
        assert!(why(&(to("b@here.example") + &to("a@here.example"))).unwrap().contains("1 times"));
    }
}
