//! Bounces and complaints of real mail: read, classified, acted upon, and the application told; and who is not believed.

use crate::harness::application::Application;
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{MINUTE_MS, Ran, SILENT, Sandbox, free_port, wait_for};
use std::fs;
use std::path::Path;

const KEY: &str = "a key of at least sixteen octets";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The address of our own mail server: what it reports is proven.
pub(crate) const OWN: &str = "198.51.100.25";

pub(crate) fn sandbox(port: u16, settings: &str) -> Sandbox {
    sandbox_with("", port, settings)
}

/// With more keys of `[auth]`.
pub(crate) fn sandbox_with(auth: &str, port: u16, settings: &str) -> Sandbox {
    Sandbox::new().config(&format!(
        "[auth]\nown_servers = [\"{OWN}/32\"]\n{auth}\n[verp]\nkeys = [\"{KEY}\"]\ndomain = \"bounces.example.com\"\n\
         [[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{port}/bounced/{{address}}\"\nsecrets = [\"{SECRET}\"]\n\
         [policy.bounce.settings]\n{settings}\n"
    ))
}

/// A delivery status notification (RFC 3464) about one recipient of a message like no other.
pub(crate) fn dsn(recipient: &str, status: &str, reply: &str) -> Vec<u8> {
    dsn_of(&format!("sent{:x}@shop.example", fastrand::u64(..)), recipient, status, reply)
}

/// One about the message with this Message-ID.
pub(crate) fn dsn_of(message_id: &str, recipient: &str, status: &str, reply: &str) -> Vec<u8> {
    format!(
        "From: MAILER-DAEMON@mx.there.example\r\nTo: <bounces@bounces.example.com>\r\nSubject: Undelivered Mail\r\n\
         Message-ID: <{:x}@mx.there.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.there.example\r\n\r\n\
         Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: {status}\r\nRemote-MTA: dns; mx.there.example\r\n\
         Diagnostic-Code: smtp; {reply}\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nReceived: from app (localhost [127.0.0.1])\r\n\tby mx.there.example (Postfix) with ESMTP id 4QSent1\r\nFrom: shop@shop.example\r\nTo: {recipient}\r\n\
         Message-ID: <{message_id}>\r\nSubject: your order\r\n\r\n--b--\r\n",
        fastrand::u64(..)
    )
    .into_bytes()
}

pub(crate) fn bounce(sandbox: &Sandbox, to: &str, client: &str, message: &[u8]) -> Ran {
    let ran = sandbox.run(
        &["pipe", "--policy", "bounce", "--sender", "", "--recipient", to, "--client-address", client],
        message,
    );
    ran.silent();
    ran
}

pub(crate) fn is_suppressed(sandbox: &Sandbox, address: &str) -> bool {
    let ran = sandbox.run(&["suppress", "check", address, "--sender-domain", "shop.example"], b"");
    assert!(ran.code < 2, "{ran:?}");
    ran.code == 1
}

pub(crate) fn signed_path(sandbox: &Sandbox, address: &str) -> String {
    let ran = sandbox.run(&["verp", "sign", address], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.trim().to_owned()
}

pub(crate) const STRANGER: &str = "192.0.2.66";

/// A proven hard bounce of an address.
pub(crate) fn hard(sandbox: &Sandbox, address: &str) {
    bounce(
        sandbox,
        &signed_path(sandbox, address),
        STRANGER,
        &dsn(address, "5.1.1", "550 5.1.1 user unknown"),
    );
}

#[test]
fn a_hard_bounce_to_a_signed_return_path_suppresses_and_tells_the_application() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "");
    let gone = "gone@there.example";
    let path = signed_path(&sandbox, gone);
    // PowerMTA lower-cases local parts, others upper-case them.
    let report = dsn_of("sent1@shop.example", gone, "5.1.1", "550 5.1.1 user unknown");
    bounce(&sandbox, &path.to_uppercase(), STRANGER, &report);
    assert!(is_suppressed(&sandbox, gone));
    let told = application.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].path, "/bounced/gone%40there.example");
    let body: serde_json::Value = serde_json::from_str(&told[0].body).unwrap();
    assert_eq!((&body["event"], &body["reason"]), (&"bounce.hard".into(), &"user-unknown".into()), "{body}");
    assert_eq!((&body["message_id"], &body["about"]), (&"sent1@shop.example".into(), &"recipient".into()));
    assert_eq!(body["sender_domain"], "shop.example");
    assert!(
        told[0].header("webhook-signature").starts_with("v1,") && !told[0].header("webhook-id").is_empty()
    );
    assert_eq!(told[0].header("idempotency-key"), told[0].header("webhook-id"));
    let found = sandbox.run(&["find", gone], b"").stdout;
    assert!(found.contains("suppressed") && found.contains("user-unknown"), "{found}");
}

