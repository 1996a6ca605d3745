//! Lines of every daemon, in every form, and lines that lie.

use super::*;

const NOW: i64 = 1_767_268_800_000;

fn reader() -> LineReader {
    let grammar = Grammar { zone: TimeZone::UTC, client_header: "X-Client:".into() };
    LineReader::new(&grammar, NOW)
}

fn line(line: &str) -> LogLine<'_> {
    match reader().read(line.as_bytes()) {
        Parsed::Postfix(line) => line,
        other => panic!("{other:?}: {line}"),
    }
}

/// The event of a text that this daemon wrote.
fn event<'a>(daemon: &str, text: &'a str) -> Event<'a> {
    let tag: &str = format!("postfix/{daemon}").leak();
    match message(0, b"mx", tag.as_bytes(), 1, text.as_bytes()) {
        Parsed::Postfix(line) => line.event,
        other => panic!("{other:?}: {text}"),
    }
}

fn attempt(text: &str) -> Attempt<'_> {
    match event("smtp", text) {
        Event::Attempt(attempt) => attempt,
        other => panic!("{other:?}: {text}"),
    }
}

#[test]
fn a_line_is_the_same_in_every_form() {
    for form in [
        "Jan  1 03:04:05 mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "Jan  1 03:04:05 mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed\r",
        "2026-01-01T03:04:05.000000+00:00 mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "2026 Jan 01 03:04:05.000 mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "<22>Jan  1 03:04:05 mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "<22>1 2026-01-01T03:04:05.000Z mx postfix/qmgr 77 - - 4Xn0y83s5Zz1f: removed",
        "<22>1 2026-01-01T03:04:05Z mx postfix/qmgr 77 id [a b=\"]\"][c d=\"e\"] 4Xn0y83s5Zz1f: removed",
        "Jan  1 03:04:05 <mail.info> mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "Jan  1 03:04:05 mx mail.info postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "Jan  1 03:04:05 mx postfix/qmgr[77]: [ID 197553 mail.info] 4Xn0y83s5Zz1f: removed",
        "Jan  1 03:04:05 mx postfix/qmgr[77]: message repeated 2 times: [ 4Xn0y83s5Zz1f: removed]",
    ] {
        let want = LogLine {
            at_ms: 1_767_236_645_000,
            host: b"mx",
            tag: b"postfix/qmgr",
            pid: 77,
            queue_id: Some(b"4Xn0y83s5Zz1f"),
            event: Event::Removed { deleted: false },
            whole: None,
        };
        assert_eq!(line(form), want, "{form}");
    }
}

#[test]
fn what_a_reader_remembers_of_one_line_changes_nothing_in_the_next() {
    let lines = [
        "Jan  1 03:04:05 mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "Jan  1 03:04:59 mx postfix/smtp[8]: 4Xn0y83s5Zz1f: to=<a@b.example>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (x)",
        "Jan  1 03:04:05 other postfix-out/smtp[0077]: 3F1A28C0D2: removed",
        "Jan  1 03:04:05 postfix/qmgr[77]: 3F1A28C0D2: removed",
        "Jan  1 03:04:05 mx kernel: postfix/qmgr[77]: 3F1A28C0D2: removed",
        "Jan  1 03:04:05 mx postfix kernel postfix/qmgr[77]: 3F1A28C0D2: removed",
        "Jan  1 03:04:05 mx postfix: 3F1A28C0D2: removed",
        "Jan  1 03:04:05 mx postfix[1]: 3F1A28C0D2: removed",
        "Jan  1 03:04:05 mx postfix/qmgr[x77]: 3F1A28C0D2: removed",
        "Jan  1 03:04:05 mx postfix/qmgr[77] 3F1A28C0D2: removed",
        "Jan  1 03:04:05 mx postfix/qmgr[99999999999]: 3F1A28C0D2: removed",
        "Jan  1 03:04:05 mail.info mx postfix/qmgr[77]: 3F1A28C0D2: removed",
        "<22>1 2026-01-01T03:04:05.1234567Z mx postfix/qmgr 77 - - 4Xn0y83s5Zz1f: removed",
        "2026-01-01T03:04:05.12x456Z mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "2026-01-01T03:04:06.123456Z mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "mx postfix/qmgr[77]: 4Xn0y83s5Zz1f: removed",
        "postfix",
        "",
    ];
    for first in lines {
        for second in lines {
            let mut reader = reader();
            reader.read(first.as_bytes());
            assert_eq!(
                reader.read(second.as_bytes()),
                self::reader().read(second.as_bytes()),
                "{first} / {second}"
            );
        }
    }
}

