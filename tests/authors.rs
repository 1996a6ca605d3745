//! What an author's word has an effect by: that author wrote it, to us, and since then. Whoever has a signed message can send it
//! again, and whoever has a name below the same domain is somebody else.

use crate::bounces::{STRANGER, dsn, is_suppressed, sandbox_with, signed_path};
use crate::complaints::complaint;
use crate::forgery::logged;
use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{HOUR_MS, Sandbox, free_port, sign_fields};
use crate::unproven;
use serde_json::Value;
use std::fs;

const JOE: &str = "joe@victim.example";
const KEY: &str = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
const ALL: &[&str] = &["From", "To", "Subject"];

/// A sandbox where soft bounces have suppressed these addresses, with a zone of domains that sign.
fn with_zone(auth: &str, application: u16) -> Sandbox {
    let sandbox = sandbox_with(auth, application, "threshold = 1\ntrust = \"preferred\"");
    let mut zone = fs::read_to_string(sandbox.path("zone")).unwrap();
    let plain =
        ["victim.example", "cust.victim.example", "evil.onmicrosoft.com", "evil.eu.org", "lax.example"];
    let keys = plain.map(|domain| (domain, ""));
    let odd = [("test.example", "t=y; "), ("tls.example", "s=tlsrpt; "), ("old.example", "h=sha1; ")];
    for (domain, tags) in keys.into_iter().chain(odd) {
        zone += &format!("s1._domainkey.{domain}. 300 IN TXT \"v=DKIM1; k=ed25519; {tags}{KEY}\"\n");
    }
    for domain in ["victim.example", "victim.onmicrosoft.com", "tls.example", "test.example"] {
        zone += &format!("_dmarc.{domain}. 300 IN TXT \"v=DMARC1; p=reject; adkim=s; aspf=s\"\n");
    }
    zone += "_dmarc.lax.example. 300 IN TXT \"v=DMARC1; p=reject\"\n\
             victim.example. 300 IN TXT \"v=spf1 ip4:198.51.100.7 -all\"\n\
             two.example. 300 IN TXT \"v=spf1 ip4:192.0.2.66 -all\"\n\
             two.example. 300 IN TXT \"v=spf1 ip4:192.0.2.7 -all\"\n\
             wrong.example. 300 IN TXT \"v=spf1 ip4:192.0.2.66 ip4:999.1.1.1 -all\"\n\
             void.example. 300 IN TXT \"v=spf1 a:a.void.example mx:b.void.example a:c.void.example ip4:192.0.2.66 -all\"\n\
             good.example. 300 IN TXT \"v=spf1 a:a.void.example exists:b.void.example include:spf.good.example -all\"\n\
             spf.good.example. 300 IN TXT \"v=spf1 ip4:192.0.2.66 -all\"\n";
    fs::write(sandbox.path("zone"), zone).unwrap();
    sandbox
}

fn soft(sandbox: &Sandbox, address: &str) {
    let report = dsn(address, "5.2.2", "552 5.2.2 mailbox full");
    let path = signed_path(sandbox, address);
    sandbox.run(&["pipe", "--policy", "bounce", "--sender", "", "--recipient", &path], &report).silent();
    assert!(is_suppressed(sandbox, address), "{address}");
}

fn letter(from: &str, to: &str) -> String {
    format!("From: {from}\r\nTo: <{to}>\r\nSubject: hi\r\n\r\nHello, how are you?\r\n")
}

fn signed(domain: &str, fields: &[&str], message: &str) -> String {
    String::from_utf8(sign_fields(domain, fields, message.as_bytes())).unwrap()
}

const HELP: &str = "help@shop.example";

/// Hands a message in, and tells whether the address is off the list.
fn releases(sandbox: &Sandbox, address: &str, envelope: &[&str], message: &str) -> bool {
    let arguments = ["pipe", "--policy", "bounce", "--recipient", HELP];
    sandbox.run(&[&arguments[..], envelope].concat(), message.as_bytes()).silent();
    !is_suppressed(sandbox, address)
}

const FROM_STRANGER: &[&str] = &["--sender", "x@nowhere.example", "--client-address", STRANGER];

