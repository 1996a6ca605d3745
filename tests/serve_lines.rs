//! The lines of the mail log in a message's life: those of that message, and to a customer no others.

use crate::harness::web::{WebServer, token};
use crate::harness::{Sandbox, mail_log};
use crate::statistics::{append, tick};

const ID: &str = "CC0000000B";

/// A message of a customer in the log.
struct Sent<'a> {
    /// Stamp and host: `2026-03-01T09:00:00+00:00 mx`.
    at: &'a str,
    /// The same of the last lines.
    until: &'a str,
    customer: &'a str,
    n: u32,
    to: &'a str,
    is_removed: bool,
}

impl Sent<'_> {
    fn lines(&self) -> String {
        let Sent { at, until, customer, n, to, is_removed } = self;
        let removed =
            if *is_removed { format!("{until} postfix/qmgr[12]: {ID}: removed\n") } else { String::new() };
        format!(
            "{at} postfix/smtpd[10]: {ID}: client=app.{customer}.example[10.0.0.7]\n\
             {at} postfix/cleanup[11]: {ID}: message-id=<98494.{n}.7@{customer}>\n\
             {at} postfix/qmgr[12]: {ID}: from=<news@{customer}.example>, size=1000, nrcpt=1 (queue active)\n\
             {until} postfix/smtp[13]: {ID}: to=<{to}>, relay=mx.there.example[192.0.2.9]:25, delay=1, delays=0/0/0/1, \
             dsn=5.1.1, status=bounced (host mx[192.0.2.9] said: 550 5.1.1 no {to} here)\n{removed}"
        )
    }
}

fn read(log: &str) -> Sandbox {
    let tokens =
        token("reader", "\"read\"") + &token("shop", "\"client shop\"") + &token("rival", "\"client rival\"");
    let sandbox = mail_log::sandbox(None, "").config(&tokens);
    append(&sandbox, log);
    tick(&sandbox, &[]);
    sandbox
}

/// The lines that a token sees in the life of the message.
fn lines(server: &WebServer, token: &str) -> String {
    lines_of(server, token, "")
}

/// The same of one of several messages.
fn lines_of(server: &WebServer, token: &str, which: &str) -> String {
    let life = server.get_as(token, &format!("/api/v1/messages/{ID}?{which}"));
    assert_eq!(life.status, 200, "{}", life.text());
    let page = server.get_as(token, &format!("/message?id={ID}&{which}"));
    let life = life.value();
    let line = |line: &serde_json::Value| format!("{}\n", line["line"].as_str().unwrap());
    let lines: Vec<String> = life["lines"].as_array().unwrap().iter().map(line).collect();
    let shown = page.text().matches("<pre dir=ltr>").count();
    assert!(page.status == 200 && shown == lines.len(), "{shown} {lines:?}");
    lines.concat()
}

#[track_caller]
fn each_sees_its_own(first: &Sent<'_>, second: &Sent<'_>, around: [&str; 3]) {
    let [before, between, after] = around;
    let (of_first, of_second) = (first.lines(), second.lines());
    let sandbox = read(&[before, &of_first, between, &of_second, after].concat());
    let server = WebServer::start(&sandbox, &[]);
    assert_eq!(lines(&server, &format!("{}-token", first.customer)), of_first);
    assert_eq!(lines(&server, &format!("{}-token", second.customer)), of_second);
    // Who sees both gets one of them, and is led to the other.
    let newest = lines(&server, "reader-token");
    let life = server.get_as("reader-token", &format!("/api/v1/messages/{ID}")).value();
    assert_eq!(life["others"].as_array().unwrap().len(), 1, "{life}");
    let other = life["others"][0]["delivery"].as_str().unwrap();
    let page = server.get_as("reader-token", &format!("/message?id={ID}")).text();
    assert!(page.contains(&format!("/message?id={ID}&amp;delivery={other}")), "{page}");
    let other = lines_of(&server, "reader-token", &format!("delivery={other}"));
    assert!([[&newest, &other], [&other, &newest]].contains(&[&of_first, &of_second]), "{newest}{other}");
}

