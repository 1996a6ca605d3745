//! What a mail server tells its own postmaster about the sessions of strangers: `Postfix SMTP
//! server: errors from unknown[203.0.113.9]`, with a transcript.
//!
//! Not here: copies of bounces for the postmaster, which are reports. Invariant: a session of a
//! program on the host itself is about our own mail, and is read as a report.

use super::fold::folded;
use crate::message::Message;

/// How subjects go on after the name of the mail server, folded.
const SUBJECTS: [&str; 4] = [
    " smtp server: errors from ",
    " smtp client: errors from ",
    " lmtp client: errors from ",
    " smtp server: warnings from ",
];

/// Whether the message is such a notice.
pub(crate) fn is_one(message: &Message<'_>) -> bool {
    let subject = folded(&message.subject().unwrap_or_default());
    let client = SUBJECTS.iter().find_map(|words| Some(subject.split_once(words)?.1));
    client.is_some_and(|client| !is_own_host(client)) && message.content_type().kind != "multipart/report"
}

/// Whether a client, as Postfix writes it, is the host itself: `localhost[127.0.0.1]`.
fn is_own_host(client: &str) -> bool {
    let address = client.split_once('[').map_or(client, |(_, address)| address);
    address.starts_with("127.") || address.starts_with("::1]") || client.starts_with("localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_strangers_are_told_the_postmaster() {
        for (subject, is) in [
            ("Postfix SMTP server: errors from unknown[203.0.113.9]", true),
            ("Our Mail SMTP client: errors from mx.x.example[192.0.2.1]", true),
            ("Postfix SMTP server: errors from localhost[127.0.0.1]", false),
            ("Postfix SMTP server: errors from ip6-localhost[::1]", false),
            ("Undelivered Mail Returned to Sender", false),
        ] {
            let raw = format!("Subject: {subject}\r\n\r\n");
            assert_eq!(is_one(&Message::read(raw.as_bytes())), is, "{subject}");
        }
    }
}
