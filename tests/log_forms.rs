//! The forms that logs are written in: stamps, months in other languages, containers, journals, what syslog daemons
//! leave at the end of lines. Each is read by a real tick. The lines are invented.

use crate::harness::Sandbox;
use crate::logs::{append, deliveries, sandbox, tick};
use serde_json::Value;

/// A message that was sent: program and text of each line.
const SENT: [(&str, &str); 2] = [
    ("postfix/qmgr", "4Xn0y8000001zZ1f: from=<sender@shop.example>, size=1000, nrcpt=1 (queue active)"),
    (
        "postfix/smtp",
        "4Xn0y8000001zZ1f: to=<user1@dest.example>, relay=mx.dest.example[192.0.2.9]:25, delay=1.5, \
         delays=0.1/0/0.4/1, tls=may, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued)",
    ),
];

/// What wraps a line of a program.
type Form = Box<dyn Fn(&str, &str) -> String>;

fn form(line: impl Fn(&str, &str) -> String + 'static) -> Form {
    Box::new(line)
}

fn after(stamp: &'static str) -> Form {
    form(move |tag, text| format!("{stamp}mx {tag}[7]: {text}"))
}

#[track_caller]
fn is_read(name: &str, line: &Form) -> (Sandbox, Value) {
    let sandbox = sandbox();
    let lines: Vec<String> = SENT.iter().map(|(tag, text)| line(tag, text) + "\n").collect();
    append(&sandbox.path("mail.log"), &lines.concat());
    let ticked = tick(&sandbox);
    assert_eq!((&ticked["parsed"], &ticked["unknown"]), (&2.into(), &0.into()), "{name}: {lines:?}");
    let found = deliveries(&sandbox, &[]);
    assert_eq!(found.len(), 1, "{name}: {lines:?}");
    let one = found[0].clone();
    assert_eq!((&one["status"], &one["recipient"]), (&"sent".into(), &"user1@dest.example".into()), "{name}");
    assert_eq!((&one["reply"], &one["tls"]), (&"250 2.0.0 Ok: queued".into(), &"may".into()), "{name}");
    (sandbox, one)
}

/// The form is read, dated rightly, and named by `carom check`.
#[track_caller]
fn is_read_and_named(line: &Form, named: &str) {
    let (sandbox, one) = is_read(named, line);
    let last_seen = one["last_seen"].as_str().unwrap();
    assert!(last_seen.starts_with("2026-03-01T10:00:04"), "{named}: {last_seen}");
    let check = sandbox.run(&["check"], b"").stdout;
    let row = check.lines().find(|row| row.contains("mail.log")).unwrap_or_default();
    assert!(row.starts_with("ok") && row.contains(named), "{named}: {row}");
    assert!(row.ends_with("Postfix, 2 of 2 lines understood"), "{row}");
}

/// A program's line as JSON has it.
fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn stamps_are_read_in_every_form() {
    for (named, stamp) in [
        ("traditional stamps", "Mar  1 10:00:04 "),
        ("RFC 3339 stamps", "2026-03-01T10:00:04.123456+00:00 "),
        ("RFC 3339 stamps", "2026-03-01 11:00:04,123+01:00 "),
        ("RFC 3339 stamps", "2026/03/01 10:00:04 "),
        ("RFC 3164 with a priority", "<22>Mar  1 10:00:04 "),
        ("another language", "1 März 2026 10:00:04 "),
    ] {
        is_read_and_named(&after(stamp), named);
    }
    let rfc5424 = |tag: &str, text: &str| format!("<22>1 2026-03-01T10:00:04.5Z mx {tag} 7 - - {text}");
    is_read_and_named(&form(rfc5424), "RFC 5424");
    let framed = |tag: &str, text: &str| {
        let line = format!("<22>1 2026-03-01T10:00:04Z mx {tag} 7 - [a b=\"c\"] {text}");
        format!("{} {line}", line.len())
    };
    is_read_and_named(&form(framed), "RFC 5424, framed");
    for priority in ["mail.info ", "mail.warn ", "<mail.info> "] {
        let line = move |tag: &str, text: &str| format!("Mar  1 10:00:04 mx {priority}{tag}[7]: {text}");
        is_read_and_named(&form(line), "traditional stamps");
    }
}

