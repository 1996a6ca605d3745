//! Sinks of events that fail for long: what waits is kept, dropped where the config says so, caught up, and erased.

use crate::clickhouse_peer::{ClickHouse, ServerManner};
use crate::events::{FILES, ids, in_files, tick, with_clickhouse};
use crate::harness::Sandbox;
use crate::logs::{append, bounced, sent};
use serde_json::Value;
use std::fs;

/// The value of a metric of a sink.
fn metric(sandbox: &Sandbox, name: &str) -> f64 {
    let exposed = sandbox.run(&["export", "prometheus"], b"").stdout;
    let line = exposed.lines().find(|line| line.starts_with(&format!("{name}{{sink=\"clickhouse")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{name}: {exposed}"))
}

#[test]
fn the_oldest_events_go_where_the_config_says_so_and_no_other_sink_misses_any() {
    let server = ClickHouse::start();
    server.behave(ServerManner::Fails);
    let sandbox = with_clickhouse(&server, &format!("max_backlog = 1048576\ndrop_oldest = true\n{FILES}"));
    let log = sandbox.path("mail.log");
    for round in 0..3_u32 {
        append(&log, &(round * 2000 + 1..round * 2000 + 1501).map(bounced).collect::<String>());
        tick(&sandbox);
    }
    assert_eq!(in_files(&sandbox, "out").len(), 4500);
    server.behave(ServerManner::Stores);
    assert_eq!(tick(&sandbox)["problems"], serde_json::json!([]));
    let (rows, files) = (server.rows(), in_files(&sandbox, "out"));
    assert!(!rows.is_empty() && rows.len() < 3000, "{}", rows.len());
    assert_eq!(ids(&rows), ids(&files[files.len() - rows.len()..]), "the newest ones, each whole");
    assert!(metric(&sandbox, "carom_sink_dropped_bytes_total") > 0.0);
}

/// Bytes of the queue on the disk.
fn queue_bytes(sandbox: &Sandbox) -> u64 {
    let files = fs::read_dir(sandbox.path("state/event-queue")).unwrap();
    files.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn one_tick_over_very_many_deliveries_fills_the_disk_no_further_than_max_backlog() {
    for drops in [false, true] {
        let server = ClickHouse::start();
        server.behave(ServerManner::Fails);
        let sandbox = with_clickhouse(&server, &format!("max_backlog = 1048576\ndrop_oldest = {drops}\n"));
        append(&sandbox.path("mail.log"), &(1..=8000).map(bounced).collect::<String>());
        let ran = sandbox.run(&["cron", "--json"], b"");
        assert_eq!(
            ran.stderr.contains(" bytes wait for it, and max_backlog is 1048576: "),
            !drops,
            "{ran:?}"
        );
        let check = sandbox.run(&["check"], b"").stdout;
        assert!(check.contains("failed in part: events") && !check.contains("events, events"), "{check}");
        let bytes = queue_bytes(&sandbox);
        assert!((900_000..1_400_000).contains(&bytes), "drop_oldest = {drops}: {bytes} bytes");
        server.behave(ServerManner::Stores);
        // Each tick has a second for it.
        let caught_up = |_| {
            let sink = tick(&sandbox)["events"][0].clone();
            sink["waiting"] == 0 && sink["uncollected"].is_null()
        };
        assert!((0..30).any(caught_up), "{drops}");
        let stored = ids(&server.rows()).len();
        assert!(if drops { (900..2000).contains(&stored) } else { stored == 8000 }, "{drops}: {stored}");
        assert!(queue_bytes(&sandbox) < 1000);
    }
}

#[test]
fn a_slow_line_gets_smaller_batches_until_they_go() {
    let server = ClickHouse::start();
    server.behave(ServerManner::ReadsSlowly);
    let sandbox = with_clickhouse(&server, "");
    append(&sandbox.path("mail.log"), &(1..=1500).map(bounced).collect::<String>());
    let first = tick(&sandbox)["events"][0].clone();
    assert!(first["fault"].as_str().unwrap().contains("no answer in time to a batch of "), "{first}");
    let caught_up =
        (0..12).map(|_| tick(&sandbox)["events"][0]["waiting"].clone()).find(|waiting| *waiting == 0);
    assert!(caught_up.is_some());
    assert_eq!(ids(&server.rows()).len(), 1500);
    let tries = server.tries();
    assert_eq!(tries[0], tries[1], "the server may have had it, and knows the token");
    assert_ne!(tries[1], tries[2], "then it is divided");
}

#[test]
fn a_sink_that_fails_for_an_hour_catches_up() {
    let server = ClickHouse::start();
    let sandbox = with_clickhouse(&server, "");
    let log = sandbox.path("mail.log");
    append(&log, &sent(1));
    tick(&sandbox);
    server.behave(ServerManner::Fails);
    for number in 2..14 {
        sandbox.advance(300_000);
        append(&log, &sent(number));
        let ran = sandbox.run(&["cron", "--json"], b"");
        assert!(ran.code == 1 && ran.stderr.contains("answered 500"), "{ran:?}");
    }
    assert!(metric(&sandbox, "carom_sink_failing") > 0.0);
    server.behave(ServerManner::Stores);
    assert_eq!(tick(&sandbox)["problems"], serde_json::json!([]));
    let rows = server.rows();
    assert_eq!((rows.len(), ids(&rows).len()), (13, 13));
    assert!(metric(&sandbox, "carom_sink_failing") == 0.0);
    assert!(metric(&sandbox, "carom_sink_waiting_bytes") == 0.0);
}

#[test]
fn what_is_erased_is_in_no_event_that_waits() {
    let server = ClickHouse::start();
    server.behave(ServerManner::Fails);
    let sandbox = with_clickhouse(&server, "");
    append(&sandbox.path("mail.log"), &[sent(1), bounced(2)].concat());
    tick(&sandbox);
    assert_eq!(sandbox.run(&["suppress", "add", "ann@dest.example"], b"").code, 0);
    tick(&sandbox);
    assert_eq!(sandbox.run(&["suppress", "remove", "ann@dest.example"], b"").code, 0);
    let known = |what: &str| sandbox.run(&["erase", "ann@dest.example", what, "--json"], b"");
    let dry: Value = serde_json::from_str(&known("--dry-run").stdout).unwrap();
    let ran: Value = serde_json::from_str(&known("--keep-suppression").stdout).unwrap();
    assert!(
        dry["event_places"].as_u64() > Some(0) && dry["event_places"] == ran["event_places"],
        "{dry} {ran}"
    );
    server.behave(ServerManner::Stores);
    assert_eq!(tick(&sandbox)["problems"], serde_json::json!([]));
    let rows = server.rows();
    assert!(rows.len() >= 3, "what others did is still told: {rows:?}");
    assert!(rows.iter().all(|row| !row.to_string().contains("ann@dest")), "{rows:?}");
}