#[test]
fn a_message_to_somebody_else_or_of_earlier_is_no_sign_of_life() {
    let sandbox = with_zone("", free_port());
    soft(&sandbox, JOE);
    let earlier = signed("victim.example", ALL, &letter(JOE, HELP));
    let dated = |date: &str| letter(JOE, HELP).replace("Subject", &format!("Date: {date}\r\nSubject"));
    let with_date = [ALL, &["Date"]].concat();
    let from_elsewhere = letter(JOE, "eve@evil.example");
    let no = |why: &str, message: String| {
        assert!(!releases(&sandbox, JOE, FROM_STRANGER, &message), "{why}");
    };
    no("unsigned", letter(JOE, HELP));
    no("to another", signed("victim.example", ALL, &from_elsewhere));
    no("To added later", signed("victim.example", &["From", "Subject"], &letter(JOE, HELP)));
    no("two To fields", format!("To: <{HELP}>\r\n{}", signed("victim.example", ALL, &from_elsewhere)));
    no("of 2018", signed("victim.example", &with_date, &dated("Mon, 01 Jan 2018 10:00:00 +0000")));
    no("no date", signed("victim.example", &with_date, &dated("yesterday")));
    let topmost = "Received: from x (x [198.51.100.7]) by mx (Postfix) with ESMTP id 1; d\r\n".to_owned();
    let by_trace = topmost + &letter(JOE, HELP);
    assert!(!releases(&sandbox, JOE, &["--sender", JOE], &by_trace), "a Received header is no client");
    let copied = letter(JOE, "eve@else.example").replace("Subject", &format!("Cc: {HELP}\r\nSubject"));
    let copied = signed("victim.example", &["From", "Cc", "Subject"], &copied);
    assert!(releases(&sandbox, JOE, FROM_STRANGER, &copied), "a copy is for us too");
    sandbox.advance(HOUR_MS);
    soft(&sandbox, JOE);
    no("signed before the entry was made", earlier);
    sandbox.advance(HOUR_MS);
    assert!(releases(
        &sandbox,
        JOE,
        &["--sender", JOE, "--client-address", "198.51.100.7"],
        &letter(JOE, HELP)
    ));
}

#[test]
fn the_domains_own_alignment_decides_who_speaks_for_it() {
    let sandbox = with_zone("", free_port());
    for (address, domain, fields, is_released) in [
        (JOE, "cust.victim.example", ALL, false),
        (JOE, "victim.example", ALL, true),
        ("joe@victim.onmicrosoft.com", "evil.onmicrosoft.com", ALL, false),
        ("joe@shop.eu.org", "evil.eu.org", ALL, false),
        ("joe@evil.eu.org", "evil.eu.org", ALL, true),
        ("joe@sub.lax.example", "lax.example", ALL, true),
        ("joe@lax.example", "lax.example", &["To", "Subject"], false),
        ("joe@test.example", "test.example", ALL, false),
        ("joe@tls.example", "tls.example", ALL, false),
        ("joe@old.example", "old.example", ALL, false),
    ] {
        soft(&sandbox, address);
        let message = signed(domain, fields, &letter(address, HELP));
        assert_eq!(
            releases(&sandbox, address, FROM_STRANGER, &message),
            is_released,
            "{address} {domain} {fields:?}"
        );
    }
    for (domain, is_released) in
        [("two.example", false), ("wrong.example", false), ("void.example", false), ("good.example", true)]
    {
        let address = format!("joe@{domain}");
        soft(&sandbox, &address);
        sandbox.advance(HOUR_MS);
        let envelope = ["--sender", &address, "--client-address", STRANGER];
        assert_eq!(releases(&sandbox, &address, &envelope, &letter(&address, HELP)), is_released, "{domain}");
    }
}

#[test]
fn results_of_a_trusted_server_count_for_what_they_name() {
    let sandbox = with_zone("trusted_authserv_ids = [\"mx.shop.example\"]", free_port());
    soft(&sandbox, JOE);
    let with = |results: &str, message: &str| {
        format!("Authentication-Results: mx.shop.example; {results}\r\n{message}")
    };
    let own_sender = ["--sender", JOE, "--client-address", STRANGER];
    for results in ["spf=pass smtp.helo=evil.example", "spf=pass smtp.mailfrom=evil.example", "spf=pass"] {
        assert!(!releases(&sandbox, JOE, &own_sender, &with(results, &letter(JOE, HELP))), "{results}");
    }
    let passed = "dkim=pass header.d=victim.example; dmarc=pass header.from=victim.example";
    let changed = |to: &str| signed("victim.example", ALL, &letter(JOE, to)) + "-- \r\nadded by a filter\r\n";
    assert!(!releases(&sandbox, JOE, FROM_STRANGER, &with(passed, &changed("eve@evil.example"))));
    assert!(!releases(&sandbox, JOE, FROM_STRANGER, &with(passed, &letter(JOE, HELP))), "which signature?");
    let other = passed.replace("header.from=victim", "header.from=other");
    assert!(!releases(&sandbox, JOE, FROM_STRANGER, &with(&other, &changed(HELP))));
    assert!(releases(&sandbox, JOE, FROM_STRANGER, &with(passed, &changed(HELP))));
    sandbox.advance(HOUR_MS);
    soft(&sandbox, JOE);
    sandbox.advance(HOUR_MS);
    let by_spf = with("spf=pass smtp.mailfrom=joe@victim.example", &letter(JOE, HELP));
    assert!(releases(&sandbox, JOE, &own_sender, &by_spf));
}