#[test]
fn a_queue_id_that_is_used_again_shows_no_customer_the_mail_of_another() {
    for is_removed in [true, false] {
        for (first, second) in [("rival", "shop"), ("shop", "rival")] {
            for stamps in [
                [
                    "2026-03-01T09:00:00.125000+00:00 mx",
                    "2026-03-01T09:00:08.125000+00:00 mx",
                    "2026-03-01T09:00:08.250000+00:00 mx",
                ],
                ["Mar  1 09:00:00 mx", "Mar  1 09:00:01 mx", "Mar  1 09:00:08 mx"],
                ["Mar  1 09:00:00 mx", "Mar  1 09:00:08 mx", "Mar  1 09:00:08 mx"],
            ] {
                let first = Sent {
                    at: stamps[0],
                    until: stamps[1],
                    customer: first,
                    n: 1,
                    to: "ann@there.example",
                    is_removed,
                };
                let second = Sent {
                    at: stamps[2],
                    until: stamps[2],
                    customer: second,
                    n: 2,
                    to: "bob@there.example",
                    is_removed,
                };
                each_sees_its_own(&first, &second, ["", "", ""]);
            }
        }
    }
}

#[test]
fn a_queue_id_on_two_hosts_shows_no_customer_the_mail_of_another() {
    let at = |host: &str, second: u32| format!("2026-03-01T09:00:{second:02}+00:00 {host}");
    for second in [0, 3] {
        let (one, other) = (at("mx1", 0), at("mx2", second));
        let first = Sent {
            at: &one,
            until: &one,
            customer: "rival",
            n: 1,
            to: "ann@there.example",
            is_removed: true,
        };
        let second = Sent {
            at: &other,
            until: &other,
            customer: "shop",
            n: 2,
            to: "bob@there.example",
            is_removed: true,
        };
        each_sees_its_own(&first, &second, ["", "", ""]);
    }
}

#[test]
fn lines_of_two_hosts_with_one_queue_id_are_of_two_messages_in_every_order() {
    let message = |host: &str, id: &str, customer: &str, n: u32, to: &str| {
        let at = |tenth: u32| format!("2026-03-01T09:00:00.{tenth}00000+00:00 {host} postfix");
        [
            format!("{}/smtpd[10]: {id}: client=app.{customer}.example[10.0.0.7]\n", at(0)),
            format!("{}/cleanup[11]: {id}: message-id=<98494.{n}.7@{customer}>\n", at(1)),
            format!(
                "{}/qmgr[12]: {id}: from=<news@{customer}.example>, size=1000, nrcpt=1 (queue active)\n",
                at(2)
            ),
            format!(
                "{}/smtp[13]: {id}: to=<{to}>, relay=mx.there.example[192.0.2.9]:25, delay=1, delays=0/0/0/1, \
                 dsn=2.0.0, status=sent (250 for {customer})\n",
                at(5)
            ),
            format!("{}/qmgr[12]: {id}: removed\n", at(6)),
        ]
    };
    // Short, long, and what only looks long; how many lines of the first come before each of the second.
    for id in [ID, "4Xn0y80000zZ1f", "TWOHOST001"] {
        for places in [[0, 1, 2, 3, 4], [1, 1, 1, 4, 4], [2, 3, 3, 3, 5], [4, 4, 5, 5, 5], [0, 0, 0, 0, 3]] {
            let first = message("mx1", id, "rival", 1, "ann@there.example");
            let second = message("mx2", id, "shop", 2, "bob@there.example");
            let (mut log, mut taken) = (String::new(), 0);
            for (place, line) in places.into_iter().zip(&second) {
                log += &first[taken..place.max(taken)].concat();
                taken = place.max(taken);
                log += line;
            }
            log += &first[taken..].concat();
            let sandbox = read(&log);
            let server = WebServer::start(&sandbox, &[]);
            for (customer, to) in [("rival", "ann@there.example"), ("shop", "bob@there.example")] {
                let seen = server.get_as(&format!("{customer}-token"), "/api/v1/deliveries").value();
                let seen = seen["deliveries"].as_array().unwrap();
                let of = |name: &str| seen.iter().map(|one| one[name].clone()).collect::<Vec<_>>();
                assert_eq!(of("recipient"), [to], "{id} {places:?}");
                assert_eq!(of("reply"), [format!("250 for {customer}")], "{id} {places:?}");
                assert_eq!(of("sender"), [format!("news@{customer}.example")], "{id} {places:?}");
            }
        }
    }
}

