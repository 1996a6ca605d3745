//! Bounces, complaints and their way to a mail exchanger.

use crate::deadline::two_seconds;
use crate::harness::peers::{ACCEPT, Arrived, Manner, SmtpPeer};
use crate::harness::{DRIP, MINUTE_MS, SENDER, SILENT, Sandbox, plain, signed, wait_for};
use mail_parser::{MessageParser, MimeHeaders};
use std::time::{Duration, Instant};

/// The three parts of a report.
fn parts(mail: &Arrived) -> (String, String, Vec<u8>) {
    let parsed = MessageParser::default().parse(&mail.data).unwrap();
    let kinds: Vec<String> = parsed
        .parts
        .iter()
        .filter_map(|part| part.content_type())
        .map(|kind| format!("{}/{}", kind.c_type, kind.c_subtype.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(kinds[0], "multipart/report", "{kinds:?}");
    let text = String::from_utf8_lossy(&mail.data).into_owned();
    let boundary = text.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
    let delimiter = format!("\r\n--{boundary}");
    let mut sections = Vec::new();
    let mut rest = &mail.data[..];
    while let Some(at) = rest.windows(delimiter.len()).position(|window| window == delimiter.as_bytes()) {
        sections.push(rest[..at].to_vec());
        rest = &rest[at + delimiter.len()..];
    }
    assert!(rest.starts_with(b"--\r\n") && sections.len() == 4, "{text}");
    let original = sections[3].windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let header = String::from_utf8_lossy(&sections[0]).into_owned();
    (header, String::from_utf8_lossy(&sections[2]).into_owned(), sections[3][original + 4..].to_vec())
}

#[test]
fn b5_b37_a_bounce_is_a_proper_report_with_the_original_byte_for_byte() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let long = format!("X-MSFBL: {}\r\n", "abcDEF123+/=".repeat(60));
    let message =
        signed("x@oob.sink.example", &long, b".leading dot\r\n..two\r\n caf\xc3\xa9 \xff\xfe\r\n\r\n");
    let arguments = [
        "pipe",
        "--sender",
        SENDER,
        "--recipient",
        "x@oob.sink.example",
        "--client-address",
        "192.0.2.1",
        "--original-recipient",
        "y@sink.example",
        "--envid",
        "E1",
    ];
    sandbox.run(&arguments, &message).silent();
    let mails = peer.mails();
    assert_eq!((mails[0].from.as_str(), mails[0].to.as_str()), ("", SENDER));
    let (header, report, original) = parts(&mails[0]);
    for field in [
        "Date: ",
        "Message-ID: <",
        "MIME-Version: 1.0",
        "From: Mail Delivery System <MAILER-DAEMON@oob.sink.example>",
        "Auto-Submitted: auto-",
        "report-type=delivery-status",
    ] {
        assert!(header.contains(field), "{field}: {header}");
    }
    for field in [
        "Original-Envelope-Id: E1",
        "Reporting-MTA: dns; ",
        "Original-Recipient: rfc822; y@sink.example",
        "Final-Recipient: rfc822; x@oob.sink.example",
        "Action: failed",
        "Status: 5.1.1",
        "Diagnostic-Code: smtp; 550 5.1.1 user unknown",
    ] {
        assert!(report.contains(field), "{field}: {report}");
    }
    assert_eq!(original, message, "{}", String::from_utf8_lossy(&original));
}

#[test]
fn b37_a_complaint_is_a_proper_feedback_report() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let long = format!("X-MSFBL: {}\r\n", "abcDEF123+/=".repeat(60));
    let message = signed("x@fbl.sink.example", &long, b"caf\xe9\r\n");
    sandbox.pipe("x@fbl.sink.example", &message).silent();
    let mails = peer.mails();
    assert_eq!((mails[0].from.as_str(), mails[0].to.as_str()), ("x@fbl.sink.example", "fbl@sender.example"));
    let (header, report, original) = parts(&mails[0]);
    assert!(
        header.contains("report-type=feedback-report")
            && header.contains("Date: ")
            && header.contains("Message-ID: <"),
        "{header}"
    );
    for field in [
        "Feedback-Type: abuse",
        "User-Agent: carom/",
        "Version: 1",
        "Original-Mail-From: <alice@sender.example>",
        "Original-Rcpt-To: <x@fbl.sink.example>",
        "Source-IP: 192.0.2.1",
        "Reported-Domain: sender.example",
    ] {
        assert!(report.contains(field), "{field}: {report}");
    }
    assert_eq!(original, message);
}