#[test]
fn parts_of_a_line_are_text_whether_or_not_the_line_is_known_to_be() {
    let form = "Jan  1 03:04:05 mx postfix/smtp[8]: 4Xn0y83s5Zz1f: to=<\u{e4}@b.example>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (\u{2014})";
    let (mut one, mut other) = (reader(), reader());
    let (Parsed::Postfix(known), Parsed::Postfix(unknown)) =
        (one.read_text(form), other.read(form.as_bytes()))
    else {
        panic!("no line of Postfix")
    };
    assert_eq!((known.whole, unknown.whole), (Some(form), None));
    let Event::Attempt(attempt) = known.event else { panic!("{known:?}") };
    for part in [attempt.recipient, attempt.reply, attempt.relay, b"4.0.0", b"a\xff"] {
        assert_eq!(known.text(part), unknown.text(part));
    }
    assert_eq!(known.text(attempt.recipient), "\u{e4}@b.example");
    assert_eq!(known.text(b"a\xff"), "a\u{fffd}");
}

#[test]
fn instances_and_services_have_names_of_their_own() {
    for tag in
        ["postfix/smtp", "postfix-out/smtp", "postfix/relay/smtp", "mailout/smtp", "postfix/my-service"]
    {
        let text = format!(
            "Jan  1 03:04:05 mx {tag}[1]: 4Xn0y83s5Zz1f: to=<a@example.com>, relay=none, status=sent (x)"
        );
        assert!(matches!(line(&text).event, Event::Attempt(_)), "{tag}");
        assert_eq!(line(&text).tag, tag.as_bytes());
    }
    for other in [
        "Jan  1 03:04:05 mx dovecot: imap(a): x",
        "Jan  1 03:04:05 mx opendkim[5]: 4Xn0y83s5Zz1f: removed",
        "Jan  1 03:04:05 mx amavis[5]: (1-1) Passed CLEAN",
        "Jan  1 03:04:05 mx kernel: x",
        "Jan  1 03:04:05 mx last message repeated 2 times",
        "Jan  1 03:04:05 mx -- MARK --",
        "-- Boot 0123 --",
    ] {
        assert_eq!(reader().read(other.as_bytes()), Parsed::Foreign, "{other}");
    }
}

#[test]
fn queue_ids_are_short_or_long() {
    let id = |text: &'static str| split_id(text.as_bytes()).map(|(id, _)| std::str::from_utf8(id).unwrap());
    for text in ["3F1A28C0D2", "ABCDEF", "9D2B44A", "4Xn0y83s5Zz1f", "4Xn0y83s5Zz1fQr"] {
        let line = format!("{text}: removed");
        assert!(split_id(line.as_bytes()).is_some(), "{text}");
        assert!(is_id(text.as_bytes()));
    }
    for text in [
        "warning: x",
        "statistics: x",
        "NOQUEUE: x",
        "Deleted: 1 message",
        "a1b2: x",
        "Requeued: 1",
        ": x",
        "",
    ] {
        assert_eq!(id(text), None, "{text}");
    }
}

