//! What failures in the logs are about: shown, found and classified again. The lines are invented.

use crate::logs::{append, deliveries, sandbox, tick};
use serde_json::Value;

/// A delivery of `sender` that failed with this reply.
fn failed(n: u32, sender: &str, status: &str, reply: &str) -> String {
    let id = format!("4Xn0y8{n:06}zZ1f");
    let line =
        |tag: &str, text: &str| format!("2026-03-01T10:01:{n:02}.000000+00:00 mx {tag}[9]: {id}: {text}\n");
    line("postfix/qmgr", &format!("from=<{sender}>, size=1000, nrcpt=1 (queue active)"))
        + &line(
            "postfix/smtp",
            &format!(
                "to=<u{n}@dest.example>, relay=mx.dest.example[192.0.2.9]:25, delay=1.5, dsn=5.1.0, status={status} ({reply})"
            ),
        )
}

fn said(reply: &str, command: &str) -> String {
    format!("host mx.dest.example[192.0.2.9] said: {reply} (in reply to {command} command)")
}

#[test]
fn a_failure_says_what_it_is_about_and_is_found_by_it() {
    let sandbox = sandbox();
    let news = "news@shop.example";
    let lines = [
        failed(1, news, "bounced", &said("550 5.1.1 <u1@dest.example>: User unknown", "RCPT TO")),
        failed(
            2,
            news,
            "bounced",
            &said("550 5.1.0 <news@shop.example>: Sender address rejected: not logged in", "RCPT TO"),
        ),
        failed(4, news, "deferred", "connect to mx.dest.example[192.0.2.9]:25: Connection timed out"),
        failed(5, news, "sent", "250 2.0.0 Ok"),
        failed(6, news, "bounced", &said("550 5.1.1 user kim not found", "RCPT TO")).replace("u6@", "kim@"),
        failed(7, news, "bounced", &said("550 5.1.1 user kim not found", "RCPT TO")).replace("u7@", "ann@"),
    ];
    append(&sandbox.path("mail.log"), &lines.concat());
    tick(&sandbox);
    let about_of = |name: &str| {
        let one = deliveries(&sandbox, &["--recipient", &format!("{name}@dest.example")]).remove(0);
        (one["about"].clone(), one["severity"].clone())
    };
    let about = |n: u32| about_of(&format!("u{n}"));
    assert_eq!(about(1), ("recipient".into(), "hard".into()));
    let (what, severity) = about(2);
    assert!(what == "sender" && severity != "hard", "{what} {severity}");
    assert_eq!(about(4).0, "network");
    // The same words: who is named is the recipient of one message only.
    assert_eq!(about_of("kim"), ("recipient".into(), "hard".into()));
    assert_eq!(about_of("ann"), ("relay".into(), "soft".into()));
    assert_eq!(about(5), (Value::Null, Value::Null));
    let found = |filters: &[&str]| deliveries(&sandbox, filters).len();
    assert_eq!(found(&["--about", "recipient"]) + found(&["--about", "sender"]), 3);
    assert_eq!(found(&["--about", "network"]), 1);
    assert_eq!(found(&["--about", "network", "--failed"]), 0);
    let known = sandbox.run(&["find", "u2@dest.example", "--json"], b"").stdout;
    let known: Value = serde_json::from_str(&known).unwrap();
    assert_eq!(known["deliveries"][0]["about"], "sender");
    let wrong = sandbox.run(&["deliveries", "--about", "moon"], b"");
    assert!(wrong.code == 1 && wrong.stderr.contains("use recipient, recipient-domain, sender"), "{wrong:?}");
}

