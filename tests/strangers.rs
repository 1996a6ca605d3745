//! A stranger tries to suppress a live address with everything that can be written into a message, at every entrance, under
//! settings that believe as much as settings can, and with policies that ask for no proof.

use crate::bounces::{OWN, STRANGER, dsn_of, is_suppressed, signed_path};
use crate::forgery::logged;
use crate::harness::guest::Guest;
use crate::harness::{DAY_MS, Sandbox};
use crate::proof::Entrance::{PipeAbsent, PipeEmpty, PipeWithClient, SmtpItself};
use crate::proof::{
    Arriving, BOUNCES, ENTRANCES, NO_USER, QUEUE_ID, created, credulous, enter, received, report,
};

/// What a stranger writes into a report about the victim, by name.
fn tries() -> Vec<(&'static str, Vec<u8>)> {
    let victim = "victim@there.example";
    let amavis = "Received: from localhost (localhost [127.0.0.1])\r\n\tby localhost (amavisd-new, port 10024) with ESMTP id x\r\n";
    let plain = |header: String| report(&header, victim);
    let text = |message: Vec<u8>| String::from_utf8(message).unwrap();
    let by_its_system = |header: &str| {
        let forged = text(report(header, "victim@sender.example"));
        forged.replace("MAILER-DAEMON@mx.there.example", "MAILER-DAEMON@sender.example").into_bytes()
    };
    let own = created("4QKnown1");
    let original =
        format!("Original-Recipient: rfc822; {victim}\r\nFinal-Recipient: rfc822; nobody@example.com");
    let asked_for = text(report(&created(QUEUE_ID), "nobody@example.com"))
        .replace("Final-Recipient: rfc822; nobody@example.com", &original);
    let inner = text(plain(String::new())).replace("\"b\"", "\"inner\"").replace("--b", "--inner");
    let returned = "Content-Type: text/rfc822-headers\r\n\r\n";
    let enclosed = text(report(&created(QUEUE_ID), "nobody@example.com"))
        .replace(returned, &format!("Content-Type: message/rfc822\r\n\r\n{inner}\r\n--b\r\n{returned}"));
    vec![
        ("nothing", plain(String::new())),
        ("a trace of loopback", plain(received("127.0.0.1", QUEUE_ID))),
        ("a trace of our server", plain(received(OWN, QUEUE_ID))),
        (
            "a filter hands it back",
            plain(received("127.0.0.1", QUEUE_ID) + amavis + &received(STRANGER, "4QFirst")),
        ),
        ("several traces by our server", plain(received(OWN, "4Q1") + &received("127.0.0.1", "4Q2") + &own)),
        ("a trace of bounce(8)", plain(own.clone())),
        ("a trace of bounce(8) below ours", plain(received(STRANGER, QUEUE_ID) + &created(QUEUE_ID))),
        ("forwarded by a user", plain(created(QUEUE_ID) + &received(STRANGER, "4QFirst"))),
        ("sendmail", plain(created(QUEUE_ID).replace("(Postfix)", "(Postfix, from userid 33)"))),
        (
            "XFORWARD",
            plain(format!(
                "XFORWARD NAME=mx.example.com ADDR={OWN} HELO=mx.example.com\r\nX-Forward: ADDR={OWN}\r\n\
                 X-Client-Address: {OWN}\r\nX-Originating-IP: [{OWN}]\r\n"
            )),
        ),
        ("a forged return path", plain(format!("Return-Path: <>\r\nX-Queue-ID: {QUEUE_ID}\r\n"))),
        (
            "forged results",
            by_its_system(
                "Authentication-Results: mx.example.com; dkim=pass header.d=sender.example; dmarc=pass header.from=sender.example\r\n",
            ),
        ),
        (
            "a forged client of the victim's mail system",
            by_its_system(
                "Received: from sender.example (sender.example [192.0.2.1]) by mx.example.com (Postfix) with ESMTP id 4Q3; d\r\n",
            ),
        ),
        ("a message that others got too", dsn_of("many@shop.example", victim, "5.1.1", NO_USER)),
        ("an address that only the sender asked for", asked_for.into_bytes()),
        ("a forged report in a true one", enclosed.into_bytes()),
    ]
}