#[test]
fn an_attempt_has_all_its_fields() {
    let text = "4Xn0y83s5Zz1f: to=<b@example.com>, orig_to=<a@example.com>, relay=mx.example.com[192.0.2.1]:25, conn_use=2, \
        delay=1.5, delays=0.1/0.2/0.3/0.9, tls=verified, dsn=5.1.1, status=bounced (host mx.example.com[192.0.2.1] \
        said: 550 5.1.1 <b@example.com>: no such user (see (1)) (in reply to RCPT TO command))";
    let want = Attempt {
        recipient: b"b@example.com",
        original_recipient: Some(b"a@example.com"),
        relay: b"mx.example.com[192.0.2.1]:25",
        delay: b"1.5",
        delays: b"0.1/0.2/0.3/0.9",
        dsn: b"5.1.1",
        outcome: AttemptResult::Bounced,
        reply: b"host mx.example.com[192.0.2.1] said: 550 5.1.1 <b@example.com>: no such user (see (1)) (in reply to \
            RCPT TO command)",
    };
    assert_eq!(attempt(text), want);
    for (word, outcome) in [
        ("sent", AttemptResult::Sent),
        ("deferred", AttemptResult::Deferred),
        ("SOFTBOUNCE", AttemptResult::Deferred),
        ("undeliverable", AttemptResult::Undeliverable),
        ("deliverable", AttemptResult::Deliverable),
        ("expired", AttemptResult::Expired),
    ] {
        let text =
            format!("3F1A28C0D2: to=<a@example.com>, relay=none, delay=0, dsn=2.0.0, status={word} (x)");
        assert_eq!((attempt(&text).outcome, attempt(&text).relay), (outcome, &b""[..]));
    }
    let cut = "3F1A28C0D2: to=<a@example.com>, relay=local, status=sent (delivered to co";
    assert_eq!(attempt(cut).reply, b"delivered to co");
    assert_eq!(attempt("3F1A28C0D2: to=<a@example.com>, relay=local, status=sent").reply, b"");
    assert_eq!(event("smtp", "3F1A28C0D2: to=<a@example.com>, relay=local, status=odd (x)"), Event::Unknown);
}