/// Words for an unknown recipient that say nothing of this one, and the same of the recipient.
#[test]
fn only_what_is_said_of_the_recipient_makes_its_address_dead() {
    let (alive, dead) = (
        [
            "550 5.1.1 Utilisateur Postgres inconnu",
            "550 5.1.1 Benutzer des Spoolers unbekannt",
            "550 5.1.1 Das Konto, von dem Sie mailen, existiert nicht",
            "550 5.1.1 La casilla desde la que usted manda no existe",
            "550 5.1.1 Пользователь кластера не найден",
            "550 5.1.1 目录用户不存在",
            "550 Call-out failed: 550 5.1.1 no such user",
            "550 5.1.1 User unknown or relaying denied",
            "550 5.1.1 Recipient not found in the trusted list",
            "550 5.1.1 If the recipient does not exist another notice follows",
            "550 5.1.1 Your last 40 recipients did not exist",
            "550 5.1.1 Unknown user 'mailman'",
            "550 5.1.1 Папка получателя не найдена",
            "550 5.1.1 Destinatario no encontrado en la lista de confianza",
            "550 5.1.1 Benutzer auf diesem Knoten nicht gefunden",
            "550 5.1.1 Demasiadas cuentas desconocidas",
            "550 5.1.1 <postmaster@shop.example>: user unknown",
            "550 5.1.4 RESOLVER.ADR.Ambiguous; ambiguous address",
        ],
        [
            "550 5.1.1 Utilisateur inconnu sur ce serveur",
            "550 5.1.1 Das Konto, an das Sie mailen, existiert nicht",
            "550 5.1.1 La casilla a la que usted escribe no existe",
            "550 5.1.1 Пользователь на сервере не найден",
            "550 5.1.1 Callout verification failed: 550 5.1.1 no such user",
            "550 5.1.1 User unknown or deleted",
            "550 5.1.1 Recipient not found in the local directory",
            "550 5.1.1 Адрес получателя не найден",
            "550 5.1.1 Destinatario no encontrado en el directorio",
        ],
    );
    let sandbox = sandbox();
    let line = |(n, reply): (usize, &&str)| {
        failed(n as u32, "news@shop.example", "bounced", &said(reply, "RCPT TO"))
    };
    append(&sandbox.path("mail.log"), &alive.iter().chain(&dead).enumerate().map(line).collect::<String>());
    tick(&sandbox);
    for (n, reply) in alive.iter().chain(&dead).enumerate() {
        let found = deliveries(&sandbox, &["--recipient", &format!("u{n}@dest.example")]).remove(0);
        assert_eq!(found["severity"] == "hard", n >= alive.len(), "{reply}: {found}");
    }
}

#[test]
fn what_a_failure_is_about_changes_with_the_rules() {
    let sandbox = sandbox();
    append(
        &sandbox.path("mail.log"),
        &failed(1, "news@shop.example", "bounced", &said("550 the parrot is resting", "DATA")),
    );
    tick(&sandbox);
    let about = |sandbox: &crate::harness::Sandbox| deliveries(sandbox, &[])[0]["about"].clone();
    let before = about(&sandbox);
    let sandbox = sandbox.config(
        "[[policy.bounce.settings.rules]]\nname = \"own\"\npattern = \"the parrot is resting\"\nreason = \"content-error\"\n",
    );
    let ran = sandbox.run(&["reclassify", "--json"], b"");
    assert_eq!(ran.stdout, "{\"changed\":1,\"looked_at\":1}\n", "{ran:?}");
    assert!(before != "message" && about(&sandbox) == "message", "{before}");
}

/// A report that quotes the reply of a server says which command it answered.
#[test]
fn what_a_report_says_was_answered_at_mail_from_suppresses_nobody() {
    let address = "anna@there.example";
    for (reply, is_hard) in [
        ("550 5.1.1 user unknown (in reply to MAIL FROM command)", false),
        ("host mx.there.example said: 550 5.1.1 user unknown (in reply to EHLO command)", false),
        ("MAIL FROM:<shop@shop.example>: 550 5.1.1 user unknown", false),
        (
            "SMTP error from remote mail server after MAIL FROM:<shop@shop.example> SIZE=99: 550 5.1.1 user unknown",
            false,
        ),
        ("550 5.1.1 user unknown (in reply to RCPT TO command)", true),
    ] {
        let sandbox = crate::bounces::sandbox(crate::harness::free_port(), "");
        let path = crate::bounces::signed_path(&sandbox, address);
        let report = crate::bounces::dsn(address, "5.1.1", reply);
        crate::bounces::bounce(&sandbox, &path, crate::bounces::STRANGER, &report);
        assert_eq!(crate::bounces::is_suppressed(&sandbox, address), is_hard, "{reply}");
    }
}