#[test]
fn b1_a_stranger_suppresses_nobody_at_any_entrance() {
    // What is there by default, and what believes most.
    let loopback = format!("\"{OWN}/32\", \"127.0.0.0/8\", \"::1/128\"");
    for (trust, servers, client) in [("required", "", "127.0.0.1"), ("preferred", &*loopback, STRANGER)] {
        let sandbox = credulous(trust, servers);
        for (entrance, name) in ENTRANCES {
            if entrance == SmtpItself && servers.contains("127.0.0.0/8") {
                // Who connects from a server that is named as ours is no stranger.
                continue;
            }
            let arriving = |(_, message)| Arriving { to: BOUNCES.into(), client, message };
            let arriving: Vec<Arriving> = tries().into_iter().map(arriving).collect();
            enter(&sandbox, entrance, &arriving);
            for victim in ["victim@there.example", "victim@sender.example"] {
                let found = sandbox.run(&["find", victim], b"").stdout;
                assert!(!is_suppressed(&sandbox, victim), "{name}, {trust}: {found}");
            }
        }
    }
}

/// A policy that suppresses the address whatever the report says, by a soft bounce that it calls proven and without one.
fn reckless() -> Guest {
    let address = "alive@there.example";
    let who = format!("(i32.const 64) (i32.const {}) (i32.const 0) (i32.const 0)", address.len());
    let now = "(i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)";
    let after = "(i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)";
    let parameters = format!("(param{}) (result i32)", " i32".repeat(11));
    Guest::new(&format!(
        "(drop (call $strike {who} (i32.const 1) (i32.const 30) (i32.const 1) {now}))
         (drop (call $suppress {who} (i32.const 0) (i32.const 0) (i32.const 0) {after}))
         (drop (call $suppress {who} (i32.const 0) (i32.const 0) (i32.const 0) {now}))"
    ))
    .import("actions", "strike", "$strike", &parameters)
    .import("actions", "suppress", "$suppress", &parameters)
    .text(64, address)
}

/// Recipients that a stranger has our server write to, each with the address of somebody else in it.
const CHOSEN: [&str; 39] = [
    "user=v1@live.example",
    "smtp=v2@live.example",
    "=v3@live.example",
    "'v4@live.example",
    "|v5@live.example",
    "*v6@live.example",
    "/v7@live.example",
    "`v8@live.example",
    "prvs=0686aabbcc=v9@live.example",
    "msprvs1=123456789=v10@live.example",
    "prvs=v11=0686aabbcc@live.example",
    "prvs=v12/0686aabbcc@live.example",
    "SRS0=HHH=TT=live.example=v13@evil.example",
    "\"v14@live.example\"@evil.example",
    "\"v15@live.example x\"@evil.example",
    "\"v16@live.example,\"@evil.example",
    "\"a(v17@live.example)\"@evil.example",
    "\"x\\\"v18@live.example\"@evil.example",
    "\"<v19@live.example>\"@evil.example",
    "\"x;v20@live.example\"@evil.example",
    "\"\\\"v21\\\"\"@live.example",
    "\u{ff41}v22@live.example",
    "\u{3000}v23@live.example",
    "v24@live.example\u{3000}",
    "v25@live.example\u{a0}",
    "\u{200b}v26@live.example",
    "(v27@live.example) evil@evil.example",
    "v28@live.example;x@evil.example",
    "v29@live.example@evil.example",
    "v30@live.example x@evil.example",
    "<v31@live.example",
    "to=<v32@live.example>",
    "mailto:v33@live.example",
    "x,v34@live.example",
    "*@live.example",
    "\"*\"@live.example",
    "v35%live.example@evil.example",
    "v36\\x{40}live.example@evil.example",
    "\"v37@live.example>, relay=none, delay=1, dsn=5.1.1, status=bounced (550 5.1.1 user unknown)\"@evil.example",
];