#[test]
fn what_strangers_write_forges_nothing() {
    // A reply that quotes the words of a success.
    let text = "4Xn0y83s5Zz1f: to=<a@example.com>, relay=mx[192.0.2.1]:25, dsn=5.0.0, status=bounced (host mx said: 550 \
        >, relay=evil, dsn=2.0.0, status=sent (250 ok))";
    assert_eq!((attempt(text).outcome, attempt(text).dsn), (AttemptResult::Bounced, &b"5.0.0"[..]));
    // A recipient that does, quoted as Postfix quotes it.
    let text = r#"4Xn0y83s5Zz1f: to=<"a>, relay=x, dsn=2.0.0, status=sent (\"x"@example.com>, relay=none, dsn=5.1.1, status=bounced (no)"#;
    assert_eq!((attempt(text).outcome, attempt(text).dsn), (AttemptResult::Bounced, &b"5.1.1"[..]));
    // Recipients as the internal form has them.
    let text =
        "4Xn0y83s5Zz1f: to=<a b>c@example.com>, orig_to=<\"@example.com>, relay=none, status=deferred (x)";
    assert_eq!(attempt(text).recipient, b"a b>c@example.com");
    assert_eq!(attempt(text).original_recipient, Some(&b"\"@example.com"[..]));
    // Senders.
    let text = r#"4Xn0y83s5Zz1f: from=<"a to=<x@y>, status=sent (1"@example.com>, size=1234, nrcpt=2 (queue active)"#;
    let Event::Active { sender, size, recipients } = event("qmgr", text) else { panic!() };
    assert_eq!(sender, br#""a to=<x@y>, status=sent (1"@example.com"#);
    assert_eq!((size, recipients), (1234, 2));
    let text = "4Xn0y83s5Zz1f: from=<x>, status=expired, returned to sender y@example.com>, size=1, nrcpt=1 (queue active)";
    assert!(matches!(event("qmgr", text), Event::Active { .. }));
    // Programs in a text.
    let text = "Jan  1 03:04:05 mx imapd[9]: Jan  1 03:04:05 mx postfix/smtp[1]: 4Xn0y83s5Zz1f: removed";
    assert_eq!(reader().read(text.as_bytes()), Parsed::Foreign);
    // A Message-ID and a header are the rest of their line, whatever they say.
    let text = "4Xn0y83s5Zz1f: message-id=<x>, to=<a@example.com>, relay=none, status=sent (x)";
    assert!(matches!(event("cleanup", text), Event::MessageId(_)));
    let text = "4Xn0y83s5Zz1f: info: header Subject: reject: RCPT from x[192.0.2.1]: 550 x; from=<a@x> to=<b@x> proto=SMTP \
        helo=<h>: y from c[192.0.2.2]; from=<s@example.com> to=<r@example.com> proto=ESMTP helo=<h>";
    let Event::HeaderDecision(header) = event("cleanup", text) else { panic!() };
    assert_eq!((header.action, header.name), (EarlyAction::Note, &b"Subject"[..]));
    assert_eq!(header.envelope.recipient, Some(&b"r@example.com"[..]));
}

#[test]
fn refusals_have_an_envelope_whatever_is_quoted_before_it() {
    let refusal = |daemon: &str, text: &'static str| match event(daemon, text) {
        Event::SessionDecision(refusal) => refusal,
        other => panic!("{other:?}: {text}"),
    };
    let plain = refusal(
        "smtpd",
        "NOQUEUE: reject: RCPT from h.example.com[192.0.2.1]: 554 5.7.1 <r@example.com>: Relay access denied; \
         from=<s@example.com> to=<r@example.com> proto=ESMTP helo=<h>",
    );
    assert_eq!((plain.action, plain.stage, plain.dsn), (EarlyAction::Reject, &b"RCPT"[..], &b"5.7.1"[..]));
    assert_eq!(plain.client, b"h.example.com[192.0.2.1]");
    assert_eq!(plain.reply, b"554 5.7.1 <r@example.com>: Relay access denied");
    let quoted = refusal(
        "smtpd",
        "NOQUEUE: reject: RCPT from unknown[2001:db8::1]: 450 4.7.1 <\"; from=<x> to=<y>\"@example.com>: later; \
         from=<\"; from=<a> to=<b> proto=SMTP\"@example.com> to=<\"; from=<x> to=<y>\"@example.com> proto=ESMTP helo=<h>",
    );
    assert_eq!(quoted.envelope.sender, Some(&b"\"; from=<a> to=<b> proto=SMTP\"@example.com"[..]));
    assert_eq!(quoted.envelope.recipient, Some(&b"\"; from=<x> to=<y>\"@example.com"[..]));
    let screened = refusal(
        "postscreen",
        "NOQUEUE: reject: RCPT from [192.0.2.1]:4711: 550 5.7.1 Service unavailable; client [192.0.2.1] blocked using \
         bl.example; from=<>, to=<r@example.com>, proto=ESMTP, helo=<h>",
    );
    assert_eq!((screened.envelope.sender, screened.dsn), (Some(&b""[..]), &b"5.7.1"[..]));
    assert_eq!(screened.envelope.recipient, Some(&b"r@example.com"[..]));
    let milter = refusal(
        "cleanup",
        "3F1A28C0D2: milter-reject: END-OF-MESSAGE from h[192.0.2.1]: 5.7.1 Spam; from=<s@example.com> to=<r@example.com> \
         proto=ESMTP helo=<h>",
    );
    assert_eq!(
        (milter.action, milter.stage, milter.dsn),
        (EarlyAction::Reject, &b"END-OF-MESSAGE"[..], &b"5.7.1"[..])
    );
    let connect = refusal("smtpd", "NOQUEUE: reject: CONNECT from h[192.0.2.1]: 554 5.7.1 no; proto=SMTP");
    assert_eq!((connect.reply, connect.envelope), (&b"554 5.7.1 no"[..], SessionEnvelope::default()));
    let bare = refusal(
        "smtpd",
        "NOQUEUE: reject: MAIL from h[192.0.2.1]: 552 too big; from=<s@example.com> proto=ESMTP helo=<h>",
    );
    assert_eq!((bare.dsn, bare.envelope.recipient), (&b"5.0.0"[..], None));
}