#[test]
fn b23_what_is_not_known_is_left_out_of_a_report() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).settings("require_spf = false");
    let message =
        crate::harness::sign(b"From: a@sender.example\r\nSubject: x\r\nMessage-ID: <1@x>\r\n\r\nx\r\n");
    for recipient in ["x@oob.sink.example", "x@fbl.sink.example"] {
        sandbox.run(&["pipe", "--sender", SENDER, "--recipient", recipient], &message).silent();
    }
    sandbox
        .run(
            &[
                "pipe",
                "--sender",
                SENDER,
                "--recipient",
                "x@fbl.sink.example",
                "--client-address",
                "IPv6:2001:db8::7",
            ],
            &message,
        )
        .silent();
    let mails = peer.mails();
    assert!(mails.iter().all(|mail| !String::from_utf8_lossy(&mail.data).contains("None")));
    assert!(!parts(&mails[1]).1.contains("Source-IP"));
    assert!(parts(&mails[2]).1.contains("Source-IP: 2001:db8::7"));
}

#[test]
fn bouncy_sinks_form_of_a_bounce_is_a_setting() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).settings("bounce_sender = \"recipient\"");
    sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example")).silent();
    let mails = peer.mails();
    assert_eq!(mails[0].from, "x@oob.sink.example");
    assert!(parts(&mails[0]).0.contains("From: <x@oob.sink.example>"));
}

#[test]
fn nothing_can_be_smuggled_into_a_report() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let message = signed(
        "x@fbl.sink.example",
        "X-Other: =?utf-8?q?a=0D=0ABcc=3A_victim=40example.org?=\r\nReply-To: x@y\r\n",
        b"x\r\n",
    );
    let recipient = "x\r\nBcc: victim@example.org\r\n@fbl.sink.example";
    sandbox.run(
        &["pipe", "--sender", SENDER, "--recipient", recipient, "--client-address", "192.0.2.1"],
        &message,
    );
    let subject = "Subject: =?utf-8?q?hi=0D=0ABcc=3A_victim=40example.org?=\r\n";
    let other = crate::harness::sign(
        format!("From: a@sender.example\r\n{subject}Message-ID: <2@x>\r\n\r\nx\r\n").as_bytes(),
    );
    sandbox.pipe("x@fbl.sink.example", &other).silent();
    for mail in peer.mails() {
        let (header, report, _) = parts(&mail);
        let smuggled = |text: &str| text.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc:"));
        assert!(!smuggled(&header) && !smuggled(&report), "{header}\n{report}");
    }
}

#[test]
fn b11_the_next_mail_exchanger_is_tried_and_then_the_outbox_keeps_it() {
    let sandbox = Sandbox::new();
    let second = SmtpPeer::at("127.0.0.2", sandbox.smtp_port, ACCEPT);
    sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example")).silent();
    assert_eq!(second.mails().len(), 1, "127.0.0.1 refuses, 127.0.0.2 takes it");
    second.behave(Manner { at: ".", reply: "451 4.3.0 not now" });
    sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example")).silent();
    let owed = sandbox.run(&["outbox"], b"").stdout;
    assert!(owed.contains("bounce") && owed.contains("not now") && owed.contains("1 try"), "{owed}");
    assert_eq!((sandbox.counter("oob_sent"), sandbox.counter("oob_deferred")), (1, 1));
    // A minute or so later it is due.
    second.behave(ACCEPT);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!(second.mails().len(), 1, "not before its time");
    sandbox.advance(2 * MINUTE_MS);
    sandbox.run(&["cron"], b"").silent();
    sandbox.run(&["cron"], b"").silent();
    assert_eq!((second.mails().len(), sandbox.counter("oob_sent")), (2, 2));
}

#[test]
fn a_refusal_for_good_is_not_tried_again() {
    let peer = SmtpPeer::start(Manner { at: "RCPT", reply: "550 5.1.1 no such user" });
    let sandbox = Sandbox::new().smtp_port(peer.port);
    sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example")).silent();
    assert_eq!(sandbox.counter("oob_smtp_error"), 1);
    assert!(sandbox.run(&["outbox"], b"").stdout.contains("nothing is pending"));
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains("not sent to <") && log.contains("no such user"), "{log}");
}

#[test]
fn b9_silent_and_dripping_mail_exchangers_hold_nobody() {
    for manner in [SILENT, DRIP] {
        let peer = SmtpPeer::start(manner);
        let sandbox = Sandbox::new().smtp_port(peer.port).config("[send]\ntimeout = 2");
        let began = Instant::now();
        sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example")).silent();
        assert!(began.elapsed() < Duration::from_secs(8), "{manner:?}: {:?}", began.elapsed());
        assert_eq!(sandbox.counter("oob_deferred"), 1, "{manner:?}");
    }
}

#[test]
fn the_deadline_of_the_message_ends_well_once_it_is_promised() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = two_seconds(Sandbox::new().smtp_port(peer.port));
    let began = Instant::now();
    sandbox.pipe("x@oob.sink.example", &plain("x@oob.sink.example")).silent();
    assert!(began.elapsed() < Duration::from_secs(5));
    peer.behave(ACCEPT);
    wait_for(30, "the bounce", || {
        sandbox.advance(2 * MINUTE_MS);
        sandbox.run(&["cron"], b"").silent();
        peer.mails().len() == 1
    });
}
