//! What proves a report: the tables of docs/proof.md, walked through every entrance; and a stranger who tries to suppress a live
//! address with everything that can be written into a message.

use crate::bounces::{OWN, STRANGER, dsn_of, is_suppressed, signed_path};
use crate::forgery::logged;
use crate::harness::guest::Guest;
use crate::harness::{DAY_MS, Ran, Sandbox, sign_for};
use std::fs;
use std::path::Path;

const BOUNCES: &str = "bounces@bounces.example.com";
const NO_USER: &str = "550 5.1.1 user unknown";
const QUEUE_ID: &str = "4QKxTrueIdz1";

/// A report on its way to an entrance.
struct Arriving {
    /// The envelope recipient.
    to: String,
    /// The client that the mail server tells of, where the entrance has one.
    client: &'static str,
    /// The header fields on top, then the report.
    message: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Entrance {
    PipeWithClient,
    PipeEmpty,
    PipeUnknown,
    PipeAbsent,
    Pickup,
    Plain,
    Maildir,
}

use Entrance::{Maildir, Pickup, PipeAbsent, PipeEmpty, PipeUnknown, PipeWithClient, Plain};

/// With the names that the page gives them.
const ENTRANCES: [(Entrance, &str); 7] = [
    (PipeWithClient, "`carom pipe` with a client"),
    (PipeEmpty, "`carom pipe` with an empty client"),
    (PipeUnknown, "`carom pipe` with the client `unknown`"),
    (PipeAbsent, "`carom pipe` without `--client-address`"),
    (Pickup, "`carom relay`, file with x-sender and x-receiver"),
    (Plain, "`carom relay`, plain file"),
    (Maildir, "`carom relay`, Maildir"),
];

/// A config with every setting that could make somebody believe a header: what strangers try has to fail even so.
fn credulous(trust: &str, servers: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let log = logged("sent1@shop.example", "sent@there.example", "sent")
        + &logged("many@shop.example", "one@there.example", "sent")
        + &logged("many@shop.example", "victim@there.example", "sent");
    fs::write(sandbox.path("mail.log"), log).unwrap();
    let zone = fs::read_to_string(sandbox.path("zone")).unwrap();
    let records = "_dmarc.sender.example. 300 IN TXT \"v=DMARC1; p=reject\"\n";
    fs::write(sandbox.path("zone"), zone + records).unwrap();
    let log = sandbox.path("mail.log");
    let sandbox = sandbox.config(&format!(
        "[auth]\nown_servers = [{servers}]\nreceived_by = [\"mx.example.com\"]\ntrusted_authserv_ids = [\"mx.example.com\"]\n\
         [verp]\nkeys = [\"a key of at least sixteen octets\"]\ndomain = \"bounces.example.com\"\n\
         [[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n\
         [policy.bounce.settings]\ntrust = \"{trust}\"\nthreshold = 1\n",
        log.display()
    ));
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    sandbox
}

fn enter(sandbox: &Sandbox, entrance: Entrance, arriving: &[Arriving]) {
    let directory = sandbox.path("inbox");
    let _ = fs::remove_dir_all(&directory);
    for folder in ["new", "cur", "tmp"] {
        let folder = if entrance == Maildir { directory.join(folder) } else { directory.clone() };
        fs::create_dir_all(folder).unwrap();
    }
    for (number, one) in arriving.iter().enumerate() {
        let Arriving { to, client, message } = one;
        let file = |name: &str, before: String| {
            fs::write(directory.join(name), [before.as_bytes(), message].concat()).unwrap();
        };
        let delivered = format!("Return-Path: <>\r\nDelivered-To: {to}\r\n");
        let pipe = |client: &[&str]| {
            let arguments =
                ["pipe", "--policy", "bounce", "--sender", "", "--recipient", to, "--queue-id", QUEUE_ID];
            sandbox.run(&[&arguments[..], client].concat(), message).silent();
        };
        match entrance {
            PipeWithClient => pipe(&["--client-address", client]),
            PipeEmpty => pipe(&["--client-address", ""]),
            PipeUnknown => pipe(&["--client-address", "unknown"]),
            PipeAbsent => pipe(&[]),
            Pickup => file(&format!("{number}.msg"), format!("x-sender: <>\r\nx-receiver: {to}\r\n")),
            Plain => file(&format!("{number}.msg"), delivered),
            Maildir => file(&format!("new/{number}.host"), delivered),
        }
    }
    if matches!(entrance, Pickup | Plain | Maildir) {
        let ran = relay(sandbox, &directory);
        assert!(ran.stdout.contains(&format!("\"messages\":{}", arriving.len())), "{ran:?}");
    }
}

fn relay(sandbox: &Sandbox, directory: &Path) -> Ran {
    let ran = sandbox.run(&["relay", directory.to_str().unwrap(), "--policy", "bounce", "--json"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// A hard bounce of an address, with these fields on top.
fn report(header: &str, address: &str) -> Vec<u8> {
    let id = format!("{:x}@shop.example", fastrand::u64(..));
    [header.as_bytes(), &dsn_of(&id, address, "5.1.1", NO_USER)].concat()
}

/// The trace field that bounce(8) writes.
fn created(queue_id: &str) -> String {
    format!("Received: by mx.example.com (Postfix)\r\n\tid {queue_id}; Sat, 28 Nov 2026 10:00:00 +0000\r\n")
}

/// The trace field that smtpd(8) writes.
fn received(client: &str, queue_id: &str) -> String {
    format!(
        "Received: from x.example (unknown [{client}])\r\n\tby mx.example.com (Postfix) with ESMTP id {queue_id}\r\n\
         \tfor <{BOUNCES}>; Sat, 28 Nov 2026 10:00:00 +0000\r\n"
    )
}

/// The evidence of the second table, as a report about this address has it.
fn evidence(sandbox: &Sandbox, name: &str, address: &str) -> Arriving {
    let arriving = |to: &str, client: &'static str, header: String| Arriving {
        to: to.to_owned(),
        client,
        message: report(&header, address),
    };
    match name {
        "signed return path" => arriving(&signed_path(sandbox, address), STRANGER, String::new()),
        "own mail server" => arriving(BOUNCES, OWN, created("4QOther1")),
        "own bounce(8)" => arriving(BOUNCES, STRANGER, created(QUEUE_ID)),
        other => panic!("{other} is on the page and not in the test"),
    }
}

/// The cells of the table that begins with this heading, line by line.
fn table(heading: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/proof.md")).unwrap();
    let start = page.find(&format!("| {heading} |")).unwrap();
    let lines = page[start..].lines().take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    lines.filter(|line| !line.starts_with("|-")).map(cells).collect()
}

#[test]
fn the_table_of_entrances_is_true() {
    let sandbox = credulous("required", &format!("\"{OWN}/32\""));
    let rows = table("entrance");
    let (heading, rows) = rows.split_first().unwrap();
    assert_eq!(rows.len(), ENTRANCES.len());
    for (row, (entrance, name)) in rows.iter().zip(ENTRANCES) {
        assert_eq!(row[0], name);
        let address =
            |number: usize| format!("gone{number}-{}@there.example", format!("{entrance:?}").to_lowercase());
        let reports: Vec<Arriving> =
            (1..heading.len()).map(|number| evidence(&sandbox, &heading[number], &address(number))).collect();
        enter(&sandbox, entrance, &reports);
        for (number, cell) in row.iter().enumerate().skip(1) {
            let proven = if is_suppressed(&sandbox, &address(number)) { "proven" } else { "no" };
            assert_eq!(proven, cell, "{name}: {}", heading[number]);
        }
    }
}

#[test]
fn the_table_of_evidence_is_true() {
    let rows = table("evidence");
    for (column, trust) in [(1, "required"), (2, "preferred"), (3, "off")] {
        assert_eq!(rows[0][column], format!("`{trust}`"));
        let sandbox = credulous(trust, &format!("\"{OWN}/32\""));
        for row in &rows[1..] {
            let (name, cell) = (&*row[0], &*row[column]);
            let wanted = cell != "no";
            let address =
                format!("gone-{}@there.example", name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
            let arriving = |message: Vec<u8>| Arriving { to: BOUNCES.into(), client: STRANGER, message };
            let (entrance, arriving, address) = match name {
                "our mail log says so" => {
                    let refused = logged("refused@shop.example", &address, "bounced")
                        .replace("dsn=2.0.0", "dsn=5.1.1")
                        .replace(
                            "(250 ok)",
                            "(host mx.there.example[192.0.2.9] said: 550 5.1.1 user unknown)",
                        );
                    let log = fs::read_to_string(sandbox.path("mail.log")).unwrap();
                    fs::write(sandbox.path("mail.log"), log + &refused).unwrap();
                    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
                    assert_eq!(is_suppressed(&sandbox, &address), wanted, "{name}, {trust}");
                    continue;
                }
                "signed token in a complaint" => {
                    let line = sandbox.run(&["verp", "header", &address], b"").stdout;
                    (
                        PipeWithClient,
                        arriving(complaint(&format!("{}\r\n", line.trim()), "x@shop.example")),
                        address,
                    )
                }
                "only recipient of what a complaint is about" => (
                    PipeWithClient,
                    arriving(complaint("", "sent1@shop.example")),
                    "sent@there.example".into(),
                ),
                "only recipient of what a bounce is about" => {
                    // The complaint before was about the same address.
                    sandbox.run(&["suppress", "remove", "sent@there.example"], b"");
                    let message = dsn_of("sent1@shop.example", "sent@there.example", "5.1.1", NO_USER);
                    (PipeWithClient, arriving(message), "sent@there.example".into())
                }
                "mail system of the address" => {
                    let text = String::from_utf8(report("", SIGNING)).unwrap();
                    let message =
                        text.replace("MAILER-DAEMON@mx.there.example", "MAILER-DAEMON@sender.example");
                    (PipeWithClient, arriving(sign_for("sender.example", message.as_bytes())), SIGNING.into())
                }
                "nothing" => (PipeWithClient, arriving(report("", &address)), address),
                "own bounce(8)" => (PipeEmpty, evidence(&sandbox, name, &address), address),
                _ => (PipeWithClient, evidence(&sandbox, name, &address), address),
            };
            enter(&sandbox, entrance, &[arriving]);
            assert_eq!(is_suppressed(&sandbox, &address), wanted, "{name}, {trust}");
        }
    }
}

/// An address in a domain that signs.
const SIGNING: &str = "gone@sender.example";

/// A complaint that names nobody, about a message with this field and Message-ID.
fn complaint(field: &str, message_id: &str) -> Vec<u8> {
    format!(
        "From: fbl@there.example\r\nTo: <{BOUNCES}>\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nA complaint.\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\nFrom: shop@shop.example\r\n{field}Message-ID: <{message_id}>\r\n\
         Subject: news\r\n\r\nhello\r\n--b--\r\n"
    )
    .into_bytes()
}

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

/// A policy that suppresses the address whatever it is told, by a soft bounce that it calls proven and without one.
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
