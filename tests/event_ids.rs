//! Ids of events from the outside: another one for each change, the same for what comes again, and none is lost when a tick is
//! killed while it acts on failures in the log.

use crate::clickhouse_peer::{ClickHouse, ServerManner};
use crate::events::{FILES, ids, in_files, sandbox, tick, with_clickhouse};
use crate::harness::mail_log::ago;
use crate::harness::{Sandbox, finish, names, plain, start};
use crate::logs::{append, bounced};
use crate::statistics::{OTHER, UNKNOWN_USER, delivery};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

fn of_kind(sandbox: &Sandbox, kind: &str) -> Vec<Value> {
    in_files(sandbox, "out").into_iter().filter(|event| event["kind"] == kind).collect()
}

/// The file of the message log.
fn message_log(sandbox: &Sandbox) -> std::path::PathBuf {
    let directory = sandbox.path("state/log");
    let name = names(&directory).into_iter().find(|name| name.starts_with("messages-2")).unwrap();
    directory.join(name)
}

#[test]
fn a_delivery_that_has_another_class_or_a_notification_is_sent_under_another_id() {
    let sandbox = sandbox(FILES);
    let odd = "dsn=5.0.0, status=bounced (host mx[192.0.2.9] said: 550 zweifelhafte Antwort (in reply to RCPT TO command))";
    append(&sandbox.path("mail.log"), &delivery(540, 1, "user1@dest.example", OTHER, 1.0, odd));
    tick(&sandbox);
    append(
        &sandbox.path("mail.log"),
        "2026-03-01T09:00:08.000000+00:00 mx postfix/bounce[15]: 4Xn0y8000001zZ1f: sender non-delivery notification: \
         4Xn0y8000901zZ1f\n",
    );
    tick(&sandbox);
    let sandbox = sandbox.config(
        "[[policy.bounce.settings.rules]]\nname = \"own\"\npattern = \"zweifelhafte antwort\"\nreason = \"user-unknown\"\n",
    );
    assert_eq!(sandbox.run(&["reclassify", "--json"], b"").stdout, "{\"changed\":1,\"looked_at\":1}\n");
    tick(&sandbox);
    let sent = of_kind(&sandbox, "delivery");
    let said = |one: &Value| (one["data"]["notification"].is_null(), one["data"]["reason"] == "user-unknown");
    let said: Vec<_> = sent.iter().map(said).collect();
    assert_eq!(said, [(true, false), (false, false), (false, true)], "{sent:?}");
    assert_eq!(ids(&sent).len(), 3, "{sent:?}");
    let half = |event: &Value| event["id"].as_str().unwrap()[..16].to_owned();
    assert!(sent.iter().all(|event| half(event) == half(&sent[0])), "one delivery: {sent:?}");
    tick(&sandbox);
    assert_eq!(of_kind(&sandbox, "delivery").len(), 3);
}

#[test]
fn a_message_that_is_recorded_twice_has_one_verdict() {
    let sandbox = sandbox(FILES);
    let recipient = "x@accept.sink.example";
    sandbox.pipe(recipient, &plain(recipient));
    tick(&sandbox);
    // A process was killed before its answer, and the message came again.
    let log = message_log(&sandbox);
    let line =
        fs::read_to_string(&log).unwrap().lines().find(|line| line.contains(recipient)).unwrap().to_owned();
    let mut again: Value = serde_json::from_str(&line).unwrap();
    again["time"] = jiff::Timestamp::now().to_string().into();
    append(&log, &format!("{again}\n"));
    tick(&sandbox);
    let verdicts = of_kind(&sandbox, "verdict");
    assert_eq!((verdicts.len(), ids(&verdicts).len()), (2, 1), "{verdicts:?}");
    assert_eq!(sandbox.counter("accept"), 1, "{:?}", sandbox.counters());
}

/// A tick that is killed when the store has had a batch of failures for this time.
fn killed_while_it_acts(sandbox: &Sandbox, after_ms: u64) {
    let wal = sandbox.path("state/carom.db-wal");
    let length = || wal.metadata().map_or(0, |found| found.len());
    let before = length();
    let mut ticking = start(sandbox.command(&["cron"]), b"");
    while ticking.try_wait().unwrap().is_none() && length() < before + 100_000 {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(after_ms));
    let _ = ticking.kill();
    finish(ticking, Duration::from_secs(60));
}

#[test]
fn each_failure_in_the_log_has_its_events_and_one_line_whatever_is_killed_when() {
    let sandbox = sandbox(FILES);
    tick(&sandbox);
    for round in 0..8_u32 {
        let lines = (round * 100..round * 100 + 100).map(|n| {
            let to = format!("user{n}@dest.example");
            ago(30, &delivery(540, n, &to, OTHER, 1.0, UNKNOWN_USER))
        });
        append(&sandbox.path("mail.log"), &lines.collect::<String>());
        killed_while_it_acts(&sandbox, u64::from(round) * 3);
        tick(&sandbox);
    }
    assert_eq!(tick(&sandbox)["problems"], serde_json::json!([]));
    assert_eq!(sandbox.counter("bounce_hard"), 800);
    for kind in ["verdict", "report"] {
        assert_eq!(ids(&of_kind(&sandbox, kind)).len(), 800, "{kind}");
    }
    let text = fs::read_to_string(message_log(&sandbox)).unwrap();
    let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of_log: Vec<String> =
        lines.iter().filter(|line| line["from_log"] == true).map(|line| line["id"].to_string()).collect();
    assert_eq!((of_log.len(), of_log.iter().collect::<BTreeSet<_>>().len()), (800, 800));
}

#[test]
fn clickhouse_has_stored_only_what_it_says_so_of() {
    let server = ClickHouse::start();
    let sandbox = with_clickhouse(&server, "");
    append(&sandbox.path("mail.log"), &bounced(1));
    for (answer, says) in [
        (
            "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\nX-ClickHouse-Exception-Code: 241\r\n\
             Content-Length: 0\r\n\r\n",
            "answered 200 and the exception 241",
        ),
        (
            "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\nContent-Length: 40\r\n\r\n\
             Code: 252. DB::Exception: Too many parts",
            "answered 200: Code: 252. DB::Exception: Too many parts",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOk.", "answered 200, and not as ClickHouse does"),
        ("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", "answered 201, and not as ClickHouse does"),
        (
            "HTTP/1.1 204 No Content\r\nX-ClickHouse-Query-Id: q\r\n\r\n",
            "answered 204, and not as ClickHouse does",
        ),
        (
            "HTTP/1.1 200 OK\r\nX-ClickHouse-Query-Id: q\r\nContent-Length: 100\r\n\r\nCode: 252",
            "answered 200 and broke off",
        ),
    ] {
        server.behave(ServerManner::Says(answer));
        let problems = tick(&sandbox)["problems"].to_string();
        assert!(problems.contains(says), "{problems}");
    }
    server.behave(ServerManner::Stores);
    assert_eq!(tick(&sandbox)["problems"], serde_json::json!([]));
    assert_eq!(server.rows().len(), 1);
}

#[test]
fn a_new_sink_hears_of_what_its_first_tick_suppresses() {
    let sandbox = sandbox(FILES);
    append(
        &sandbox.path("mail.log"),
        &ago(30, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER)),
    );
    tick(&sandbox);
    let changes = of_kind(&sandbox, "suppression");
    let said: Vec<_> = changes.iter().map(|one| (&one["data"]["change"], &one["data"]["address"])).collect();
    assert_eq!(said, [(&"added".into(), &"gone@dest.example".into())], "{changes:?}");
}