#[test]
fn a_live_address_is_not_suppressed_on_a_strangers_word() {
    let application = Application::at(0);
    for trust in ["", "trust = \"preferred\"\nthreshold = 2"] {
        let sandbox = sandbox(application.port, trust);
        let alive = "alive@there.example";
        for _ in 0..10 {
            bounce(
                &sandbox,
                "bounces@bounces.example.com",
                STRANGER,
                &dsn(alive, "5.1.1", "550 5.1.1 user unknown"),
            );
        }
        let other = signed_path(&sandbox, "someone@else.example");
        bounce(&sandbox, &other, STRANGER, &dsn(alive, "5.1.1", "550 5.1.1 user unknown"));
        let forged = signed_path(&sandbox, alive).replace("b+", "b+0");
        bounce(&sandbox, &forged, STRANGER, &dsn(alive, "5.1.1", "550 5.1.1 user unknown"));
        assert!(!is_suppressed(&sandbox, alive), "{trust}");
        assert!(sandbox.counter("bounce_unproven") >= 12);
    }
    assert!(application.told().is_empty());
}

#[test]
fn refusals_about_the_sender_never_suppress_however_permanent_their_code() {
    let sandbox = sandbox(free_port(), "threshold = 1\ntrust = \"off\"");
    for (number, reply) in [
        "550 5.7.1 message looks like spam",
        "554 5.7.1 Service unavailable; client host [192.0.2.1] blocked using list.example",
        "550 5.1.1 you have sent too many messages this hour",
        "550 5.7.26 this mail is unauthenticated",
        "552 5.3.4 message too big",
    ]
    .iter()
    .enumerate()
    {
        let address = format!("alive{number}@there.example");
        let status = reply.split(' ').nth(1).unwrap();
        bounce(&sandbox, "bounces@bounces.example.com", STRANGER, &dsn(&address, status, reply));
        assert!(!is_suppressed(&sandbox, &address), "{reply}");
    }
    assert_eq!(sandbox.counter("bounce_refused"), 5, "{:?}", sandbox.counters());
}

#[test]
fn soft_bounces_suppress_at_the_threshold_and_not_before() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "threshold = 3");
    let full = "full@there.example";
    for bounced in 1..=3 {
        // Our own mail server says so.
        bounce(&sandbox, "bounces@bounces.example.com", OWN, &dsn(full, "5.2.2", "552 5.2.2 mailbox full"));
        assert_eq!(is_suppressed(&sandbox, full), bounced == 3, "{bounced}");
    }
    assert_eq!(application.told().len(), 1);
    assert!(application.told()[0].body.contains("mailbox-full"));
    let ran = sandbox.run(&["suppress", "remove", full], b"");
    assert!(ran.stdout.contains("1 removed"), "{ran:?}");
    bounce(&sandbox, "bounces@bounces.example.com", OWN, &dsn(full, "5.2.2", "552 5.2.2 mailbox full"));
    assert!(!is_suppressed(&sandbox, full), "the count began anew");
}

