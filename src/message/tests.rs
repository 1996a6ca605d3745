//! Whole messages, plain and hostile.

use super::*;

fn html(head: &str, body: &[u8]) -> Vec<u8> {
    let mut raw = format!("{head}Content-Type: text/html\r\n\r\n").into_bytes();
    raw.extend(body);
    raw
}

fn urls<'a>(message: &'a Message<'_>) -> Vec<&'a str> {
    message.links().iter().map(|link| &*link.url).collect()
}

#[test]
fn a_plain_message_tells_all_it_knows() {
    let raw = b"Received: from h (r [192.0.2.7]) by mx for <to@x.example>; d\r\n\
        From: =?utf-8?q?J=C3=BCrgen?= <j@a.example>\r\nTo: a@x.example\r\nto: B <b@x.example>\r\n\
        Date: Mon,\r\n 1 Jan 2024 00:00:00 +0000\r\nMessage-ID:\r\n <1.2@a.example>\r\n\
        Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n\r\nHello\r\n";
    let message = Message::read(raw);
    assert_eq!(message.header("FROM").as_deref(), Some("Jürgen <j@a.example>"));
    assert_eq!(message.headers("To"), ["a@x.example", "B <b@x.example>"]);
    assert_eq!(message.addresses("to"), ["a@x.example", "b@x.example"]);
    assert_eq!(message.date().as_deref(), Some("Mon, 1 Jan 2024 00:00:00 +0000"));
    assert_eq!(message.message_id().as_deref(), Some("1.2@a.example"));
    assert_eq!(message.subject().as_deref(), Some("Grüße"));
    let received = Received::parse(&message.header("Received").unwrap());
    assert_eq!(received.for_recipient.as_deref(), Some("to@x.example"));
    assert_eq!((message.raw(), message.body()), (&raw[..], &b"Hello\r\n"[..]));
    assert!(message.header_block().ends_with(b"\r\n\r\n") && message.links().is_empty());
    assert_eq!(message.defects(), [Defect::Repeated("To")]);
}

#[test]
fn the_html_body_is_the_first_that_is_shown() {
    let part = |head: &str, host: &str| {
        format!("--b\r\nContent-Type: text/html\r\n{head}\r\n<a href=http://{host}/>\r\n")
    };
    let raw = format!(
        "Content-Type: multipart/mixed; boundary=b\r\nList-Unsubscribe: <http://two.example/>\r\n\r\n\
         {}{}{}--b--\r\n",
        part("Content-Disposition: attachment; filename=x.html\r\n", "one.example"),
        part(
            "Content-Transfer-Encoding: quoted-printable\r\n",
            "two.example/>=\r\n<a href=3Dhttp://2b.example"
        ),
        part("", "three.example"),
    );
    let message = Message::read(raw.as_bytes());
    assert_eq!(urls(&message), ["http://two.example/", "http://2b.example/"]);
    assert_eq!(message.links()[0].kind, LinkKind::ListUnsubscribe);
}

#[test]
fn b4_eight_bit_and_binary_bodies_are_read() {
    let latin1 = html("", b"\xfc\xff\x00<a href='http://x.example/\xe9'><img src=http://x.example/i>");
    let message = Message::read(&latin1);
    assert_eq!(urls(&message), ["http://x.example/%EF%BF%BD"]);
    assert_eq!(message.images(), ["http://x.example/i"]);
    assert_eq!(message.defects(), [Defect::NulByte]);
}

#[test]
fn b23_a_message_without_received_date_or_from_is_a_message() {
    let message = Message::read(b"Subject: x\r\n\r\n");
    assert_eq!((message.header("Received"), message.date(), message.message_id()), (None, None, None));
    assert_eq!(message.addresses("From"), [""; 0]);
}

#[test]
fn b24_an_html_body_in_an_unknown_charset_has_its_links() {
    let raw = b"Content-Type: text/html; charset=\"x-martian\"\r\n\r\n\xff<a href=http://x.example>";
    let message = Message::read(raw);
    assert_eq!(urls(&message), ["http://x.example/"]);
    assert_eq!(message.defects()[0].to_string(), "an HTML body in the unknown charset \"x-martian\"");
}

