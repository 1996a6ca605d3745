//! What every daemon logs.

use super::*;

#[test]
fn an_attempt_has_all_its_fields() {
    let text = "4Xn0y83s5Zz1f: to=<b@example.com>, orig_to=<a@example.com>, relay=mx.example.com[192.0.2.1]:25, conn_use=2, \
        delay=1.5, delays=0.1/0.2/0.3/0.9, tls=encrypt/(requiretls), dsn=5.1.1, status=bounced (host mx.example.com[192.0.2.1] \
        said: 550 5.1.1 <b@example.com>: no such user (see (1)) (in reply to RCPT TO command))";
    let want = Attempt {
        recipient: b"b@example.com",
        original_recipient: Some(b"a@example.com"),
        relay: b"mx.example.com[192.0.2.1]:25",
        delay: b"1.5",
        delays: b"0.1/0.2/0.3/0.9",
        tls: b"encrypt/(requiretls)",
        dsn: b"5.1.1",
        result: AttemptResult::Bounced,
        reply: b"host mx.example.com[192.0.2.1] said: 550 5.1.1 <b@example.com>: no such user (see (1)) (in reply to \
            RCPT TO command)",
        transport: b"",
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
        assert_eq!((attempt(&text).result, attempt(&text).relay), (outcome, &b""[..]));
    }
    let cut = "3F1A28C0D2: to=<a@example.com>, relay=local, status=sent (delivered to co";
    assert_eq!(attempt(cut).reply, b"delivered to co");
    assert_eq!(attempt("3F1A28C0D2: to=<a@example.com>, relay=local, status=sent").reply, b"");
    assert_eq!(event("smtp", "3F1A28C0D2: to=<a@example.com>, relay=local, status=odd (x)"), Event::Unknown);
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
fn arrivals_notifications_and_what_operators_do_are_events() {
    let client = |text: &'static str| match event("smtpd", text) {
        Event::Client(client) => (client.name, client.is_authenticated(), client.original()),
        other => panic!("{other:?}"),
    };
    let authenticated = "3F1A28C0D2: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=a";
    assert_eq!(client(authenticated), (&b"h[192.0.2.1]"[..], true, None));
    assert_eq!(client("3F1A28C0D2: client=h[192.0.2.1]"), (&b"h[192.0.2.1]"[..], false, None));
    let filtered = "3F1A28C0D2: client=f[127.0.0.1], orig_queue_id=4Xn0y83s5Zz1f, orig_client=h[192.0.2.1]";
    assert_eq!(client(filtered), (&b"f[127.0.0.1]"[..], false, Some(&b"h[192.0.2.1]"[..])));
    assert_eq!(
        event("pickup", "3F1A28C0D2: uid=33 from=<www-data>"),
        Event::Pickup { sender: b"www-data", original: None }
    );
    assert_eq!(
        event("pickup", "3F1A28C0D2: uid=103 from=<a@example.com> orig_id=4Xn0y83s5Zz1f"),
        Event::Pickup { sender: b"a@example.com", original: Some(b"4Xn0y83s5Zz1f") }
    );
    for (text, kind) in [
        ("sender non-delivery notification", NotificationKind::NonDelivery),
        ("postmaster non-delivery notification", NotificationKind::NonDelivery),
        ("sender delay notification", NotificationKind::Delay),
        ("sender delivery status notification", NotificationKind::Success),
    ] {
        let text = format!("3F1A28C0D2: {text}: 4Xn0y83s5Zz1f");
        assert_eq!(event("bounce", &text), Event::Notification { kind, queue_id: b"4Xn0y83s5Zz1f" });
    }
    assert_eq!(event("postsuper", "3F1A28C0D2: removed"), Event::Deleted);
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
fn lines_without_news_are_ignored_and_others_unknown() {
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
        assert_eq!(reader().read(none.as_bytes()), Err(NotPostfix::Unknown), "{none}");
    }
}
