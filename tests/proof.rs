//! What proves a report: the tables of docs/proof.md, walked through every entrance.

use crate::bounces::{OWN, STRANGER, dsn_of, is_suppressed, signed_path};
use crate::forgery::logged;
use crate::harness::lmtp::Listener;
use crate::harness::peers::{Manner, SmtpPeer};
use crate::harness::postfix::Postfix;
use crate::harness::{Ran, Sandbox, sign_fields, sign_for, wait_for};
use std::fs;
use std::path::Path;

pub(crate) const BOUNCES: &str = "bounces@bounces.example.com";
pub(crate) const NO_USER: &str = "550 5.1.1 user unknown";
pub(crate) const QUEUE_ID: &str = "4QKxTrueIdz1";

/// A report on its way to an entrance.
pub(crate) struct Arriving {
    /// The envelope recipient.
    pub(crate) to: String,
    /// The client that the mail server tells of, where the entrance has one.
    pub(crate) client: &'static str,
    /// The header fields on top, then the report.
    pub(crate) message: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Entrance {
    PipeWithClient,
    PipeEmpty,
    PipeUnknown,
    PipeAbsent,
    Pickup,
    Plain,
    Maildir,
    LmtpWithClient,
    LmtpNoClient,
    LmtpSilent,
    LmtpByTcp,
    SmtpItself,
}

use Entrance::{
    LmtpByTcp, LmtpNoClient, LmtpSilent, LmtpWithClient, Maildir, Pickup, PipeAbsent, PipeEmpty, PipeUnknown,
    PipeWithClient, Plain, SmtpItself,
};

/// A server of ours in the tests that can connect.
pub(crate) const OWN_HERE: [u8; 4] = [127, 0, 0, 9];

/// With the names that the page gives them.
pub(crate) const ENTRANCES: [(Entrance, &str); 12] = [
    (PipeWithClient, "`carom pipe` with a client"),
    (PipeEmpty, "`carom pipe` with an empty client"),
    (PipeUnknown, "`carom pipe` with the client `unknown`"),
    (PipeAbsent, "`carom pipe` without `--client-address`"),
    (Pickup, "`carom relay`, file with x-sender and x-receiver"),
    (Plain, "`carom relay`, plain file"),
    (Maildir, "`carom relay`, Maildir"),
    (LmtpWithClient, "`carom lmtp`, unix socket, XFORWARD with a client"),
    (LmtpNoClient, "`carom lmtp`, unix socket, XFORWARD without a client"),
    (LmtpSilent, "`carom lmtp`, unix socket, no XFORWARD"),
    (LmtpByTcp, "`carom lmtp`, TCP, no XFORWARD"),
    (SmtpItself, "`carom lmtp --smtp`, the reporting server connects itself"),
];

/// A config with every setting that could make somebody believe a header: what strangers try has to fail even so.
pub(crate) fn credulous(trust: &str, servers: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let log = logged("sent1@shop.example", "sent@there.example", "sent")
        + &logged("sent2@shop.example", "signed@there.example", "sent")
        + &logged("many@shop.example", "one@there.example", "sent")
        + &logged("many@shop.example", "victim@there.example", "sent");
    fs::write(sandbox.path("mail.log"), log).unwrap();
    let zone = fs::read_to_string(sandbox.path("zone")).unwrap();
    let records = "_dmarc.sender.example. 300 IN TXT \"v=DMARC1; p=reject\"\n\
         s1._domainkey.shop.example. 300 IN TXT \
         \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n";
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

pub(crate) fn enter(sandbox: &Sandbox, entrance: Entrance, arriving: &[Arriving]) {
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
            _ => {}
        }
    }
    if matches!(entrance, LmtpWithClient | LmtpNoClient | LmtpSilent | LmtpByTcp | SmtpItself) {
        hand_in(sandbox, entrance, arriving);
    }
    if matches!(entrance, Pickup | Plain | Maildir) {
        let ran = relay(sandbox, &directory);
        assert!(ran.stdout.contains(&format!("\"messages\":{}", arriving.len())), "{ran:?}");
    }
}