#[test]
fn nothing_is_refused_or_bounced_to_a_sender_whom_no_result_names() {
    let results = "[auth]\ntrusted_authserv_ids = [\"mx.shop.example\"]\n[unproven]\naction = \"refuse\"\n";
    let sandbox = Sandbox::new().config(results);
    let send = |queue_id: &str, statement: &str| {
        let sent = unproven::Sent {
            from: "ceo@victim.example",
            to: "hello@bounces.example.com",
            client: STRANGER,
            queue_id,
            policy: "bounce",
        };
        let message = format!(
            "Authentication-Results: mx.shop.example; {statement}\r\n{}",
            letter("x@evil.example", "hello@bounces.example.com")
        );
        unproven::send(&sandbox, &sent, message.as_bytes()).code
    };
    assert_eq!(send("4Q1", "spf=pass smtp.helo=evil.example"), 0);
    assert_eq!(send("4Q2", "spf=pass smtp.mailfrom=evil.example"), 0);
    assert_eq!(send("4Q3", "spf=pass smtp.mailfrom=victim.example"), 77, "its own sender hears of it");
    let peer = SmtpPeer::start(ACCEPT);
    let sink =
        Sandbox::new().smtp_port(peer.port).config("[auth]\ntrusted_authserv_ids = [\"mx.shop.example\"]");
    let message = format!(
        "Authentication-Results: mx.shop.example; dkim=pass header.d=evil.example; spf=pass smtp.helo=evil.example\r\n{}",
        letter("x@evil.example", "x@oob.sink.example")
    );
    sink.pipe("x@oob.sink.example", message.as_bytes()).silent();
    assert_eq!((sink.counter("fail_spf"), peer.mails().len()), (1, 0), "{:?}", sink.counters());
}

#[test]
fn a_replayed_request_and_a_changed_author_prove_nothing() {
    let application = Application::at(0);
    let sandbox = with_zone("", application.port);
    let ask = |from: &str, to: &str| {
        letter(from, to)
            .replace("Subject: hi", "Subject: unsubscribe")
            .replace("Hello, how are you?", "unsubscribe")
    };
    let leave = |message: &str| {
        let arguments = ["pipe", "--policy", "bounce", "--recipient", "leave@bounces.example.com"];
        sandbox.run(&[&arguments[..], FROM_STRANGER].concat(), message.as_bytes()).silent();
        let told = application.told().pop().unwrap();
        serde_json::from_str::<Value>(&told.body).unwrap()["proven"].as_str().unwrap().to_owned()
    };
    assert_eq!(leave(&signed("victim.example", ALL, &ask(JOE, "leave@otherlist.example"))), "no");
    assert_eq!(
        leave(&signed("victim.example", ALL, &ask("ann@victim.example", "leave@bounces.example.com"))),
        "yes"
    );
    let report = String::from_utf8(dsn("ceo@lax.example", "5.1.1", "550 5.1.1 user unknown")).unwrap();
    let of_joe = signed(
        "lax.example",
        &["To", "Subject"],
        &report.replace("MAILER-DAEMON@mx.there.example", "joe@lax.example"),
    );
    let daemon = of_joe.replace("From: joe@", "From: mailer-daemon@");
    let to = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", "bounces@bounces.example.com"];
    sandbox.run(&[&to[..], &["--client-address", STRANGER]].concat(), daemon.as_bytes()).silent();
    assert!(!is_suppressed(&sandbox, "ceo@lax.example"), "its From is not signed");
}

#[test]
fn who_has_a_name_below_the_same_suffix_has_not_sent_our_message() {
    let anna = "anna@there.example";
    let sandbox = with_zone("", free_port());
    let log = logged("order-1@shop.eu.org", anna, "sent").replace("shop@shop.example", "shop@shop.eu.org");
    fs::write(sandbox.path("mail.log"), log).unwrap();
    let path = sandbox.path("mail.log");
    let sandbox = sandbox.config(&format!(
        "[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n",
        path.display()
    ));
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let complain = |domain: &str| {
        let header = format!("From: x@{domain}\r\nMessage-ID: <order-1@shop.eu.org>\r\n\r\nx\r\n");
        let signature = signed(domain, &["From", "Message-ID"], &header).replace(&header, "");
        let text =
            String::from_utf8(complaint("abuse", "", "Message-ID: <order-1@shop.eu.org>\r\n")).unwrap();
        let text = text.replace("From: Shop <news@shop.example>", &format!("{signature}From: x@{domain}"));
        let to = [
            "pipe",
            "--policy",
            "bounce",
            "--sender",
            "feedback@isp.example",
            "--recipient",
            "fbl@shop.example",
        ];
        sandbox.run(&[&to[..], &["--client-address", STRANGER]].concat(), text.as_bytes()).silent();
    };
    complain("evil.eu.org");
    assert_eq!(sandbox.counter("complaint_unmatched"), 1, "{:?}", sandbox.counters());
    assert!(sandbox.run(&["suppress", "list"], b"").stdout.is_empty());
}
