//! Sinks of events that fail for long: what waits is kept, dropped where the config says so, caught up, and erased.

use crate::clickhouse_peer::{ClickHouse, ServerManner};
use crate::events::{FILES, ids, in_files, tick, with_clickhouse};
use crate::harness::Sandbox;
use crate::logs::{append, bounced, sent};
use serde_json::Value;

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