/// Asserts that of all entries of the suppression list, each is one of these addresses.
fn assert_only(sandbox: &Sandbox, literal: &[&str]) {
    let listed = sandbox.run(&["suppress", "list", "--json"], b"").stdout;
    let known: Vec<String> = literal.iter().map(|address| address.to_lowercase()).collect();
    for line in listed.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        let address = entry["address"].as_str().unwrap().to_owned();
        assert!(known.contains(&address), "suppressed without having been named: {address}");
    }
    for number in 1..=37 {
        let victim = format!("v{number}@live.example");
        assert!(!is_suppressed(sandbox, &victim), "{victim}");
    }
    for plain in ["user=v1@live.example", "prvs=0686aabbcc=v9@live.example", "\u{ff41}v22@live.example"] {
        assert!(is_suppressed(sandbox, plain), "{plain} itself is gone");
    }
}

#[test]
fn a_true_bounce_about_an_address_that_a_stranger_chose_suppresses_that_address_and_no_other() {
    let sandbox = credulous("preferred", "");
    for address in CHOSEN {
        for kind in ["rfc822", "utf-8"] {
            let message = String::from_utf8(report(&created(QUEUE_ID), address)).unwrap();
            let message = message.replace("Final-Recipient: rfc822", &format!("Final-Recipient: {kind}"));
            let message = message.into_bytes();
            enter(&sandbox, PipeEmpty, &[Arriving { to: BOUNCES.into(), client: "", message }]);
        }
    }
    assert_only(&sandbox, &CHOSEN);
}

#[test]
fn our_log_about_an_address_that_a_stranger_chose_suppresses_that_address_and_no_other() {
    let log: String = CHOSEN
        .iter()
        .enumerate()
        .map(|(number, address)| {
            let log = logged(&format!("chosen{number}@shop.example"), address, "bounced");
            log.replace("dsn=2.0.0", "dsn=5.1.1")
                .replace("(250 ok)", "(host mx said: 550 5.1.1 user unknown)")
        })
        .collect();
    let sandbox = crate::forgery::with_log("", &log);
    assert_only(&sandbox, &CHOSEN);
}

#[test]
fn every_policy_is_held_to_the_proof() {
    for (settings, is_suppressed) in
        [("{}", false), ("{ trust = \"preferred\" }", false), ("{ trust = \"off\" }", true)]
    {
        let sandbox = Sandbox::new();
        let file = reckless().write(&sandbox.path("guest.wasm"));
        let guest = format!("[policy.guest]\npath = \"{}\"\nsettings = {settings}\n", file.display());
        let keys =
            "[verp]\nkeys = [\"a key of at least sixteen octets\"]\ndomain = \"bounces.example.com\"\n";
        let sandbox = sandbox.config(&(guest + keys));
        let decide = |to: &str| {
            let arguments = ["pipe", "--policy", "guest", "--sender", "", "--recipient", to];
            sandbox.run(&arguments, &report("", "alive@there.example")).silent();
            sandbox.run(&["suppress", "check", "alive@there.example"], b"").code == 1
        };
        for _ in 0..3 {
            assert_eq!(decide(BOUNCES), is_suppressed, "{settings}");
        }
        if !is_suppressed {
            assert_eq!(sandbox.counter("suppress_unproven"), 3, "{:?}", sandbox.counters());
            assert!(decide(&signed_path(&sandbox, "alive@there.example")), "{settings}: with a proof it may");
        }
    }
}

#[test]
fn what_a_filter_hands_back_from_loopback_is_not_its_own_report() {
    let sandbox = credulous("required", "\"127.0.0.0/8\"");
    let reinjected = received("127.0.0.1", QUEUE_ID) + &received(STRANGER, "4QFirst");
    let from = |header: &str, address: &str| {
        let message = report(header, address);
        enter(&sandbox, PipeWithClient, &[Arriving { to: BOUNCES.into(), client: "127.0.0.1", message }]);
        is_suppressed(&sandbox, address)
    };
    assert!(!from(&reinjected, "victim@there.example"));
    assert!(from(&received("127.0.0.1", QUEUE_ID), "gone@there.example"), "a server on this host");
}