#[test]
fn months_are_read_in_other_languages() {
    let stamps =
        ["Mär", "mars", "mrt", "MÄR", "márc.", "mar.", "марта", "Μαρ", "3月", "3월", "bře", "marzo", "mart"];
    for month in stamps {
        let line = move |tag: &str, text: &str| format!("{month}  1 10:00:04 mx {tag}[7]: {text}");
        is_read_and_named(&form(line), "traditional stamps");
    }
}

#[test]
fn lines_of_containers_and_journals_are_unwrapped() {
    let stamped = |tag: &str, text: &str| format!("Mar  1 10:00:04 mx {tag}[7]: {text}");
    let docker = |line: String, at: &str| {
        format!("{{\"log\":{},\"stream\":\"stdout\",\"time\":\"{at}\"}}", json(&(line + "\n")))
    };
    let bare = |tag: &str, text: &str| format!("{tag}[7]: {text}");
    let later = "2026-03-01T10:00:09.25Z";
    let now = "2026-03-01T10:00:04.250000000Z";
    is_read_and_named(&form(move |tag, text| docker(stamped(tag, text), later)), "Docker's json-file");
    is_read_and_named(&form(move |tag, text| docker(bare(tag, text), now)), "Docker's json-file");
    let compose = move |tag: &str, text: &str| format!("postfix-1  | {}", stamped(tag, text));
    is_read_and_named(&form(compose), "docker compose logs");
    let coloured =
        move |tag: &str, text: &str| format!("\x1b[36mpostfix-1  | \x1b[0m{}\x1b[0m", stamped(tag, text));
    is_read_and_named(&form(coloured), "docker compose logs");
    let timed = move |tag: &str, text: &str| format!("postfix-1  | {now} {}", bare(tag, text));
    is_read_and_named(&form(timed), "docker compose logs");
    let kubernetes = move |tag: &str, text: &str| format!("{now} stdout F {}", bare(tag, text));
    is_read_and_named(&form(kubernetes), "Kubernetes (CRI)");
    let kubernetes = move |tag: &str, text: &str| format!("{later} stderr F {}", stamped(tag, text));
    is_read_and_named(&form(kubernetes), "Kubernetes (CRI)");
    let journal = |tag: &str, text: &str| {
        format!(
            "{{\"__REALTIME_TIMESTAMP\":\"1772359204000000\",\"_HOSTNAME\":\"mx\",\"SYSLOG_IDENTIFIER\":\"{tag}\",\
             \"SYSLOG_PID\":\"7\",\"_UID\":null,\"MESSAGE\":{}}}",
            json(text)
        )
    };
    is_read_and_named(&form(journal), "journalctl -o json");
    let shipper = |tag: &str, text: &str| {
        format!("{{\"timestamp\":1772359204,\"host\":\"mx\",\"ident\":\"{tag}\",\"message\":{}}}", json(text))
    };
    is_read_and_named(&form(shipper), "lines of JSON");
}

#[test]
fn what_journalctl_prints_is_read() {
    for stamp in [
        "2026-03-01T10:00:04+0000 ",
        "2026-03-01T10:00:04.123456+0000 ",
        "Mar 01 10:00:04.123456 ",
        "Sun 2026-03-01 10:00:04 UTC ",
        "1772359204.123456 ",
    ] {
        let (_, one) = is_read(stamp, &after(stamp));
        assert!(one["last_seen"].as_str().unwrap().starts_with("2026-03-01T10:00:04"), "{stamp}: {one}");
    }
}

