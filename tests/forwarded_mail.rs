//! Mail that goes on under another queue id, or is thrown away: no delivery, in no figure, and no sign of life.

use crate::harness::mail_log::ago;
use crate::logs::deliveries;
use crate::own_mail::{OURS, SENT, counted, mail, recipients, sandbox};
use crate::statistics::{append, tick};

/// Four messages of ours to a mailbox that is full, 20 minutes apart; with a hop through a filter on this host.
fn through(filter: bool) -> String {
    let mut lines = String::new();
    for n in 0..4 {
        let (first, next) = (format!("4Xn0y80000{n}1zZ1f"), format!("4Xn0y80000{n}2zZ1f"));
        let stamp = ago(100 - 20 * n, "2026-03-01T09:00:07");
        let arrives = |id: &str| {
            format!(
                "smtpd[9]: {id}: client=localhost[127.0.0.1]\ncleanup[11]: {id}: message-id=<o{n}@shop.example>\n\
                 qmgr[12]: {id}: from=<shop@shop.example>, size=1000, nrcpt=1 (queue active)\n"
            )
        };
        let mut of_this = String::new();
        if filter {
            of_this = arrives(&first);
        }
        of_this += &arrives(&next);
        if filter {
            of_this += &format!(
                "smtp[13]: {first}: to=<full@live.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=0/0/0/2, \
                 dsn=2.0.0, status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {next})\n"
            );
        }
        of_this += &format!(
            "smtp[13]: {next}: to=<full@live.example>, relay=mx.live.example[192.0.2.9]:25, delay=3, delays=0/0/0/3, \
             dsn=5.2.2, status=bounced (host mx.live.example[192.0.2.9] said: 552 5.2.2 mailbox full (in reply to RCPT \
             TO command))\n"
        );
        lines.extend(of_this.lines().map(|line| format!("{stamp}.000000+00:00 mx postfix/{line}\n")));
    }
    lines
}

#[test]
fn what_goes_into_a_filter_is_no_delivery_and_no_sign_of_life() {
    for filter in [false, true] {
        let sandbox = sandbox("", "[policy.bounce.settings]\nthreshold = 2\n");
        append(&sandbox, &through(filter));
        tick(&sandbox, &[]);
        let listed = sandbox.run(&["suppress", "list"], b"").stdout;
        assert!(listed.starts_with("full@live.example "), "{filter}: {listed}");
        assert_eq!(counted(&sandbox), [(0, 4), (0, 0), (0, 0)], "{filter}");
        let handed = recipients(&sandbox, &["--status", "forwarded"]);
        assert_eq!(handed.len(), if filter { 4 } else { 0 });
    }
}

#[test]
fn what_is_thrown_away_or_sent_on_is_no_sign_of_life() {
    let ends = [
        ("discard[14] none", "dsn=2.0.0, status=sent (live.example)", "discarded"),
        ("local[14] local", "dsn=2.0.0, status=sent (discarded)", "discarded"),
        ("local[14] local", "dsn=2.0.0, status=sent (forwarded as 4Xn0y8000099zZ2f)", "forwarded"),
        // The log in which it goes on is not read.
        (
            "smtp[14] 127.0.0.1[127.0.0.1]:10024",
            "dsn=2.0.0, status=sent (250 Ok: queued as 4Xn0y8000099zZ3f)",
            "sent",
        ),
        ("smtp[14] mx.live.example[192.0.2.9]:25", SENT, "sent"),
    ];
    for (by, end, status) in ends {
        let sandbox = sandbox("", "[policy.bounce.settings]\nthreshold = 2\n");
        append(&sandbox, &through(false));
        tick(&sandbox, &[]);
        let to = "full@live.example";
        append(&sandbox, &ago(0, &mail(90, "shop@shop.example", OURS, to, by, end).lines()));
        tick(&sandbox, &[]);
        let is_listed = !sandbox.run(&["suppress", "list"], b"").stdout.is_empty();
        assert_eq!(is_listed, end != SENT, "{end}");
        assert_eq!(deliveries(&sandbox, &["--recipient", to])[0]["status"], status, "{end}");
    }
}

/// A stranger's message that a filter hands back, whose answer is this; the Message-ID that the filter leaves it.
fn handed_back(answer: &str, id: &str) -> [String; 2] {
    let (first, next) = ("4Xn0y8000001zZ1f", "4Xn0y8000002zZ1f");
    let arrives = |queue_id: &str, client: &str, id: &str| {
        format!(
            "smtpd[9]: {queue_id}: client={client}\ncleanup[11]: {queue_id}: message-id=<{id}>\n\
             qmgr[12]: {queue_id}: from=<x@evil.example>, size=1000, nrcpt=1 (queue active)\n"
        )
    };
    let into = format!(
        "smtp[13]: {first}: to=<eve@company.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=0/0/0/2, \
         dsn=2.0.0, status=sent ({answer})\n"
    );
    let gone = format!(
        "smtp[13]: {next}: to=<gone@there.example>, relay=mx.there.example[192.0.2.9]:25, delay=3, delays=0/0/0/3, \
         dsn=5.1.1, status=bounced (host mx.there.example[192.0.2.9] said: 550 5.1.1 User unknown (in reply to RCPT TO \
         command))\n"
    );
    let both = arrives(first, "evil.example[203.0.113.9]", "o@evil.example")
        + &arrives(next, "localhost[127.0.0.1]", id);
    let stamped = |text: String| {
        let lines = text.lines().map(|line| format!("2026-03-01T09:00:07.000000+00:00 mx postfix/{line}\n"));
        ago(10, &lines.collect::<String>())
    };
    // The failure is logged before what the filter answers.
    match id {
        "o@evil.example" => [stamped(both + &gone), stamped(into)],
        _ => [stamped(both + &into), stamped(gone)],
    }
}

#[test]
fn what_a_filter_hands_back_of_a_stranger_is_his_before_the_log_says_so() {
    let queued = "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 4Xn0y8000002zZ1f";
    for (answer, id) in [
        (queued, "o@evil.example"),
        ("250 OK", "o@evil.example"),
        // A filter that renames messages is known by its answer.
        (queued, "other@filter.example"),
    ] {
        let sandbox = sandbox("", "");
        for piece in handed_back(answer, id) {
            append(&sandbox, &piece);
            tick(&sandbox, &[]);
        }
        assert_eq!(sandbox.run(&["suppress", "list"], b"").stdout, "", "{answer} {id}");
        assert_eq!(recipients(&sandbox, &["--own"]), [""; 0], "{answer} {id}");
    }
}
