//! What is never answered, so that no two programs write to each other for ever.

use crate::harness::peers::{ACCEPT, Arrived, SmtpPeer};
use crate::harness::{DAY_MS, SENDER, Sandbox, signed};

/// Delivers a signed message with these fields on top, and tells whether anything was sent because of it.
fn is_answered(sandbox: &Sandbox, peer: &SmtpPeer, sender: &str, recipient: &str, top: &str) -> bool {
    let before = peer.mails().len();
    let message = [top.as_bytes(), &signed(recipient, "", b"hello\r\n")].concat();
    let arguments = ["pipe", "--sender", sender, "--recipient", recipient, "--client-address", "192.0.2.1"];
    sandbox.run(&arguments, &message).silent();
    peer.mails().len() > before
}

const HOP: &str =
    "Received: from a.example (a.example [192.0.2.1]) by b.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n";

#[test]
fn mail_that_goes_in_circles_is_not_answered_and_that_is_counted_and_logged() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    for (recipient, counter) in [
        ("x@oob.sink.example", "oob_loop"),
        ("x@fbl.sink.example", "fbl_loop"),
        ("ooto@sink.example", "autoreply_loop"),
    ] {
        let delivered = format!("Delivered-To: {recipient}\r\n");
        assert!(is_answered(&sandbox, &peer, SENDER, recipient, &HOP.repeat(50)), "{recipient}");
        // Each sender gets one automatic reply a week.
        let bob = "bob@sender.example";
        assert!(is_answered(&sandbox, &peer, bob, recipient, &delivered), "{recipient}");
        assert_eq!(sandbox.counter(counter), 0);
        assert!(!is_answered(&sandbox, &peer, SENDER, recipient, &HOP.repeat(51)), "{recipient}");
        assert!(!is_answered(&sandbox, &peer, SENDER, recipient, &delivered.repeat(2)), "{recipient}");
        assert_eq!(sandbox.counter(counter), 2, "{:?}", sandbox.counters());
    }
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains("goes in circles, it has 51 Received headers"), "{log}");
    let strict = Sandbox::new().smtp_port(peer.port).config("[send]\nmax_received = 2\n");
    assert!(!is_answered(&strict, &peer, SENDER, "x@oob.sink.example", &HOP.repeat(3)));
}

#[test]
fn null_senders_lists_and_automatic_mail_get_no_automatic_reply() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let recipient = "ooto@sink.example";
    for top in [
        "Auto-Submitted: auto-replied\r\n",
        "Precedence: bulk\r\n",
        "List-Id: <list.sender.example>\r\n",
        "List-Unsubscribe: <https://sender.example/off>\r\n",
        "X-Auto-Response-Suppress: All\r\n",
    ] {
        assert!(!is_answered(&sandbox, &peer, SENDER, recipient, top), "{top}");
    }
    assert_eq!(sandbox.counter("autoreply_suppressed"), 5);
    for recipient in [recipient, "x@oob.sink.example", "x@fbl.sink.example"] {
        assert!(!is_answered(&sandbox, &peer, "", recipient, ""), "{recipient}");
    }
}

/// A hop on the way, and what it leaves of a message.
type Hop = fn(&[u8]) -> Vec<u8>;

/// Leaves out header fields, by their names in lower case.
fn without(message: &[u8], drop: impl Fn(&str) -> bool) -> Vec<u8> {
    let text = String::from_utf8_lossy(message).into_owned();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    let mut kept = Vec::new();
    let mut keep = true;
    for line in header.split("\r\n") {
        if !line.starts_with([' ', '\t']) {
            keep = !drop(&line.split(':').next().unwrap().to_lowercase());
        }
        if keep {
            kept.push(line);
        }
    }
    format!("{}\r\n\r\n{body}", kept.join("\r\n")).into_bytes()
}

const HOPS: [(&str, Hop); 7] = [
    ("all is left", |message| message.to_vec()),
    ("fields that it does not know are gone", |message| without(message, |name| name.starts_with("x-"))),
    ("and the Message-ID is another", |message| {
        without(message, |name| name.starts_with("x-") || name == "message-id")
    }),
    ("and Auto-Submitted is gone", |message| {
        without(message, |name| name.starts_with("x-") || ["message-id", "auto-submitted"].contains(&name))
    }),
    ("only the Message-ID is left", |message| {
        let drop = ["auto-submitted", "content-type", "mime-version"];
        without(message, |name| name.starts_with("x-") || drop.contains(&name))
    }),
    ("only its words are left", |message| {
        let drop = ["auto-submitted", "content-type", "mime-version", "message-id"];
        without(message, |name| name.starts_with("x-") || drop.contains(&name))
    }),
    ("a list wraps it", |message| {
        let text = String::from_utf8(without(message, |name| {
            name.starts_with("x-") || ["message-id", "auto-submitted"].contains(&name)
        }));
        text.unwrap().replacen("multipart/report", "multipart/mixed", 1).into_bytes()
    }),
];

