//! What `carom lmtp` refuses without a policy: each answer is counted, and what a client returns for it is in the message log.

use crate::harness::lmtp::{Client, Listener};
use crate::harness::{SENDER, Sandbox, plain};
use crate::lmtp::ACCEPTED;

const OTHER: &str = "y@accept.sink.example";

/// The sandbox's counters of these codes.
fn answered(sandbox: &Sandbox, codes: [u16; 5]) -> [u64; 5] {
    codes.map(|code| sandbox.counter(&format!("lmtp_answers_code_{code}")))
}

/// Says the text of a message for two recipients; both have to hear this.
#[track_caller]
fn refused(client: &mut Client, text: &[u8], reply: &str) {
    client.envelope(SENDER, &[ACCEPTED, OTHER]);
    client.expect("DATA", "354");
    client.write(&[text, b"\r\n.\r\n"].concat());
    for _ in 0..2 {
        let heard = client.reply();
        assert!(heard.starts_with(reply), "{heard}");
    }
}

#[test]
fn answers_without_a_policy_are_counted_and_refusals_for_good_are_logged() {
    let sandbox = Sandbox::new().config(
        "[message]\nmax_size = 20000\n[lmtp]\nrecipients = 2\n[[lmtp.chaos]]\nat = \"rcpt\"\n\
         what = \"refuse\"\ndomain = \"bad.sink.example\"\nreply = \"554 5.7.9 not that one\"\n",
    );
    let listener = Listener::start(&sandbox, &[]);
    let mut client = listener.unix().hello();
    client.expect(&format!("MAIL FROM:<{SENDER}> SIZE=20001"), "452 4.3.4");
    client.envelope(SENDER, &[ACCEPTED]);
    client.expect("RCPT TO:<j\u{fc}rgen@accept.sink.example>", "553 5.6.7");
    client.expect("RCPT TO:<x@bad.sink.example>", "554 5.7.9");
    client.expect(&format!("RCPT TO:<{OTHER}>"), "250");
    client.expect("RCPT TO:<z@accept.sink.example>", "452 4.5.3");
    client.expect("RSET", "250");
    refused(&mut client, b"bare\nline end", "550 5.5.2");
    refused(&mut client, "x".repeat(20_001).as_bytes(), "452 4.3.4");
    let replies = client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    // Of a message in pieces, each is refused, and it is one message.
    client.envelope(SENDER, &[ACCEPTED]);
    for last in ["", " LAST"] {
        client.write(format!("BDAT 20001{last}\r\n{}", "x".repeat(20_001)).as_bytes());
        assert!(client.reply().starts_with("452 4.3.4"));
    }
    listener.stop();
    assert_eq!(answered(&sandbox, [250, 452, 550, 553, 554]), [1, 1 + 1 + 2 + 1, 2, 1, 1]);
    let counted = ["lmtp_messages", "lmtp_answers_4xx", "lmtp_answers_5xx"].map(|name| sandbox.counter(name));
    assert_eq!(counted, [4, 5, 4]);
    let logged = sandbox.run(&["log", "--json"], b"").stdout;
    for (text, lines) in
        [("only CR LF", 2), ("needs SMTPUTF8", 1), ("not that one", 1), ("too many", 0), ("larger than", 0)]
    {
        assert_eq!(logged.matches(text).count(), lines, "{text}: {logged}");
    }
    let logged = sandbox.run(&["log", "--status", "refused"], b"").stdout;
    assert!(logged.contains("x@bad.sink.example") && logged.contains(OTHER), "{logged}");
}

#[test]
fn what_goes_wrong_on_purpose_at_the_end_of_a_message_is_counted() {
    for (what, code) in [("refuse", 451), ("unavailable", 421)] {
        let sandbox = Sandbox::new().config(&format!("[[lmtp.chaos]]\nat = \"text\"\nwhat = \"{what}\"\n"));
        let listener = Listener::start(&sandbox, &["--smtp"]);
        let replies = listener.tcp().hello().send(SENDER, &[ACCEPTED, OTHER], &plain(ACCEPTED));
        assert!(replies[0].starts_with(&code.to_string()), "{replies:?}");
        listener.stop();
        let counted = [&*format!("lmtp_answers_code_{code}"), "lmtp_answers_4xx", "lmtp_messages"];
        assert_eq!(counted.map(|name| sandbox.counter(name)), [2, 2, 1]);
    }
}