#[test]
fn b14_unproven_reports_alone_suppress_nobody_however_many_and_however_long() {
    let sandbox = credulous("preferred", "");
    for (day, (status, reply)) in
        [("5.1.1", NO_USER), ("5.2.2", "552 5.2.2 mailbox full")].into_iter().cycle().take(12).enumerate()
    {
        sandbox.set_clock(i64::try_from(day).unwrap() * DAY_MS);
        let message = dsn_of(&format!("{day}@shop.example"), "victim@there.example", status, reply);
        enter(&sandbox, PipeWithClient, &[Arriving { to: BOUNCES.into(), client: STRANGER, message }]);
        assert!(!is_suppressed(&sandbox, "victim@there.example"), "day {day}");
    }
    let found = sandbox.run(&["find", "victim@there.example"], b"").stdout;
    assert!(found.contains("unproven"), "{found}");
    // Nor do they hide the true report that comes after them, or help it.
    let path = signed_path(&sandbox, "victim@there.example");
    let message = dsn_of("0@shop.example", "victim@there.example", "5.2.2", "552 5.2.2 mailbox full");
    enter(&sandbox, PipeWithClient, &[Arriving { to: path, client: STRANGER, message }]);
    assert!(is_suppressed(&sandbox, "victim@there.example"), "a threshold of one proven soft bounce");
}

#[test]
fn what_a_stranger_sends_through_our_mail_server_is_not_ours_when_it_comes_back() {
    let sandbox = credulous("required", &format!("\"{OWN}/32\""));
    let returned = |trace: &str, reply: &str, address: &str| {
        let text = String::from_utf8(dsn_of("x@shop.example", address, "5.0.0", reply)).unwrap();
        let (before, after) = text.split_once("Received: from app (localhost [127.0.0.1])").unwrap();
        (created(QUEUE_ID) + before + "Received: from app (" + trace + ")" + after).into_bytes()
    };
    let is_gone = |trace: &str, reply: &str, address: &str| {
        let message = returned(trace, reply, address);
        enter(&sandbox, PipeEmpty, &[Arriving { to: BOUNCES.into(), client: "", message }]);
        is_suppressed(&sandbox, address)
    };
    let full = "552 5.2.2 mailbox full";
    for reply in [NO_USER, full] {
        assert!(!is_gone(&format!("unknown [{STRANGER}]"), reply, "victim@there.example"), "{reply}");
    }
    let hops = "554 5.4.0 Error: too many hops";
    assert!(!is_gone("localhost [127.0.0.1]", hops, "looping@there.example"));
    assert!(is_gone("localhost [127.0.0.1]", full, "full@there.example"), "a threshold of one");
    assert!(is_gone(&format!("app [{OWN}]"), NO_USER, "gone@there.example"));
}

#[test]
fn a_client_address_that_cannot_be_read_is_a_client() {
    let sandbox = credulous("required", "");
    for client in ["x", "fe80::1%eth0", "203.0.113.9 "] {
        let arguments = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", BOUNCES];
        let told = ["--queue-id", QUEUE_ID, "--client-address", client];
        let message = report(&created(QUEUE_ID), "victim@there.example");
        sandbox.run(&[&arguments[..], &told].concat(), &message).silent();
        assert!(!is_suppressed(&sandbox, "victim@there.example"), "{client}");
    }
}

#[test]
fn a_report_that_names_no_sender_suppresses_nobody_for_everybodys_mail() {
    let entries = |author: &str, to: &str| {
        let sandbox = credulous("required", "");
        let report = String::from_utf8(report(&created(QUEUE_ID), "gone@there.example")).unwrap();
        let message = report.replace("From: shop@shop.example", &format!("From: {author}")).into_bytes();
        enter(&sandbox, PipeAbsent, &[Arriving { to: to.to_owned(), client: "", message }]);
        let listed = sandbox.run(&["suppress", "list", "--json"], b"").stdout;
        let entry = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
        let of: Vec<_> = listed.lines().map(|line| entry(line)["sender_domain"].to_string()).collect();
        (of, sandbox.counter("suppress_unproven"))
    };
    assert_eq!(entries("shop", "bounces"), (vec![], 1));
    assert_eq!(entries("shop@shop.example", "bounces"), (vec!["\"shop.example\"".to_owned()], 0));
    assert_eq!(entries("shop", BOUNCES), (vec!["\"bounces.example.com\"".to_owned()], 0));
}