#[test]
fn headers_are_logged_with_their_name_and_the_tables_text() {
    let header = |text: &'static str| match event("cleanup", text) {
        Event::HeaderDecision(header) => header,
        other => panic!("{other:?}: {text}"),
    };
    let client = header(
        "3F1A28C0D2: info: header X-Client: shop from h[192.0.2.1]; from=<s@example.com> to=<r@example.com> proto=ESMTP helo=<h>",
    );
    assert_eq!((client.name, client.value), (&b"X-Client"[..], &b"shop"[..]));
    let local = header("3F1A28C0D2: info: header x-client: shop from local; from=<s@example.com>");
    assert_eq!((local.name, local.value), (&b"x-client"[..], &b"shop"[..]));
    let reject = header(
        "3F1A28C0D2: reject: header Subject: a from b from h[192.0.2.1]; from=<s@example.com> to=<r@example.com> proto=ESMTP helo=<h>: 5.7.1 not here",
    );
    assert_eq!(
        (reject.action, reject.value, reject.dsn),
        (EarlyAction::Reject, &b"a from b"[..], &b"5.7.1"[..])
    );
    assert_eq!(reject.reply, b"5.7.1 not here");
    let body = header(
        "3F1A28C0D2: discard: body x: y from h[192.0.2.1]; from=<> to=<r@example.com> proto=ESMTP helo=<h>",
    );
    assert_eq!((body.action, body.name), (EarlyAction::Discard, &b""[..]));
}

#[test]
fn a_message_is_taken_in_notified_about_and_dealt_with_by_operators() {
    assert_eq!(
        event("smtpd", "3F1A28C0D2: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=a"),
        Event::Client(b"h[192.0.2.1]")
    );
    assert_eq!(
        event("pickup", "3F1A28C0D2: uid=33 from=<www-data>"),
        Event::Pickup { sender: b"www-data", original: None }
    );
    assert_eq!(
        event("pickup", "3F1A28C0D2: uid=103 from=<a@example.com> orig_id=4Xn0y83s5Zz1f"),
        Event::Pickup { sender: b"a@example.com", original: Some(b"4Xn0y83s5Zz1f") }
    );
    for (text, notice) in [
        ("sender non-delivery notification", NotificationKind::NonDelivery),
        ("postmaster non-delivery notification", NotificationKind::NonDelivery),
        ("sender delay notification", NotificationKind::Delay),
        ("sender delivery status notification", NotificationKind::Success),
    ] {
        let text = format!("3F1A28C0D2: {text}: 4Xn0y83s5Zz1f");
        assert_eq!(event("bounce", &text), Event::Notification { notice, queue_id: b"4Xn0y83s5Zz1f" });
    }
    assert_eq!(event("postsuper", "3F1A28C0D2: removed"), Event::Removed { deleted: true });
    assert_eq!(event("postsuper", "3F1A28C0D2: placed on hold"), Event::Held);
    assert_eq!(event("postsuper", "3F1A28C0D2: released from hold"), Event::Released);
    assert_eq!(event("postsuper", "3F1A28C0D2: requeued"), Event::Requeued);
    assert_eq!(event("postsuper", "3F1A28C0D2: expired"), Event::ToExpire);
    let expired = "3F1A28C0D2: from=<a@example.com>, status=force-expired, returned to sender";
    assert_eq!(event("qmgr", expired), Event::Expired { forced: true });
    assert_eq!(event("smtpd", "connect from h[192.0.2.1]"), Event::Connect);
    assert_eq!(event("smtpd", "disconnect from h[192.0.2.1] ehlo=1 quit=1 commands=2"), Event::Disconnect);
}