/// A sink for `own` whose answers go to `complaints` and to the return paths of `other`.
fn sink(own: &str, other: &str, complaints: &str, settings: &str) -> (Sandbox, SmtpPeer) {
    let peer = SmtpPeer::start(ACCEPT);
    let settings = format!("require_dkim = false\nrequire_spf = false\n{settings}");
    let sandbox = Sandbox::new().settings(&settings).smtp_port(peer.port);
    let config = std::fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    let allowed = format!("\"mx.{other}\" = \"{complaints}\"\n\"mx1.sender.example\"");
    let config = config.replace("sink.example", own).replace("\"mx1.sender.example\"", &allowed);
    std::fs::write(sandbox.path("carom.toml"), config).unwrap();
    let names = ["", "fbl.", "oob."].map(|label| format!("{label}{other}. 300 IN MX 10 mx.{other}.\n"));
    let zone = std::fs::read_to_string(sandbox.path("zone")).unwrap();
    let zone = format!("{zone}{}mx.{other}. 300 IN A 127.0.0.1\n", names.concat());
    std::fs::write(sandbox.path("zone"), zone).unwrap();
    (sandbox, peer)
}

#[test]
fn b12_two_caroms_that_answer_each_other_stop_at_the_first_turn() {
    for (start, settings, complaints) in [
        ("x@fbl", "", "x@fbl"),
        ("x@fbl", "bounce_sender = \"recipient\"", "x@oob"),
        ("x@oob", "bounce_sender = \"recipient\"", "x@oob"),
        ("x@oob", "", "x@fbl"),
        ("ooto@", "", "x@fbl"),
    ] {
        let at = |local: &str, domain: &str, number: usize| {
            let (user, label) = local.split_once('@').unwrap();
            let dot = if label.is_empty() { "" } else { "." };
            format!("{user}+n{number}@{label}{dot}{domain}")
        };
        let (left, right) = ("left.example", "right.example");
        let caroms = [
            (left, sink(left, right, &at(complaints, right, 0), settings)),
            (right, sink(right, left, &at(complaints, left, 0), settings)),
        ];
        for (number, (what_is_left, hop)) in HOPS.into_iter().enumerate() {
            let told = |mail: &Arrived| {
                let (_, (sandbox, _)) = caroms.iter().find(|(own, _)| mail.to.ends_with(own)).unwrap();
                let arguments = ["pipe", "--sender", &mail.from, "--recipient", &mail.to];
                let more = ["--client-address", "127.0.0.1", "--client-helo", "mx"];
                sandbox.run(&[&arguments[..], &more].concat(), &mail.data).silent();
            };
            let seen = || caroms.iter().map(|(_, (_, peer))| peer.mails().len()).collect::<Vec<_>>();
            let (mut before, mut answers) = (seen(), 0);
            let (from, to) = (at(start, right, number), at(start, left, number));
            let data = format!(
                "From: <{from}>\r\nTo: <{to}>\r\nSubject: news\r\nMessage-ID: <{number}@x>\r\n\r\nhello\r\n"
            );
            told(&Arrived { from, to, data: data.into_bytes() });
            for _ in 0..4 {
                let after = seen();
                for (place, (_, (_, peer))) in caroms.iter().enumerate() {
                    for mail in &peer.mails()[before[place]..after[place]] {
                        answers += 1;
                        told(&Arrived { data: hop(&mail.data), ..mail.clone() });
                    }
                }
                before = after;
            }
            assert_eq!(answers, 1, "{start} {settings}: {what_is_left}");
            // The next automatic reply to the same sender.
            caroms.iter().for_each(|(_, (sandbox, _))| sandbox.advance(8 * DAY_MS));
        }
    }
}

#[test]
fn a_sender_gets_one_automatic_reply_a_week() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let write = |sender: &str, number: usize| {
        let (recipient, queue_id) = ("ooto@sink.example", format!("4Q{number}"));
        let arguments =
            ["pipe", "--sender", sender, "--recipient", recipient, "--client-address", "192.0.2.1"];
        let message = signed(recipient, "", b"are you there?\r\n");
        sandbox.run(&[&arguments[..], &["--queue-id", &queue_id]].concat(), &message).silent();
    };
    std::thread::scope(|scope| {
        for number in 0..6 {
            let write = &write;
            let others = [
                "prvs=0686aabbcc=Alice@sender.example",
                "\"alice\"@sender.example",
                "alice+a@sender.example",
            ];
            let sender = if number % 2 == 0 { SENDER } else { others[number / 2] };
            scope.spawn(move || write(sender, number));
        }
    });
    assert_eq!((peer.mails().len(), sandbox.counter("autoreply_sent")), (1, 1));
    write("bob@sender.example", 10);
    assert_eq!(peer.mails().len(), 2, "another sender");
    sandbox.advance(6 * DAY_MS);
    write(SENDER, 11);
    assert_eq!(peer.mails().len(), 2, "within the week");
    assert_eq!(sandbox.counter("autoreply_suppressed"), 6);
    sandbox.advance(2 * DAY_MS);
    write(SENDER, 12);
    assert_eq!(peer.mails().len(), 3, "after it");
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains("the sender got an automatic reply within a week"), "{log}");
}
