//! Whole reports, plain, mutated and hostile.

use super::*;
use crate::message::work;

const SAMPLES: [&[u8]; 8] = [
    include_bytes!("../../tests/reports/postfix-text.eml"),
    include_bytes!("../../tests/reports/postfix-dsn.eml"),
    include_bytes!("../../tests/reports/sendmail.eml"),
    include_bytes!("../../tests/reports/chinese.eml"),
    include_bytes!("../../tests/reports/outlook-html.eml"),
    include_bytes!("../../tests/reports/forwarded.eml"),
    include_bytes!("../../tests/reports/arf-abuse.eml"),
    include_bytes!("../../tests/reports/broken-mime.eml"),
];
/// How often a byte of a message is read, at most, by all readers together.
const MAX_LOOKS: usize = 60;

fn of(raw: &[u8]) -> Report {
    read(&Message::read(raw))
}

#[test]
fn a_recipient_says_where_it_was_found() {
    let report = of(SAMPLES[1]);
    let recipient = &report.recipients[0];
    assert_eq!((recipient.reader, recipient.line, recipient.stage), ("delivery-status", 26, "DATA"));
    assert_eq!(recipient.diagnostic, "550-5.7.1 The content was refused by our filter");
    assert_eq!(report.original.message_id.as_deref(), Some("spring.1@sender.example.com"));
    assert_eq!(report.original.to.as_deref(), Some("reader@rcpt.example.org"));
}

#[test]
fn lines_of_an_enclosed_report_are_those_of_the_message() {
    let report = of(SAMPLES[5]);
    let line = String::from_utf8_lossy(SAMPLES[5])
        .lines()
        .position(|line| line.starts_with("Final-Recipient"))
        .unwrap();
    assert_eq!(report.recipients[0].line as usize, line + 1);
}

#[test]
fn a_mailbox_reports_together() {
    let mailbox = [b"From a Tue\n", SAMPLES[0], b"\n\nFrom b Tue\n", SAMPLES[1]].concat();
    assert_eq!(read_file(&mailbox).recipients.len(), 3);
    assert_eq!(read_file(SAMPLES[1]), of(SAMPLES[1]));
}

#[test]
fn mutated_reports_never_panic_and_never_take_long() {
    let mut random = fastrand::Rng::with_seed(3464);
    for _ in 0..500 {
        let mut raw = random.choice(SAMPLES).unwrap_or_default().to_vec();
        for _ in 0..random.usize(1..30) {
            let at = random.usize(..raw.len());
            match random.u8(..5) {
                0 => raw[at] = random.u8(..),
                1 => raw[at] = random.choice(b"\r\n:;=?\"<>()[]\\ \0-@,").copied().unwrap_or(0),
                2 => raw.truncate(at.max(1)),
                3 => raw.retain(|&byte| byte != b'\n'),
                _ => raw.extend_from_within(at..),
            }
            raw.truncate(100_000);
            raw.push(b'.');
        }
        let (report, work) = work::of(|| of(&raw));
        for recipient in report.recipients {
            assert!(recipient.address.contains('@') && recipient.address.len() < 400);
        }
        assert!(work <= MAX_LOOKS * (raw.len() + 1_000), "{work} bytes read of {}", raw.len());
    }
}

#[test]
fn work_grows_with_the_message_and_no_faster() {
    let head = "From: MAILER-DAEMON@x.example\r\nSubject: failure\r\n";
    let status =
        "Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n";
    for line in [
        "<a@x.example>: not delivered\r\n",
        "Final-Recipient: rfc822;a@x.example\r\nAction: failed\r\n\r\n",
        "@",
        "\"@",
        "<",
        "550 5.7.1 ",
        "original message\r\n",
        "\r",
        ">>> RCPT TO:<a@x>\r\n<<< 550 no\r\n",
        "undeliverable to a@x.example ",
        "Recipient: <a@x.example>\r\n",
        "Received: x\r\n",
        "--aaaaaaaaaaaa\r\n",
    ] {
        for kind in ["", status, "Content-Type: text/html\r\n"] {
            let raw = format!("{head}{kind}\r\n<br>\r\n{}", line.repeat(10_000_000 / line.len()));
            let (report, work) = work::of(|| of(raw.as_bytes()));
            assert!(report.recipients.len() <= MAX_RECIPIENTS);
            assert!(work <= MAX_LOOKS * raw.len(), "{line:?}: {work} bytes read of {}", raw.len());
        }
    }
}