#[test]
fn lines_that_say_nothing_of_a_message_are_known_and_others_unknown() {
    for (daemon, text) in [
        (
            "smtp",
            "3F1A28C0D2: host mx.example.com[192.0.2.1] said: 450 4.2.0 later (in reply to RCPT TO command)",
        ),
        ("smtp", "3F1A28C0D2: lost connection with mx.example.com[192.0.2.1] while sending RCPT TO"),
        ("smtp", "connect to mx.example.com[192.0.2.1]:25: Connection refused"),
        ("smtpd", "lost connection after DATA from h[192.0.2.1]"),
        ("smtpd", "Anonymous TLS connection established from h[192.0.2.1]: TLSv1.3"),
        ("smtpd", "warning: h[192.0.2.1]: SASL PLAIN authentication failed: "),
        ("anvil", "statistics: max connection rate 1/60s for (smtp:192.0.2.1) at Jan  1 03:00:00"),
        ("postscreen", "PASS NEW [192.0.2.1]:4711"),
        ("qmgr", "3F1A28C0D2: skipped, still being delivered"),
        ("master", "daemon started -- version 3.9.0, configuration /etc/postfix"),
        ("cleanup", "3F1A28C0D2: resent-message-id=<x@example.com>"),
    ] {
        assert_eq!(event(daemon, text), Event::Ignored, "{text}");
    }
    assert_eq!(event("smtp", "3F1A28C0D2: something new"), Event::Unknown);
    assert_eq!(event("smtp", "something new"), Event::Unknown);
    for none in [
        "",
        "x",
        "Jan  1 03:04:05 mx",
        "Jan  1 03:04:05 mx text without a program",
        "\0\0\0",
        "Jan  1 03:04:05 ",
    ] {
        assert_eq!(reader().read(none.as_bytes()), Parsed::Unknown, "{none}");
    }
}

#[test]
fn hostile_lines_are_read_without_harm_and_in_time() {
    let begun = std::time::Instant::now();
    for prefix in [
        "3F1A28C0D2: to=<",
        "3F1A28C0D2: to=<\"",
        "3F1A28C0D2: from=<",
        "NOQUEUE: reject: RCPT from h[1]: ",
        "3F1A28C0D2: info: header X-Client: ",
        "3F1A28C0D2: uid=",
        "",
        "[ID ",
        "message repeated 1 times: [ ",
    ] {
        for unit in [
            "; from=<",
            "; from=<\"",
            ">, relay=",
            "\"",
            "\\",
            "<",
            ">",
            "=",
            ", ",
            ": ",
            "\0",
            "\u{fffd}",
            " from ",
        ] {
            let text =
                format!("Jan  1 03:04:05 mx postfix/smtpd[1]: {prefix}{}", unit.repeat(LINE / unit.len()));
            reader().read(text.as_bytes());
            reader().read(&text.as_bytes()[..text.len() / 2]);
        }
    }
    for length in 0..120 {
        let text = b"2026-01-01T03:04:05.000000+00:00 mx postfix/smtp[77]: 4Xn0y83s5Zz1f: to=<a@x>, relay=none, dsn=4.0.0, status=sent (x)";
        reader().read(&text[..length.min(text.len())]);
        reader().read(&text[length.min(text.len())..]);
    }
    assert!(begun.elapsed().as_secs() < 60);
}

#[test]
fn what_a_stranger_says_in_helo_is_no_envelope() {
    for helo in [
        "<x> to=<victim@y>",
        "<x> y z>",
        "<x> y>",
        "<from=<a>>",
        "<; from=<q@q> to=<victim@y> proto=SMTP helo=<x>>",
    ] {
        let text = format!(
            "NOQUEUE: reject: RCPT from u[192.0.2.6]: 554 5.7.1 <r@b>: Relay access denied; from=<s@a> to=<r@b> proto=SMTP helo={helo}"
        );
        let Event::SessionDecision(refusal) = event("smtpd", &text) else { panic!("{text}") };
        let want = SessionEnvelope { sender: Some(b"s@a"), recipient: Some(b"r@b") };
        assert_eq!(
            (refusal.envelope, refusal.reply),
            (want, &b"554 5.7.1 <r@b>: Relay access denied"[..]),
            "{helo}"
        );
    }
    for helo in ["<x> to=<victim@y>", "<x> y>"] {
        let text = format!(
            "4Xn0y83s5Zz1f: reject: header Subject: spam from u[192.0.2.6]; from=<s@a> to=<r@b> proto=SMTP helo={helo}: 5.7.1 no"
        );
        let Event::HeaderDecision(header) = event("cleanup", &text) else { panic!("{text}") };
        let want = SessionEnvelope { sender: Some(b"s@a"), recipient: Some(b"r@b") };
        assert_eq!((header.envelope, header.reply), (want, &b"5.7.1 no"[..]), "{helo}");
    }
}