#[test]
fn a_text_that_holds_the_queue_id_is_no_line_of_the_message() {
    let at = |second: u32| format!("2026-03-01T09:00:{second:02}+00:00 mx");
    let foreign = |second: u32| {
        let at = at(second);
        format!(
            "{at} postfix/cleanup[11]: DD0000000C: message-id=<{ID}: to=<fake@there.example>, status=bounced (fake)>\n\
             {at} postfix/smtp[13]: DD0000000C: to=<eve@there.example>, relay=mx[192.0.2.9]:25, delay=1, \
             delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {ID})\n\
             {at} postfix/smtpd[10]: warning: {ID}: to=<fake@there.example>, status=bounced (fake)\n\
             {at} other[9]: {ID}: to=<fake@there.example>, status=bounced (fake)\n"
        )
    };
    let (one, other) = (at(10), at(20));
    let first =
        Sent { at: &one, until: &one, customer: "shop", n: 1, to: "ann@there.example", is_removed: true };
    let second = Sent {
        at: &other,
        until: &other,
        customer: "rival",
        n: 2,
        to: "bob@there.example",
        is_removed: true,
    };
    each_sees_its_own(&first, &second, [&foreign(9), &foreign(15), &foreign(20)]);
}

#[test]
fn a_message_that_is_deferred_and_requeued_keeps_its_lines() {
    let at = |second: u32| format!("2026-03-01T09:00:{second:02}+00:00 mx postfix");
    let envelope = "from=<news@shop.example>, size=1000, nrcpt=1 (queue active)";
    let to = "to=<ann@there.example>, relay=mx.there.example[192.0.2.9]:25, delay=1, delays=0/0/0/1";
    let log = [
        format!("{}/smtpd[10]: {ID}: client=app.shop.example[10.0.0.7]\n", at(0)),
        format!("{}/cleanup[11]: {ID}: message-id=<98494.1.7@shop>\n", at(0)),
        format!("{}/qmgr[12]: {ID}: {envelope}\n", at(0)),
        format!("{}/smtp[13]: {ID}: {to}, dsn=4.2.0, status=deferred (host mx[192.0.2.9] said: 450 4.2.0 later)\n", at(1)),
        format!("{}/postsuper[14]: {ID}: requeued\n", at(2)),
        format!("{}/pickup[15]: EE0000000D: uid=89 from=<news@shop.example> orig_id={ID}\n", at(3)),
        format!("{}/cleanup[11]: EE0000000D: message-id=<98494.1.7@shop>\n", at(3)),
        format!("{}/qmgr[12]: EE0000000D: {envelope}\n", at(3)),
        format!("{}/smtp[13]: EE0000000D: {to}, dsn=2.0.0, status=sent (250 2.0.0 ok)\n", at(4)),
        format!("{}/qmgr[12]: EE0000000D: removed\n", at(4)),
    ]
    .concat();
    let sandbox = read(&log);
    let server = WebServer::start(&sandbox, &[]);
    for token in ["reader-token", "shop-token"] {
        assert_eq!(lines(&server, token), log, "{token}");
    }
}