#[test]
fn what_is_left_at_the_end_of_a_line_is_no_part_of_the_reply() {
    for end in [" ", "\t", "\r", "#015", " #015#012", "^M"] {
        let line = move |tag: &str, text: &str| format!("Mar  1 10:00:04 mx {tag}[7]: {text}{end}");
        is_read(end, &form(line));
    }
    // Also before the parenthesis, where a server ends its reply with it.
    let sandbox = sandbox();
    let reply = "host mx.dest.example[192.0.2.9] said: 550 5.1.1 no such user#015";
    let line = SENT[1].1.replace("status=sent (250 2.0.0 Ok: queued)", &format!("status=bounced ({reply} )"));
    append(&sandbox.path("mail.log"), &format!("Mar  1 10:00:04 mx postfix/smtp[7]: {line}\n"));
    tick(&sandbox);
    assert_eq!(deliveries(&sandbox, &[])[0]["reply"], reply.trim_end_matches("#015"));
}

#[test]
fn tls_is_read_wherever_it_is() {
    for fields in [
        "tls=encrypt, relay=mx[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0",
        "relay=mx[192.0.2.9]:25, delay=1, tls=encrypt, delays=0/0/0/1, dsn=2.0.0",
        "relay=mx[192.0.2.9]:25, conn_use=2, delay=1, delays=0/0/0/1, dsn=2.0.0, tls=encrypt",
    ] {
        let sandbox = sandbox();
        let text =
            format!("4Xn0y8000001zZ1f: to=<a@dest.example>, {fields}, status=sent (250 ok (tls=none))");
        append(&sandbox.path("mail.log"), &format!("Mar  1 10:00:04 mx postfix/smtp[7]: {text}\n"));
        tick(&sandbox);
        let found = deliveries(&sandbox, &[]);
        assert_eq!((&found[0]["tls"], &found[0]["reply"]), (&"encrypt".into(), &"250 ok (tls=none)".into()));
    }
}

#[test]
fn a_proxy_before_the_queue_refuses_too() {
    let sandbox = sandbox();
    let envelope = |n: u32| format!("from=<x@shop.example> to=<u{n}@dest.example> proto=ESMTP helo=<h>");
    let lines = [
        format!("proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject, id=7 - spam; {}", envelope(1)),
        format!("NOQUEUE: proxy-reject: END-OF-MESSAGE: 552 5.2.2 over quota; {}", envelope(2)),
        format!(
            "NOQUEUE: proxy-reject: END-OF-MESSAGE from c.example[192.0.2.7]: 550 5.7.1 no; {}",
            envelope(3)
        ),
        format!("proxy-reject: END-OF-MESSAGE: ; {}", envelope(4)),
        format!("proxy-accept: END-OF-MESSAGE: 250 2.0.0 from MTA: 250 Ok; {}", envelope(5)),
        format!("NOQUEUE: reject: RCPT from [192.0.2.8]:4711: 450 4.3.2 busy; {}", envelope(6)),
    ];
    let line = |text: &String| format!("Mar  1 10:00:04 mx postfix/smtpd[7]: {text}\n");
    append(&sandbox.path("mail.log"), &lines.iter().map(line).collect::<String>());
    assert_eq!(tick(&sandbox)["unknown"], 0);
    let found = deliveries(&sandbox, &["--status", "rejected"]);
    let mut seen: Vec<(&str, &str)> = found
        .iter()
        .map(|one| (one["recipient"].as_str().unwrap(), one["dsn"].as_str().unwrap_or("-")))
        .collect();
    seen.sort_unstable();
    let of = |n: u32, dsn: &'static str| (format!("u{n}@dest.example"), dsn);
    let wanted = [of(1, "5.7.0"), of(2, "5.2.2"), of(3, "5.7.1"), of(4, "-"), of(6, "4.3.2")];
    assert_eq!(seen, wanted.iter().map(|(to, dsn)| (to.as_str(), *dsn)).collect::<Vec<_>>());
    let without_text = &deliveries(&sandbox, &["--recipient", "u4@dest.example"])[0];
    assert_eq!((&without_text["reason"], &without_text["reply"]), (&"undetermined".into(), &Value::Null));
    let shown = sandbox.run(&["deliveries", "--unclassified"], b"").stdout;
    assert!(shown.contains("(no text)"), "{shown}");
}