#[test]
fn an_application_that_is_down_at_first_is_told_later_and_once() {
    let port = free_port();
    let sandbox = sandbox(port, "");
    let gone = "gone@there.example";
    let path = signed_path(&sandbox, gone);
    bounce(&sandbox, &path, STRANGER, &dsn(gone, "5.1.1", "550 5.1.1 user unknown"));
    assert!(is_suppressed(&sandbox, gone));
    let owed = sandbox.run(&["outbox"], b"").stdout;
    assert!(owed.contains("notify"), "{owed}");
    let application = Application::at(port);
    sandbox.advance(2 * MINUTE_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(application.told().len(), 1);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    assert_eq!(application.told().len(), 1, "it has been told");
    assert!(sandbox.run(&["outbox"], b"").stdout.contains("nothing is pending"));
    // What the application will never take is parked, not tried for ever.
    application.answer(404);
    let other = "other@there.example";
    let path = signed_path(&sandbox, other);
    bounce(&sandbox, &path, STRANGER, &dsn(other, "5.1.1", "550 5.1.1 user unknown"));
    assert_eq!(sandbox.counter("notify_parked"), 1);
    assert!(sandbox.run(&["log"], b"").stdout.contains("parked"));
}

#[test]
fn a_delay_is_no_bounce_and_an_auto_reply_is_none_either() {
    let sandbox = sandbox(free_port(), "trust = \"off\"\nthreshold = 1");
    let delayed = String::from_utf8(dsn("slow@there.example", "4.4.1", "connection timed out")).unwrap();
    let delayed = delayed.replace("Action: failed", "Action: delayed");
    bounce(&sandbox, "bounces@bounces.example.com", STRANGER, delayed.as_bytes());
    let away = "From: away@there.example\r\nTo: shop@shop.example\r\nSubject: Out of office: your order\r\n\
                Auto-Submitted: auto-replied\r\n\r\nI am away until Monday.\r\n";
    bounce(&sandbox, "bounces@bounces.example.com", STRANGER, away.as_bytes());
    assert!(!is_suppressed(&sandbox, "slow@there.example") && !is_suppressed(&sandbox, "away@there.example"));
    assert_eq!((sandbox.counter("bounce_delayed"), sandbox.counter("auto_reply")), (1, 1));
}

#[test]
fn the_suppression_list_goes_out_and_in() {
    let sandbox = sandbox(free_port(), "");
    let run = |arguments: &[&str], stdin: &[u8]| sandbox.run(&[&["suppress"], arguments].concat(), stdin);
    assert!(run(&["add", "A@b.example", "c@d.example", "--reason", "asked"], b"").stdout.contains("2 new"));
    let csv = run(&["export"], b"").stdout;
    assert!(csv.starts_with("address,") && csv.contains("a@b.example,,asked,operator,"), "{csv}");
    let json = run(&["export", "--json"], b"").stdout;
    assert!(run(&["remove", "a@b.example", "c@d.example"], b"").stdout.contains("2 removed"));
    assert_eq!(run(&["check", "a@b.example"], b"").code, 0);
    assert!(run(&["import", "-"], csv.as_bytes()).stdout.contains("2 new"));
    assert_eq!(run(&["check", "A@B.example"], b"").code, 1);
    assert!(run(&["import", "-"], json.as_bytes()).stdout.contains("0 new, 2 suppressed before"));
    let wrong = run(&["import", "-"], b"address\nnobody\n");
    assert!(wrong.code == 1 && wrong.stderr.contains("line 2"), "{wrong:?}");
    assert_eq!(run(&["list", "d.example"], b"").stdout.lines().count(), 1);
}

/// The fixtures that the reader of reports is held to, through the real command.
#[test]
fn classify_finds_in_every_family_what_is_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports");
    let expected: toml::Table = fs::read_to_string(folder.join("expected.toml")).unwrap().parse().unwrap();
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["classify", "--json", &folder.display().to_string()], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut verdicts = std::collections::BTreeMap::new();
    for line in ran.stdout.lines() {
        let verdict: serde_json::Value = serde_json::from_str(line).unwrap();
        let file = Path::new(verdict["file"].as_str().unwrap()).file_name().unwrap().to_owned();
        verdicts.insert(file.to_string_lossy().into_owned(), verdict);
    }
    let reports = expected["report"].as_array().unwrap();
    assert!(reports.len() >= 180);
    for report in reports {
        let file = report["file"].as_str().unwrap();
        let verdict = &verdicts[file];
        assert_eq!(verdict["kind"], report["kind"].as_str().unwrap(), "{file}");
        let none = Vec::new();
        let wanted = report.get("recipient").and_then(|list| list.as_array()).unwrap_or(&none);
        let found = verdict["recipients"].as_array().unwrap();
        assert_eq!(found.len(), wanted.len(), "{file}: {verdict}");
        for (found, wanted) in found.iter().zip(wanted) {
            for key in ["address", "original", "action", "status", "reply_code", "stage", "named", "severity"]
            {
                if let Some(value) = wanted.get(key) {
                    // 0 stands for no reply code at all.
                    let value = serde_json::to_value(value).ok().filter(|it| *it != 0).unwrap_or_default();
                    assert_eq!(found[key], value, "{file}: {key}");
                }
            }
            if let Some(says) = wanted.get("says").and_then(|says| says.as_str()) {
                let said = found["diagnostic"].as_str().unwrap().to_lowercase();
                assert!(said.contains(&says.to_lowercase()), "{file}: {said}");
            }
            if let Some(never) = wanted.get("never").and_then(|never| never.as_str()) {
                let said = found["diagnostic"].as_str().unwrap().to_lowercase();
                assert!(!said.contains(&never.to_lowercase()), "{file}: {said}");
            }
            assert!(found["reason"].is_string() && found["severity"].is_string(), "{file}");
        }
    }
}

