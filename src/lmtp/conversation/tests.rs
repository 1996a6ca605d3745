//! Conversations: what is said, and what comes of it, however the bytes are cut.

use super::*;
use crate::smtp_reply::{EnhancedStatus, SmtpReply};

fn rules(dialect: Dialect) -> ConversationRules {
    let hostname = "mx.example".to_owned();
    let (asks_at_rcpt, tls, auth) = (false, true, false);
    ConversationRules { dialect, hostname, max_size: 100, recipients: 3, errors: 3, asks_at_rcpt, tls, auth }
}

/// A conversation in which every message is accepted: the replies, the messages, and whether it was
/// closed. The bytes come in pieces of this size.
fn talk_in(
    pieces: usize,
    dialect: Dialect,
    client: ConnectedClient,
    said: &[u8],
) -> (String, Vec<Arrived>, bool) {
    let rules = rules(dialect);
    let (mut conversation, mut out, mut messages) =
        (Conversation::new(&rules, client), Vec::new(), Vec::new());
    let mut input = Vec::new();
    for piece in said.chunks(pieces) {
        input.extend_from_slice(piece);
        loop {
            match conversation.hear_all(&mut input, &mut out, &mut messages, &|_, _| Verdict::Accept) {
                Turn::StartTls => {
                    input.clear();
                    conversation.secure();
                }
                Turn::Close => return (String::from_utf8(out).unwrap(), messages, true),
                _ => break,
            }
        }
    }
    (String::from_utf8(out).unwrap(), messages, false)
}

fn talk_as(dialect: Dialect, client: ConnectedClient, said: &str) -> (String, Vec<Arrived>, bool) {
    let whole = talk_in(usize::MAX, dialect, client, said.as_bytes());
    for pieces in [1, 7] {
        let cut = talk_in(pieces, dialect, client, said.as_bytes());
        assert_eq!((&whole.0, whole.1.len(), whole.2), (&cut.0, cut.1.len(), cut.2), "{said:?}");
    }
    whole
}

fn talk(said: &str) -> (String, Vec<Arrived>, bool) {
    let local = ConnectedClient { address: None, may_forward: true };
    talk_as(Dialect::Lmtp, local, &format!("LHLO c.example\r\n{said}"))
}

/// The codes of the replies after that to LHLO.
fn codes(replies: &str) -> Vec<&str> {
    let of_hello = replies.find("250 STARTTLS\r\n").unwrap_or_default();
    replies[of_hello..].lines().skip(1).map(|line| &line[..3]).collect()
}

const TWO: &str = "MAIL FROM:<a@a.example> ENVID=e1\r\nRCPT TO:<b@b.example> ORCPT=rfc822;x@b.example\r\n\
                   RCPT TO:<c@b.example>\r\n";

#[test]
fn a_message_has_one_answer_for_each_recipient_and_commands_after_it_wait() {
    let (replies, messages, closed) = talk(&format!("{TWO}DATA\r\n..x\r\n.\r\nNOOP\r\nQUIT\r\n"));
    assert_eq!(codes(&replies), ["250", "250", "250", "354", "250", "250", "250", "221"]);
    let [Arrived { envelopes, content }] = &messages[..] else { panic!() };
    assert!(closed && **content.raw() == b".x\r\n");
    let [one, other] = &envelopes[..] else { panic!() };
    assert_eq!(
        (&*one.sender, &*one.recipient, &*other.recipient),
        ("a@a.example", "b@b.example", "c@b.example")
    );
    assert_eq!(one.original_recipient.as_deref(), Some("x@b.example"));
    assert_eq!((one.envid.as_deref(), one.client_address, &one.queue_id), (Some("e1"), None, &None));
}

#[test]
fn in_smtp_there_is_one_answer_and_ehlo() {
    let client = ConnectedClient { address: Some([192, 0, 2, 1].into()), may_forward: false };
    let said = format!("EHLO c.example\r\n{TWO}DATA\r\nx\r\n.\r\n");
    let (replies, messages, _) = talk_as(Dialect::Smtp, client, &said);
    assert!(!replies.contains("XFORWARD"), "{replies}");
    assert_eq!(codes(&replies), ["250", "250", "250", "354", "250"]);
    let envelope = &messages[0].envelopes[0];
    assert_eq!(envelope.client_address, client.address);
    assert_eq!(envelope.client_helo.as_deref(), Some("c.example"));
}

