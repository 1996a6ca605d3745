//! Mail loops: no mail is sent because of a message that has been here before.
//!
//! Not here: messages that are never answered (`auto_reply`), and null senders (`decide`).
//! Invariant: two programs that answer or forward to each other stop here, because each turn adds a
//! trace field.

use crate::mail::Mail;

/// Why nothing may be sent: the message was here before, or it came through too many servers.
pub(crate) fn why_not(mail: &Mail, max_received: usize) -> Option<String> {
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
