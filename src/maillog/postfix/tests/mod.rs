//! Lines in every form, and what they have in common.

mod events;
mod forged_lines;

use super::attempt::AttemptResult;
use super::queue_id::{is_queue_id, split_queue_id};
use super::*;
use jiff::tz::TimeZone;

const NOW: i64 = 1_767_268_800_000;

fn reader() -> LineReader {
    let grammar = Grammar { zone: TimeZone::UTC, client_header: "X-Client:".into(), ..Grammar::default() };
    LineReader::new(&grammar, NOW)
}

fn line(line: &str) -> LogLine<'_> {
    match reader().read(line.as_bytes()) {
        Ok(line) => line,
        other => panic!("{other:?}: {line}"),
    }
}

/// The event of a text that this daemon wrote.
fn event<'a>(daemon: &str, text: &'a str) -> Event<'a> {
    let tag: &str = format!("postfix/{daemon}").leak();
    match message(0, b"mx", tag.as_bytes(), 1, text.as_bytes()) {
        Ok(line) => line.event,
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
            event: Event::Removed,
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
            let _ = reader.read(first.as_bytes());
            assert_eq!(
                reader.read(second.as_bytes()),
                self::reader().read(second.as_bytes()),
                "{first} / {second}"
            );
        }
    }
}

#[test]
fn parts_of_a_line_are_text_whether_or_not_the_line_is_known_to_be_utf8() {
    let form = "Jan  1 03:04:05 mx postfix/smtp[8]: 4Xn0y83s5Zz1f: to=<\u{e4}@b.example>, relay=none, delay=1, delays=1/0/0/0, dsn=4.4.1, status=deferred (\u{2014})";
    let (mut one, mut other) = (reader(), reader());
    let (Ok(known), Ok(unknown)) = (one.read_text(form), other.read(form.as_bytes())) else {
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
fn instances_and_services_may_have_any_name() {
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
        assert_eq!(reader().read(other.as_bytes()), Err(NotPostfix::Foreign), "{other}");
    }
}

#[test]
fn queue_ids_are_short_or_long() {
    let id =
        |text: &'static str| split_queue_id(text.as_bytes()).map(|(id, _)| std::str::from_utf8(id).unwrap());
    for text in ["3F1A28C0D2", "ABCDEF", "9D2B44A", "4Xn0y83s5Zz1f", "4Xn0y83s5Zz1fQr"] {
        let line = format!("{text}: removed");
        assert!(split_queue_id(line.as_bytes()).is_some(), "{text}");
        assert!(is_queue_id(text.as_bytes()));
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