#[test]
fn reading_never_fails_it_lists_defects() {
    let sandbox = Sandbox::new();
    for (raw, defect) in [
        (&b"no header at all"[..], "no header section"),
        (b"Subject: a\nSubject: b\n\n\0", "a NUL byte"),
        (b"Content-Type: multipart/mixed\n\nx", "a multipart without a boundary"),
    ] {
        let ran = sandbox.run(&["classify", "--explain"], raw);
        assert!(ran.code == 0 && ran.stdout.contains("defects: "), "{ran:?}");
        assert!(ran.stdout.contains(defect), "{ran:?}");
        assert!(sandbox.run(&["classify", "--explain", "--json"], raw).stdout.contains(defect));
    }
    let sound = dsn("a@there.example", "5.1.1", "550 5.1.1 user unknown");
    assert!(!sandbox.run(&["classify", "--explain", "--json"], &sound).stdout.contains("defects"));
}

#[test]
fn classify_reads_mboxes_standard_input_and_bare_replies() {
    let sandbox = Sandbox::new();
    let one = String::from_utf8(dsn("a@there.example", "5.1.1", "550 5.1.1 user unknown")).unwrap();
    let two = String::from_utf8(dsn("b@there.example", "5.2.2", "552 5.2.2 mailbox full")).unwrap();
    let mbox = format!(
        "From MAILER-DAEMON Sat Jan  3 01:05:34 2026\n{one}\nFrom MAILER-DAEMON Sat Jan  3 01:05:35 2026\n{two}\n"
    );
    let ran = sandbox.run(&["classify", "--json"], mbox.as_bytes());
    assert_eq!(ran.stdout.lines().count(), 2, "{ran:?}");
    assert!(ran.stdout.contains("user-unknown") && ran.stdout.contains("mailbox-full"));
    let explained = sandbox.run(&["classify", "--explain"], one.as_bytes()).stdout;
    assert!(explained.contains("decided by") && explained.contains("in line"), "{explained}");
    let replies = b"550 5.1.1 no such user\n452 4.2.2 over quota\n";
    let ran = sandbox.run(&["classify", "--text", "--json"], replies);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(
        lines[0].contains("\"reason\":\"user-unknown\"") && lines[1].contains("\"reason\":\"mailbox-full\""),
        "{ran:?}"
    );
    let missing = sandbox.run(&["classify", "/nowhere.eml"], b"");
    assert!(missing.code == 1 && missing.stderr.contains("/nowhere.eml"), "{missing:?}");
}

#[test]
fn an_operators_own_rules_come_before_the_shipped_ones() {
    let rule = "[[policy.bounce.settings.rules]]\nname = \"ours\"\npattern = \"purple elephant\"\nreason = \"mailbox-full\"\n";
    let sandbox = Sandbox::new().config(rule);
    let ran =
        sandbox.run(&["classify", "--text", "--json"], b"550 5.1.1 user unknown, says the purple elephant\n");
    assert!(ran.stdout.contains("\"rule\":\"ours\"") && ran.stdout.contains("mailbox-full"), "{ran:?}");
    let wrong = Sandbox::new().config("[policy.bounce.settings]\nthreshold = 0\n");
    let ran = wrong.run(&["policy", "check", "bounce"], b"");
    assert!(ran.code == 1 && ran.stdout.contains("threshold = 0"), "{ran:?}");
}

