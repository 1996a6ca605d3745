//! Reports that a sender asks for (RFC 3461): of success, of failure, or none; and who gets none whatever is asked.

use crate::harness::lmtp::Listener;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{SENDER, Sandbox, plain, signed, wait_for};
use crate::lmtp::ACCEPTED;

const BOUNCED: &str = "x@oob.sink.example";
const REFUSED: &str = "x@reject.sink.example";

/// Hands in a message; returns the answers for its recipients.
fn hand_in(listener: &Listener, mail: &str, recipients: &[&str], message: &[u8]) -> Vec<String> {
    let mut client = listener.tcp().hello();
    client.expect(&format!("MAIL FROM:{mail}"), "250");
    recipients.iter().for_each(|to| drop(client.expect(&format!("RCPT TO:{to}"), "250")));
    client.data(message);
    recipients.iter().map(|_| client.reply()).collect()
}

#[test]
fn a_sender_that_asks_hears_of_the_delivery_and_nobody_else_does() {
    let senders = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(senders.port);
    let listener = Listener::start(&sandbox, &[]);
    let stranger = "<a@stranger.example>";
    let ours = format!("<{SENDER}>");
    let wanted = format!("<{ACCEPTED}> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first+2Blast@sender.example");
    let report = "From: a@sender.example\r\nSubject: x\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n";
    for (mail, to, message) in [
        // It does not ask, or asks for something else.
        (ours.as_str(), format!("<{ACCEPTED}>"), plain(ACCEPTED)),
        (ours.as_str(), format!("<{ACCEPTED}> NOTIFY=FAILURE,DELAY"), plain(ACCEPTED)),
        (ours.as_str(), format!("<{ACCEPTED}> NOTIFY=NEVER"), plain(ACCEPTED)),
        // It is refused: the client reports that.
        (ours.as_str(), format!("<{REFUSED}> NOTIFY=SUCCESS"), plain(REFUSED)),
        // Nobody is there to hear it, or somebody else would.
        ("<>", wanted.clone(), plain(ACCEPTED)),
        (stranger, wanted.clone(), plain(ACCEPTED)),
        // An answer is not answered.
        (ours.as_str(), wanted.clone(), report.as_bytes().to_vec()),
    ] {
        let answers = hand_in(&listener, mail, &[&to], &message);
        let code = if to.contains("reject") { "550" } else { "250" };
        assert!(answers[0].starts_with(code), "{mail} {to}: {answers:?}");
    }
    let body = b"what only the recipient is to read\r\n";
    let message = signed(ACCEPTED, "X-Mark: news\r\n", body);
    let answers = hand_in(&listener, &format!("{ours} RET=FULL ENVID=e+2B1"), &[&wanted], &message);
    assert!(answers[0].starts_with("250"), "{answers:?}");
    wait_for(60, "the report", || !senders.mails().is_empty());
    listener.stop();
    let [report] = &senders.mails()[..] else { panic!("{:?}", senders.mails()) };
    assert_eq!((report.from.as_str(), report.to.as_str()), ("", SENDER));
    let text = String::from_utf8_lossy(&report.data);
    for line in [
        "Action: delivered",
        "Status: 2.0.0",
        "Original-Envelope-Id: e+1",
        "Original-Recipient: rfc822; first+last@sender.example",
        &format!("Final-Recipient: rfc822; {ACCEPTED}"),
        "Auto-Submitted: auto-replied",
        "Content-Type: text/rfc822-headers",
        "X-Mark: news",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("only the recipient"), "{text}");
    assert_eq!((sandbox.counter("success_report_sent"), sandbox.counter("success_report_loop")), (1, 1));
}

#[test]
fn a_bounce_has_as_much_of_the_message_as_the_sender_wants_back_and_is_not_sent_to_one_that_wants_none() {
    let senders = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(senders.port);
    let listener = Listener::start(&sandbox, &[]);
    let message = signed(BOUNCED, "X-Mark: news\r\n", b"the text of the message\r\n");
    let to = format!("<{BOUNCED}>");
    for (number, (ret, has_text)) in
        [("", true), (" RET=FULL", true), (" RET=HDRS", false)].iter().enumerate()
    {
        hand_in(&listener, &format!("<{SENDER}>{ret}"), &[&to], &message);
        wait_for(60, "the bounce", || senders.mails().len() == number + 1);
        let text = String::from_utf8_lossy(&senders.mails()[number].data).into_owned();
        assert!(text.contains("Action: failed") && text.contains("X-Mark: news"), "{text}");
        assert_eq!(text.contains("the text of the message"), *has_text, "{ret}: {text}");
    }
    for notify in ["NEVER", "SUCCESS", "DELAY"] {
        hand_in(&listener, &format!("<{SENDER}>"), &[&format!("{to} NOTIFY={notify}")], &message);
    }
    wait_for(60, "the steps", || sandbox.counter("oob_unwanted") == 3);
    listener.stop();
    assert_eq!(senders.mails().len(), 3, "no bounce, and no report of a delivery");
    let log = sandbox.run(&["log", "--json"], b"").stdout;
    assert!(log.contains("the sender wants no report of failures"), "{log}");
}