/// By LMTP or SMTP.
fn hand_in(sandbox: &Sandbox, entrance: Entrance, arriving: &[Arriving]) {
    let smtp: &[&str] = if entrance == SmtpItself { &["--smtp"] } else { &[] };
    let listener = Listener::start(sandbox, &[&["--policy", "bounce"], smtp].concat());
    for Arriving { to, client, message } in arriving {
        let mut session = match (entrance, *client) {
            (SmtpItself, OWN) => listener.from(OWN_HERE),
            (SmtpItself | LmtpByTcp, _) => listener.tcp(),
            _ => listener.unix(),
        }
        .hello();
        match entrance {
            LmtpWithClient => session.expect(&format!("XFORWARD ADDR={client} IDENT={QUEUE_ID}"), "250"),
            LmtpNoClient => session.expect(&format!("XFORWARD NAME=[UNAVAILABLE] IDENT={QUEUE_ID}"), "250"),
            _ => String::new(),
        };
        // The mail server has written from whom it has the message.
        let trace = if entrance == LmtpByTcp { received(client, QUEUE_ID) } else { String::new() };
        let replies = session.send("", &[to], &[trace.as_bytes(), message].concat());
        assert!(replies[0].starts_with("250"), "{replies:?}");
    }
    listener.stop();
    // A step that was not begun when it was stopped is the tick's.
    let ran = sandbox.run(&["cron"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn relay(sandbox: &Sandbox, directory: &Path) -> Ran {
    let ran = sandbox.run(&["relay", directory.to_str().unwrap(), "--policy", "bounce", "--json"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran
}

/// A hard bounce of an address, with these fields on top.
pub(crate) fn report(header: &str, address: &str) -> Vec<u8> {
    let id = format!("{:x}@shop.example", fastrand::u64(..));
    [header.as_bytes(), &dsn_of(&id, address, "5.1.1", NO_USER)].concat()
}

/// The trace field that bounce(8) writes.
pub(crate) fn created(queue_id: &str) -> String {
    format!("Received: by mx.example.com (Postfix)\r\n\tid {queue_id}; Sat, 28 Nov 2026 10:00:00 +0000\r\n")
}

/// The trace field that smtpd(8) writes.
pub(crate) fn received(client: &str, queue_id: &str) -> String {
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
    let here = OWN_HERE.map(|octet| octet.to_string()).join(".");
    let sandbox = credulous("required", &format!("\"{OWN}/32\", \"{here}/32\""));
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
                "signed header of what a complaint is about" => {
                    let id = "sent2@shop.example";
                    let returned = format!(
                        "From: shop@shop.example\r\nMessage-ID: <{id}>\r\nSubject: news\r\n\r\nhello\r\n"
                    );
                    let signed = sign_fields("shop.example", &["From", "Message-ID"], returned.as_bytes());
                    let signed = String::from_utf8(signed).unwrap();
                    let signature = signed.strip_suffix(&returned).unwrap();
                    (PipeWithClient, arriving(complaint(signature, id)), "signed@there.example".into())
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

#[test]
fn check_warns_where_a_setting_trusts_what_strangers_can_write() {
    let found = |sandbox: &Sandbox| sandbox.run(&["check"], b"").stdout;
    let trusting = Sandbox::new().config(
        "[auth]\nown_servers = [\"127.0.0.1/32\", \"10.0.0.0/8\", \"198.51.100.7/32\"]\n\
         [policy.bounce.settings]\ntrust = \"off\"\n",
    );
    let said = found(&trusting);
    for what in
        ["own_servers has 127.0.0.1/32", "own_servers has 10.0.0.0/8", "anyone can suppress any address"]
    {
        assert!(said.contains(what), "{what}: {said}");
    }
    assert!(!said.contains("198.51.100.7"), "{said}");
    let said = found(&Sandbox::new());
    assert!(!said.contains("docs/proof.md"), "{said}");
}

/// A real Postfix cannot deliver, and its bounce(8) returns the mail to a return path that nobody signed.
#[test]
fn the_report_of_our_own_postfix_is_proven_and_one_that_looks_like_it_is_not() {
    let there = SmtpPeer::start(Manner { at: "RCPT", reply: NO_USER });
    let sandbox = Sandbox::new();
    let path = sandbox.path("carom.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("policy = \"bounce\"\n{config}")).unwrap();
    // The policy is compiled before anybody waits for it.
    sandbox.run(&["pipe", "--recipient", BOUNCES, "--dry-run"], b"Subject: x\r\n\r\n");
    let postfix = Postfix::start_with(&sandbox, there.port, "smtp_connect_timeout = 1s\n");
    let bounces = "bounces@sink.example";
    let forged = |header: &str| report(header, "victim@there.example");
    let unproven = |number: u64, what: &str| {
        wait_for(60, what, || sandbox.counter("bounce_unproven") == number);
        assert!(!is_suppressed(&sandbox, "victim@there.example"), "{what}");
    };
    let reply = postfix.send("", bounces, &forged(&created("4QKnown1")));
    assert!(reply.starts_with("250"), "{reply}");
    unproven(1, "what a stranger sends");
    postfix.hand_in(bounces, &forged(&created("4QKnown1")));
    unproven(2, "what a filter hands in by sendmail(1)");
    let message =
        "From: shop@shop.example\r\nTo: gone@there.example\r\nMessage-ID: <m1@shop.example>\r\n\r\nhello\r\n";
    let reply = postfix.send(bounces, "gone@there.example", message.as_bytes());
    assert!(reply.starts_with("250"), "{reply}");
    wait_for(60, "the report of bounce(8)", || is_suppressed(&sandbox, "gone@there.example"));
    assert_eq!(sandbox.counter("bounce_unproven"), 2);
}