#[test]
fn a_mail_server_that_speaks_the_other_protocol_keeps_its_mail() {
    let client = ConnectedClient::default();
    for (dialect, hello, other) in [
        (Dialect::Lmtp, "EHLO c\r\nNOOP\r\n", "421 4.3.5 this is LMTP: use LHLO\r\n"),
        (Dialect::Lmtp, "HELO c\r\nNOOP\r\n", "421 4.3.5 this is LMTP: use LHLO\r\n"),
        (Dialect::Smtp, "LHLO c\r\nNOOP\r\n", "421 4.3.5 this is SMTP: use EHLO\r\n"),
    ] {
        let (replies, _, closed) = talk_as(dialect, client, hello);
        assert_eq!((&*replies, closed), (other, true));
    }
}

#[test]
fn pieces_are_counted_and_not_read() {
    let said = format!("{TWO}BDAT 7\r\nQUIT\r\n.BDAT 3 LAST\r\n\r\n.");
    let (replies, messages, closed) = talk(&said);
    assert_eq!(codes(&replies), ["250", "250", "250", "250", "250", "250"]);
    assert!(!closed && **messages[0].content.raw() == b"QUIT\r\n.\r\n.");
    let (replies, messages, _) = talk("BDAT 3\r\n\r\n.BDAT 0 LAST\r\nNOOP\r\n");
    assert_eq!(codes(&replies), ["503", "503", "250"]);
    assert!(messages.is_empty());
    let (replies, ..) = talk(&format!("{TWO}BDAT 3\r\nxyzDATA\r\nRCPT TO:<d@b.example>\r\n"));
    assert_eq!(codes(&replies), ["250", "250", "250", "250", "503", "503"]);
}

#[test]
fn smuggled_ends_are_refused_for_every_recipient() {
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r\n.\n"] {
        let (replies, messages, _) = talk(&format!("{TWO}DATA\r\nx{end}MAIL FROM:<>\r\n.\r\nNOOP\r\n"));
        assert_eq!(codes(&replies), ["250", "250", "250", "354", "550", "550", "250"], "{end:?}");
        assert!(messages.is_empty());
    }
    let (replies, _, closed) = talk("NOOP\nNOOP\r\n");
    assert_eq!((codes(&replies), closed), (vec!["521"], true));
    let (replies, _, closed) = talk("NOOP\rx\r\nNOOP\r\n");
    assert_eq!((codes(&replies), closed), (vec!["521"], true));
}

#[test]
fn what_is_too_much_is_refused_and_the_rest_is_heard() {
    let large = "x".repeat(101);
    let (replies, messages, _) = talk(&format!("{TWO}DATA\r\n{large}\r\n.\r\nNOOP\r\n"));
    assert_eq!(codes(&replies), ["250", "250", "250", "354", "452", "452", "250"]);
    assert!(messages.is_empty());
    assert_eq!(codes(&talk("MAIL FROM:<> SIZE=101\r\nMAIL FROM:<> SIZE=100\r\n").0), ["452", "250"]);
    let (replies, messages, _) =
        talk(&format!("{TWO}RCPT TO:<d@b.example>\r\nRCPT TO:<e@b.example>\r\nDATA\r\nx\r\n.\r\n"));
    assert_eq!(codes(&replies), ["250", "250", "250", "250", "452", "354", "250", "250", "250"]);
    assert_eq!(messages[0].envelopes.len(), 3);
    let (replies, _, closed) = talk(&format!("NOOP {}\r\nNOOP\r\n", "x".repeat(3000)));
    assert_eq!((codes(&replies), closed), (vec!["500", "421"], true));
    let (replies, _, closed) = talk("FOO\r\nDATA\r\nRCPT TO:<a@b.example>\r\nNOOP\r\n");
    assert_eq!((codes(&replies), closed), (vec!["500", "503", "503", "421"], true));
}