#[test]
fn b25_ten_thousand_recipients_are_read_in_one_pass() {
    let mailbox = |n| format!("\"Last, First\" <user{n}@bounce.example.com>,\r\n ");
    let raw = format!("To: {}\r\n\r\n", (0..12_000).map(mailbox).collect::<String>());
    let (found, work) = work::of(|| Message::read(raw.as_bytes()).addresses("To"));
    assert_eq!(found.len(), MAX_ADDRESSES);
    assert!(work <= 3 * raw.len(), "{work} bytes read of {}", raw.len());
}

#[test]
fn an_address_list_is_never_cut_inside_an_address() {
    let raw = format!(
        "To: {}\r\n\r\n",
        "u@very-long.example.com,".repeat(100).replace('u', &"u".repeat(500)).repeat(30)
    );
    let found = Message::read(raw.as_bytes()).addresses("To");
    assert!(found.len() > 1_000 && found.iter().all(|address| address.ends_with(".example.com")));
}

#[test]
fn no_header_at_all_is_a_defect_not_an_error() {
    for raw in [&b""[..], b"\r\n", b"no header\n", b"\0", b": x\n"] {
        let message = Message::read(raw);
        assert_eq!(message.header("Subject"), None);
        assert_eq!(message.defects().is_empty(), raw.len() < 3 && raw != b"\0", "{raw:?}");
    }
    let message = Message::read(b"A: 1\rB: 2\nC: 3");
    assert_eq!((message.header("B"), message.header("A").as_deref()), (None, Some("1B: 2")));
    assert_eq!(message.defects(), [Defect::BareCr]);
}

#[test]
fn work_grows_with_the_message_and_no_faster() {
    let big = |line: &str| line.repeat(50_000_000 / line.len());
    for line in ["aGVsbG8gd29ybGQ\r\n", "--\n", "\r", "<a href='http://x/'>", "="] {
        let raw = html("Content-Transfer-Encoding: quoted-printable\r\n", big(line).as_bytes());
        let (message, work) = work::of(|| Message::read(&raw));
        assert!(work < 1_000, "the body is not read before it is asked for");
        let (_, work) = work::of(|| message.defects());
        assert!(work <= 3 * raw.len(), "{line:?}: {work} bytes read of {}", raw.len());
    }
}

#[test]
fn mutated_messages_never_panic() {
    let seed: &[u8] = b"Received: from h (r [IPv6:::1]) by mx for <a@b>; d\r\nTo: \"a\" <a@b>, g: c@d;\r\n\
        Subject: =?utf-8?b?4pi6?= =?x?q?=3D?=\r\nList-Unsubscribe: <http://u/>\r\n\
        Content-Type: multipart/mixed; boundary*0=b; boundary*1*=utf-8''c\r\n\r\n\
        --bc\r\nContent-Type: text/html; charset=utf-16\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nPGEgaHJlZj0n\r\n--bc--\r\n";
    let mut random = fastrand::Rng::with_seed(1523);
    for _ in 0..20_000 {
        let mut raw = seed.to_vec();
        for _ in 0..random.usize(1..20) {
            let at = random.usize(..raw.len());
            match random.u8(..4) {
                0 => raw[at] = random.u8(..),
                1 => raw[at] = random.choice(b"\r\n:;=?\"'<>()[]\\ \0-@,").copied().unwrap_or(0),
                2 => raw.truncate(at.max(1)),
                _ => raw.extend_from_within(at..),
            }
        }
        let message = Message::read(&raw);
        message.defects();
        for value in message.headers("Received") {
            Received::parse(&value);
        }
        message.addresses("To");
        for field in message.raw_fields() {
            field.decoded();
        }
        for part in message.parts() {
            part.text(usize::MAX);
        }
    }
}