#[test]
fn rules_of_postfix_deliverability_analytics_become_ours() {
    let sandbox = Sandbox::new();
    let xml =
        "<bounces><regex type=\"hard\" category=\"Bad mailbox\"><or>.*user unknown.*</or></regex></bounces>";
    let file = sandbox.path("list.xml");
    fs::write(&file, xml).unwrap();
    let ran = sandbox.run(&["rules", "import", &file.display().to_string()], b"");
    assert!(
        ran.code == 0
            && ran.stdout.contains("user unknown")
            && ran.stdout.contains("[[policy.bounce.settings.rules]]"),
        "{ran:?}"
    );
}

#[test]
fn what_somebody_forged_is_told_apart_by_verp_verify() {
    let sandbox = sandbox(free_port(), "");
    let path = signed_path(&sandbox, "Joe@there.example");
    let verified = sandbox.run(&["verp", "verify", &path], b"");
    assert!(verified.code == 0 && verified.stdout.contains("joe@there.example"), "{verified:?}");
    assert_eq!(sandbox.run(&["verp", "verify", &path.replace("joe", "jim")], b"").code, 1);
    let none = Sandbox::new().run(&["verp", "sign", "a@b.example"], b"");
    assert!(none.code == 1 && none.stderr.contains("[verp]"), "{none:?}");
}

/// A real Postfix cannot deliver, and returns the mail to the signed return path, which is carom's.
#[test]
fn postfix_returns_mail_and_the_application_is_told_also_when_it_was_down() {
    let port = free_port();
    let there = SmtpPeer::start(Manner { at: "RCPT", reply: "550 5.1.1 user unknown" });
    let sandbox = Sandbox::new().config(&format!(
        "policy = \"bounce\"\n[verp]\nkeys = [\"{KEY}\"]\ndomain = \"sink.example\"\n\
         [[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{port}/bounced/{{address}}\"\n"
    ));
    let path = sandbox.path("carom.toml");
    let config = fs::read_to_string(&path).unwrap().replace("policy = \"bounce\"\n", "");
    fs::write(&path, format!("policy = \"bounce\"\n{config}")).unwrap();
    // The policy is compiled before anybody waits for it.
    sandbox.run(&["pipe", "--recipient", "x@sink.example", "--dry-run"], b"Subject: x\r\n\r\n");
    let more = "maximal_queue_lifetime = 3s\nbounce_queue_lifetime = 3s\nsmtp_helo_timeout = 1s\nsmtp_connect_timeout = 1s\n";
    let postfix = Postfix::start_with(&sandbox, there.port, more);
    let send = |recipient: &str| {
        let message = format!(
            "From: shop@shop.example\r\nTo: {recipient}\r\nMessage-ID: <m1@shop.example>\r\n\r\nhello\r\n"
        );
        let reply = postfix.send(&signed_path(&sandbox, recipient), recipient, message.as_bytes());
        assert!(reply.starts_with("250"), "{reply}");
    };
    send("unknown@there.example");
    wait_for(30, "the unknown user to be suppressed", || is_suppressed(&sandbox, "unknown@there.example"));
    wait_for(30, "the application to be found down", || sandbox.counter("notify_deferred") == 1);
    wait_for(30, "the process that has tried the step to end", || postfix.queued() == 0);
    let application = Application::at(port);
    sandbox.advance(2 * MINUTE_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let told = application.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].path.ends_with("unknown%40there.example") && told[0].body.contains("user-unknown"),
        "{told:?}"
    );
    there.behave(Manner { at: "RCPT", reply: "452 4.2.2 mailbox full" });
    send("full@there.example");
    wait_for(60, "the full box to have bounced", || sandbox.counter("bounce_soft") >= 1);
    assert!(!is_suppressed(&sandbox, "full@there.example"), "once is not enough");
    there.behave(SILENT);
    send("silent@there.example");
    wait_for(60, "the silent host to have bounced", || sandbox.counter("bounce_soft") >= 2);
    there.behave(ACCEPT);
    assert_eq!(application.told().len(), 1);
}