#[test]
fn xforward_counts_for_one_transaction_of_a_client_that_may() {
    let mail = "MAIL FROM:<>\r\nRCPT TO:<b@b.example>\r\nDATA\r\nx\r\n.\r\n";
    let forward = "XFORWARD ADDR=192.0.2.7 HELO=h.example\r\nXFORWARD IDENT=4QK\r\n";
    let (_, messages, _) =
        talk(&format!("{forward}{mail}{mail}XFORWARD NAME=x\r\n{mail}{forward}RSET\r\n{mail}"));
    let seen = |message: &Arrived| {
        let envelope = message.envelopes[0].clone();
        (envelope.client_address, envelope.client_helo, envelope.queue_id)
    };
    let forwarded = (Some([192, 0, 2, 7].into()), Some("h.example".to_owned()), Some("4QK".to_owned()));
    let nobody = (None, None, None);
    let all: Vec<_> = messages.iter().map(seen).collect();
    assert_eq!(all, [forwarded, nobody.clone(), nobody.clone(), nobody]);
    let client = ConnectedClient { address: Some([192, 0, 2, 1].into()), may_forward: false };
    let (replies, messages, _) = talk_as(Dialect::Lmtp, client, &format!("LHLO c\r\n{forward}{mail}"));
    assert!(replies.contains("550 5.7.1"), "{replies}");
    assert_eq!(seen(&messages[0]), (client.address, Some("c".into()), None));
    assert_eq!(codes(&talk(&format!("MAIL FROM:<>\r\n{forward}")).0), ["250", "503", "503"]);
}

#[test]
fn starttls_forgets_what_was_said_before() {
    let (replies, _, _) = talk("MAIL FROM:<>\r\nSTARTTLS\r\n");
    assert_eq!(codes(&replies), ["250", "220"]);
    let local = ConnectedClient::default();
    let said = "LHLO c\r\nSTARTTLS\r\nLHLO c\r\n";
    let replies = talk_in(said.len() - 8, Dialect::Lmtp, local, said.as_bytes()).0;
    assert!(replies.matches("STARTTLS").count() == 1 && replies.ends_with("250 CHUNKING\r\n"), "{replies}");
}

#[test]
fn verdicts_are_answers_and_what_is_deferred_comes_again() {
    let status = EnhancedStatus::new(5, 1, 1);
    let no = Verdict::Reject(SmtpReply { code: 550, enhanced: status, text: "no".into() });
    let verdicts = [no, Verdict::Accept, Verdict::Defer(SmtpReply::try_again_later("wait"))];
    for (dialect, said, again) in [
        (Dialect::Lmtp, "550 5.1.1 no\r\n250 2.0.0 accepted\r\n451 4.3.0 wait\r\n", [false, false, true]),
        (Dialect::Smtp, "451 4.3.0 wait\r\n", [true, true, true]),
    ] {
        let rules = rules(dialect);
        let (mut conversation, mut out) = (Conversation::new(&rules, ConnectedClient::default()), Vec::new());
        conversation.answer(&verdicts, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), said);
        assert_eq!(conversation.come_again(&verdicts), again);
    }
}

#[test]
fn a_reply_of_421_is_the_last_one_and_takes_no_answer_from_others() {
    let status = EnhancedStatus::new(4, 7, 0);
    let busy = Verdict::Defer(SmtpReply { code: 421, enhanced: status, text: "busy".into() });
    let wait = Verdict::Defer(SmtpReply::try_again_later("wait"));
    for (dialect, verdicts, said, is_over) in [
        (Dialect::Lmtp, [busy.clone(), Verdict::Accept], "421 4.7.0 busy\r\n250 2.0.0 accepted\r\n", true),
        (Dialect::Smtp, [Verdict::Accept, busy.clone()], "421 4.7.0 busy\r\n", true),
        (Dialect::Smtp, [wait, busy.clone()], "451 4.3.0 wait\r\n", false),
    ] {
        let rules = rules(dialect);
        let (mut conversation, mut out) = (Conversation::new(&rules, ConnectedClient::default()), Vec::new());
        let turn = conversation.answer(&verdicts, &mut out);
        assert_eq!((String::from_utf8(out).unwrap().as_str(), matches!(turn, Turn::Close)), (said, is_over));
        let turn = conversation.answer_recipient(&busy, &mut Vec::new());
        assert!(matches!(turn, Turn::Close));
    }
}
