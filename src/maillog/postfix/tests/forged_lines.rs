//! Lines in which strangers write what Postfix would write.

use super::*;

#[test]
fn text_of_strangers_forges_nothing() {
    // A reply that quotes the words of a success.
    let text = "4Xn0y83s5Zz1f: to=<a@example.com>, relay=mx[192.0.2.1]:25, dsn=5.0.0, status=bounced (host mx said: 550 \
        >, relay=evil, dsn=2.0.0, status=sent (250 ok))";
    assert_eq!((attempt(text).result, attempt(text).dsn), (AttemptResult::Bounced, &b"5.0.0"[..]));
    // A recipient that does, quoted as Postfix quotes it.
    let text = r#"4Xn0y83s5Zz1f: to=<"a>, relay=x, dsn=2.0.0, status=sent (\"x"@example.com>, relay=none, dsn=5.1.1, status=bounced (no)"#;
    assert_eq!((attempt(text).result, attempt(text).dsn), (AttemptResult::Bounced, &b"5.1.1"[..]));
    // Recipients as the internal form has them.
    let text =
        "4Xn0y83s5Zz1f: to=<a b>c@example.com>, orig_to=<\"@example.com>, relay=none, status=deferred (x)";
    assert_eq!(attempt(text).recipient, b"a b>c@example.com");
    assert_eq!(attempt(text).original_recipient, Some(&b"\"@example.com"[..]));
    // One that begins with a quotation mark, as old releases write it, and a reply with others.
    let text = "4Xn0y83s5Zz1f: to=<\"><script>x</script>@evil.example>, relay=mx[192.0.2.1]:25, dsn=5.0.0, \
        status=bounced (host mx said: 550 <b>\"'><img src=\"x\"> no)";
    assert_eq!(attempt(text).recipient, b"\"><script>x</script>@evil.example");
    assert_eq!((attempt(text).result, attempt(text).dsn), (AttemptResult::Bounced, &b"5.0.0"[..]));
    // Senders.
    let text = r#"4Xn0y83s5Zz1f: from=<"a to=<x@y>, status=sent (1"@example.com>, size=1234, nrcpt=2 (queue active)"#;
    let Event::TakenUp(TakenUp { sender, size, recipients }) = event("qmgr", text) else { panic!() };
    assert_eq!(sender, br#""a to=<x@y>, status=sent (1"@example.com"#);
    assert_eq!((size, recipients), (1234, 2));
    let text = "4Xn0y83s5Zz1f: from=<x>, status=expired, returned to sender y@example.com>, size=1, nrcpt=1 (queue active)";
    assert!(matches!(event("qmgr", text), Event::TakenUp(_)));
    // Programs in a text.
    let text = "Jan  1 03:04:05 mx imapd[9]: Jan  1 03:04:05 mx postfix/smtp[1]: 4Xn0y83s5Zz1f: removed";
    assert_eq!(reader().read(text.as_bytes()), Err(NotPostfix::Foreign));
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
fn helo_text_is_not_taken_for_an_envelope() {
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
            let _ = reader().read(text.as_bytes());
            let _ = reader().read(&text.as_bytes()[..text.len() / 2]);
        }
    }
    for length in 0..120 {
        let text = b"2026-01-01T03:04:05.000000+00:00 mx postfix/smtp[77]: 4Xn0y83s5Zz1f: to=<a@x>, relay=none, dsn=4.0.0, status=sent (x)";
        let _ = reader().read(&text[..length.min(text.len())]);
        let _ = reader().read(&text[length.min(text.len())..]);
    }
    assert!(begun.elapsed().as_secs() < 60);
}
