//! Messages and logs after which nobody, or only the right one, is suppressed: ordinary mail that shows a bounce,
//! reports on something else, replies to commands before a recipient, notices that tell who is meant in their words.

use crate::harness::Sandbox;
use crate::kumomta::compressed;
use crate::logs::{append, deliveries, tick};
use serde_json::{Value, json};
use std::fs;

const DAEMON: &str = "Return-Path: <>\nFrom: MAILER-DAEMON@mx.relay.example\nSubject: Undelivered Mail\n";

/// What carom reads in each of some messages: the kind, and the recipients with their severity.
fn classified(messages: &[String]) -> Vec<(String, Vec<(String, String)>)> {
    let sandbox = Sandbox::new();
    let paths = (0..messages.len()).map(|n| sandbox.path(&format!("{n:03}.eml"))).collect::<Vec<_>>();
    for (path, message) in paths.iter().zip(messages) {
        fs::write(path, message).unwrap();
    }
    let names = paths.iter().map(|path| path.to_str().unwrap());
    let words = ["classify", "--json"].into_iter().chain(names).collect::<Vec<_>>();
    let ran = sandbox.run(&words, b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let read = |line: &str| {
        let found: Value = serde_json::from_str(line).unwrap();
        let recipients = found["recipients"].as_array().unwrap();
        let recipients = recipients.iter().map(|one| (text(&one["address"]), text(&one["severity"])));
        (text(&found["kind"]), recipients.collect())
    };
    ran.stdout.lines().map(read).collect()
}

/// Each message has this kind, and nobody is named.
#[track_caller]
fn all_are(messages: &[String], kind: &str) {
    for (found, message) in classified(messages).into_iter().zip(messages) {
        assert_eq!(found, (kind.to_owned(), Vec::new()), "{message}");
    }
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[test]
fn mail_by_a_person_that_shows_a_bounce_is_ordinary_and_a_bounce_that_is_handed_on_is_none() {
    let bounce = "From: MAILER-DAEMON@mx.example\nTo: karl@tal.example\nSubject: Undelivered Mail\n\nThis is the mail \
        system at host mx.example.\n\n<otto@fern.example>: host mx.fern.example[192.0.2.3] said: 550 5.1.1 User unknown \
        (in reply to RCPT TO command)\n";
    let mail = |subject: &str, text: &str| {
        format!(
            "Return-Path: <karl@tal.example>\nFrom: Karl <karl@tal.example>\nX-Mailer: Roundcube\n\
             Subject: {subject}\n\n{text}"
        )
    };
    let mark = "---------- Forwarded message ---------\n";
    let quoted = bounce.lines().map(|line| format!("> {line}\n")).collect::<String>();
    let messages = [
        mail(
            "How to read a bounce",
            &format!("Dear readers, a typical bounce is this:\n\n{bounce}\nAs you see, it failed.\n"),
        ),
        mail("Undelivered Mail: what it means", &format!("Beispiel:\n\n{bounce}")),
        mail(
            "Fwd: Undelivered Mail",
            &format!("Otto was away, see below. Please try again.\n\n{mark}{bounce}"),
        ),
        mail("A bounce", &format!("Example 1:\n\n{mark}{bounce}")),
        format!(
            "From: Karl <karl@tal.example>\nSubject: [Ticket#8] Mail problem\n\nAnna wrote:\n{quoted}\nPlease check. Karl\n"
        ),
    ];
    all_are(&messages, "other");
    let handed_on = ["", "FYI\n\n", "Please look at this.\n\n"]
        .map(|remark| mail("Fwd: Undelivered Mail", &format!("{remark}{mark}{bounce}")));
    for (found, message) in classified(&handed_on).into_iter().zip(&handed_on) {
        assert_eq!(found.1, pairs(&[("otto@fern.example", "hard")]), "{message}");
    }
}

#[test]
fn programs_without_a_return_path_report_on_mail_only_if_they_speak_of_mail() {
    let mut messages = Vec::new();
    for field in [
        "Auto-Submitted: auto-generated",
        "RT-Ticket: x 1",
        "X-GitLab-Issue-ID: 4",
        "List-Id: <x.list.example>",
    ] {
        for text in [
            "Lea wrote: the address otto@fern.example does not exist (550 5.1.1 User unknown).",
            "Karl commented:\n\n550 5.1.1 <otto@fern.example>: User unknown\n\nWe should remove the address.",
            "The invitation could not be sent to anna@kunde.example: user not found.",
            "Your SMS could not be delivered: subscriber unknown. Account: anna@kunde.example",
            "The following recipient could not be reached: Anna (anna@kunde.example). Account does not exist (code 550).",
        ] {
            messages.push(format!(
                "Return-Path: <>\nFrom: Info <info@shop.example>\n{field}\nSubject: News\n\n{text}\n"
            ));
        }
    }
    messages.push(
        "Return-Path: <>\nFrom: noreply@paket.example\nSubject: Zustellung fehlgeschlagen: Empfänger unbekannt\n\n\
         Ihr Paket konnte nicht zugestellt werden.\n"
            .into(),
    );
    all_are(&messages, "other");
    let about_mail = "Return-Path: <>\nFrom: info@kunde.example\nSubject: Undelivered mail\n\n\
        Your message to anna@kunde.example could not be delivered: 550 5.1.1 user unknown\n";
    assert_eq!(classified(&[about_mail.into()])[0].1, pairs(&[("anna@kunde.example", "hard")]));
}

#[test]
fn the_type_of_a_report_outranks_its_words() {
    let report = |from: &str, kind: &str, text: &str, part: &str| {
        format!(
            "Return-Path: <>\nFrom: {from}\nSubject: Delivery failed\nMIME-Version: 1.0\nContent-Type: {kind}; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\n{text}\n\n--b\n{part}\n--b--\n"
        )
    };
    let failed = "Delivery failed for 12 messages: 550 5.7.1 rejected. User unknown 550 5.1.1.";
    let receipt = "Content-Type: message/disposition-notification\n\nFinal-Recipient: rfc822; anna@kunde.example\n\
        Disposition: automatic-action/MDN-sent-automatically; deleted\n";
    let tls = "Content-Type: application/tlsrpt+gzip\n\nx\n";
    let dmarc = "Content-Type: application/gzip; name=\"isp.example!app.example!1!2.xml.gz\"\n\nx\n";
    let answer = "Return-Path: <>\nFrom: Anna <anna@kunde.example>\nSubject: Accepted\nContent-Type: text/calendar; method=REPLY\n\n\
        BEGIN:VCALENDAR\nATTENDEE:mailto:anna@kunde.example\nSUMMARY:Jour fixe - 550 5.1.1 user unknown\nEND:VCALENDAR\n";
    all_are(
        &[
            report(
                "Anna <anna@kunde.example>",
                "multipart/report; report-type=disposition-notification",
                failed,
                receipt,
            ),
            report("tls@isp.example", "multipart/report; report-type=tlsrpt", failed, tls),
            report("dmarc@isp.example", "multipart/mixed", failed, dmarc),
            answer.into(),
        ],
        "other",
    );
}

#[test]
fn whoever_received_it_and_a_list_with_a_dead_member_are_alive() {
    let dead = pairs(&[("otto@fern.example", "hard")]);
    let messages = [
        "Successfully delivered to:\n  anna@kunde.example\n\nFailed:\n  otto@fern.example: 550 5.1.1 user unknown",
        "Failed:\n  otto@fern.example: 550 5.1.1 user unknown\n\nDelivered:\n  anna@kunde.example\n  lea@kunde.example",
        "I could not deliver your message to all recipients.\n\nZugestellt:\n  anna@kunde.example\n\nNicht zugestellt:\n  \
         otto@fern.example: 550 5.1.1 user unknown",
        "Your message to team@kunde.example was delivered, but not to the member otto@fern.example: user unknown.",
    ]
    .map(|text| format!("{DAEMON}\n{text}\n"));
    for (found, message) in classified(&messages).into_iter().zip(&messages) {
        assert_eq!(found.1, dead, "{message}");
    }
    let nobody = [
        "Your message to the group team@kunde.example could not be delivered to one of its members: user unknown.",
        "Your mail could not be delivered: 550 5.1.1 User unknown.\n\nTo: karl@tal.example\nCc: otto@fern.example",
        "Your mail could not be delivered: 550 5.1.1 User unknown.\n\nTo: karl@tal.example,\n    otto@fern.example",
    ]
    .map(|text| format!("{DAEMON}\n{text}\n"));
    all_are(&nobody, "delivery-status");
}

#[test]
fn reasons_go_with_their_address_on_whichever_side_they_stand() {
    let both = pairs(&[("anna@kunde.example", "soft"), ("otto@fern.example", "hard")]);
    let intro = "I could not deliver your message to these recipients:";
    let messages = [
        "Mailbox full:\n  anna@kunde.example\nUser unknown:\n  otto@fern.example",
        "Reason: mailbox full\nRecipient: anna@kunde.example\n\nReason: user unknown\nRecipient: otto@fern.example",
        "552 5.2.2 mailbox full <anna@kunde.example>\n550 5.1.1 user unknown <otto@fern.example>",
        "  anna@kunde.example\n    mailbox full\n  otto@fern.example\n    user unknown",
        "anna@kunde.example (Mailbox disk quota exceeded)\notto@fern.example (User not found)",
    ]
    .map(|text| format!("{DAEMON}\n{intro}\n\n{text}\n"));
    for (found, message) in classified(&messages).into_iter().zip(&messages) {
        assert_eq!(found.1, both, "{message}");
    }
}

#[test]
fn the_words_before_a_reply_say_whose_it_is() {
    let intro = "Your message to anna@kunde.example was not delivered.";
    for (severity, texts) in [
        (
            "soft",
            &[
                "Reason: the sender does not exist (550 5.1.1 user unknown)",
                "Our sender address was rejected.\nServer reply: 550 5.1.1 user unknown",
                "Grund: Absenderadresse abgelehnt (550 5.1.1 Benutzer unbekannt)",
                "Reason: blocked by policy (550 5.1.1 user unknown)",
            ][..],
        ),
        (
            "hard",
            &[
                "Reason: the mailbox does not exist (550 5.1.1 user unknown)",
                "The server said: 550 5.1.1 user unknown",
            ],
        ),
    ] {
        let messages = texts.iter().map(|text| format!("{DAEMON}\n{intro}\n\n{text}\n")).collect::<Vec<_>>();
        for (found, message) in classified(&messages).into_iter().zip(&messages) {
            assert_eq!(found.1, pairs(&[("anna@kunde.example", severity)]), "{message}");
        }
    }
}

#[test]
fn a_person_who_writes_of_an_absence_is_no_program() {
    let messages = [
        ("Re: Factura", "Hola, estaré fuera de la oficina hasta el jueves. ¿Podemos hablar el viernes? Ana"),
        ("Re: Faktura", "Dzień dobry, jestem na urlopie do 3 grudnia. Proszę o kontakt później. Anna"),
        ("Out of office next week", "I am out of the office next week. Could you send the invoice before?"),
    ]
    .map(|(subject, text)| {
        format!(
            "Return-Path: <ana@kunde.example>\nFrom: Ana <ana@kunde.example>\nIn-Reply-To: <q@app.example>\n\
             Subject: {subject}\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
        )
    });
    all_are(&messages, "other");
}

#[test]
fn a_filter_that_asks_for_an_answer_is_a_challenge_in_every_language() {
    let messages = [
        "Il tuo messaggio è stato trattenuto perché non sei nella lista dei mittenti autorizzati. Rispondi a questo messaggio.",
        "Twoja wiadomość została zatrzymana. Odpowiedz na tę wiadomość, aby została dostarczona.",
        "Ditt meddelande hålls kvar. Svara på detta meddelande för att få det levererat.",
        "您的邮件已被暂时扣留，因为您不在允许的发件人名单中。请回复此邮件以便投递。",
    ]
    .map(|text| {
        format!(
            "Return-Path: <>\nFrom: Anna <anna@kunde.example>\nIn-Reply-To: <m1@app.example>\nSubject: Re: Info\n\
             Content-Type: text/plain; charset=utf-8\n\n{text}\n"
        )
    });
    for (found, message) in classified(&messages).into_iter().zip(&messages) {
        assert_eq!(found.0, "challenge", "{message}");
    }
}

#[test]
fn what_is_still_tried_has_not_failed_and_a_sentence_without_a_reason_outranks_no_status() {
    let delayed = [
        "Ihre Nachricht an anna@kunde.example konnte seit 4 Stunden nicht zugestellt werden. Es wird weitere 5 Tage versucht.",
        "Su mensaje a anna@kunde.example no se ha podido entregar. Se seguirá intentando durante 5 días.",
        "Ваше сообщение для anna@kunde.example не удаётся доставить уже 4 часа. Попытки будут продолжаться ещё 5 дней.",
    ]
    .map(|text| format!("{DAEMON}Content-Type: text/plain; charset=utf-8\n\n{text}\n"));
    for message in &delayed {
        let ran = Sandbox::new().run(&["classify", "--json"], message.as_bytes());
        let found: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(found["recipients"][0]["action"], "delayed", "{found}");
    }
    let report = format!(
        "{DAEMON}MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
         Content-Type: text/plain\n\nThe following address failed.\n\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.kunde.example\n\nFinal-Recipient: rfc822; anna@kunde.example\nAction: failed\n\
         Status: 5.1.1\n\n--b--\n"
    );
    assert_eq!(classified(&[report])[0].1, pairs(&[("anna@kunde.example", "hard")]));
}

/// Of these replies in a log those to RCPT are hard, and no earlier one is.
#[track_caller]
fn only_rcpt_is_hard(kind: &str, lines: &str) {
    let sandbox = Sandbox::new();
    let place = sandbox.path("log");
    match kind {
        "kumomta" => {
            fs::create_dir(&place).unwrap();
            compressed(&place.join("20260301-100000.1"), lines);
        }
        _ => append(&place, lines),
    }
    let config = format!("[[logs]]\nkind = \"{kind}\"\npath = \"{}\"\ntimezone = \"UTC\"\n", place.display());
    let sandbox = sandbox.config(&config);
    tick(&sandbox);
    let all = deliveries(&sandbox, &[]);
    assert!(all.len() > 3, "{all:?}");
    for one in all {
        let is_late = one["recipient"].as_str().unwrap().starts_with("rcpt");
        let severity = if is_late { "hard" } else { "soft" };
        assert_eq!(one["severity"], json!(severity), "{one}");
    }
}

#[test]
fn a_reply_before_a_recipient_was_named_is_not_about_it_in_the_log_of_exim() {
    let id = "2026-03-01 10:00:00 1xXZc0-0006SV-0R";
    let mut lines = format!("{id} <= news@app.example U=app P=local S=900\n");
    for (name, after, said) in [
        ("mail", "MAIL FROM:<news@app.example> SIZE=3201", "550 5.1.1 User unknown"),
        ("piped", "pipelined MAIL FROM:<news@app.example>", "550 No such user"),
        ("ehlo", "EHLO mail.app.example", "550 5.1.2 Host unknown"),
        ("first", "initial connection", "550 5.1.1 user unknown"),
        ("rcpt", "RCPT TO:<rcpt@kunde.example>", "550 5.1.1 User unknown"),
        ("rcpt2", "pipelined RCPT TO:<rcpt2@kunde.example>", "550 5.1.1 User unknown"),
    ] {
        lines += &format!(
            "{id} ** {name}@kunde.example R=dnslookup T=remote_smtp H=mx.kunde.example [192.0.2.77]: SMTP error from \
             remote mail server after {after}: {said}\n"
        );
    }
    only_rcpt_is_hard("exim", &lines);
}

#[test]
fn a_reply_before_a_recipient_was_named_is_not_about_it_in_the_log_of_kumomta() {
    let record = |name: &str, command: Value| {
        json!({
            "type": "Bounce", "id": format!("1d98{name}"), "sender": "news@app.example",
            "recipient": format!("{name}@kunde.example"), "queue": "kunde.example", "size": 900,
            "response": {"code": 550, "enhanced_code": {"class": 5, "subject": 1, "detail": 1},
                         "content": "User unknown", "command": command},
            "peer_address": {"name": "mx.kunde.example.", "addr": "192.0.2.77"},
            "timestamp": 1_772_359_202, "created": 1_772_359_200,
        })
    };
    let records = [
        record("mail", json!("MAIL FROM:<news@app.example>")),
        record("ehlo", json!("EHLO mail.app.example")),
        record("banner", Value::Null),
        record("rcpt", json!("RCPT TO:<rcpt@kunde.example>")),
    ];
    let lines = records.map(|record| format!("{record}\n")).concat();
    only_rcpt_is_hard("kumomta", &lines);
}
