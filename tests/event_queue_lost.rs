//! A queue of events that is lost, whole or in part, while a sink is away: what had not arrived is collected again under the same
//! ids, and nothing is skipped.

use crate::clickhouse_peer::{ClickHouse, ServerManner};
use crate::events::{FILES, ids, in_files, tick, with_clickhouse};
use crate::harness::{Sandbox, plain};
use crate::logs::{append, sent};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Something of each kind: deliveries, a message, a change of the list.
fn happens(sandbox: &Sandbox, from: u32) {
    append(&sandbox.path("mail.log"), &(from..from + 20).map(sent).collect::<String>());
    sandbox.pipe("x@accept.sink.example", &plain("x@accept.sink.example"));
    let ran = sandbox.run(&["suppress", "add", &format!("gone{from}@dest.example")], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[track_caller]
fn has_all(sandbox: &Sandbox, server: &ClickHouse) {
    let ticked = tick(sandbox);
    assert_eq!(ticked["problems"], serde_json::json!([]), "{ticked}");
    let (rows, files): (BTreeSet<String>, BTreeSet<String>) =
        (ids(&server.rows()), ids(&in_files(sandbox, "out")));
    let kinds: BTreeSet<String> = server.rows().iter().map(|row| row["kind"].to_string()).collect();
    assert!(kinds.len() >= 3, "{kinds:?}");
    assert_eq!(rows, files, "the other sink has had each, under the same id");
}

#[test]
fn what_waits_in_a_queue_that_is_deleted_is_collected_again() {
    let server = ClickHouse::start();
    let sandbox = with_clickhouse(&server, FILES);
    let queue = sandbox.path("state/event-queue");
    happens(&sandbox, 1);
    tick(&sandbox);
    server.behave(ServerManner::Fails);
    happens(&sandbox, 100);
    tick(&sandbox);
    fs::remove_dir_all(&queue).unwrap();
    // Longer than the old one, at the same places.
    (0..4).for_each(|round| happens(&sandbox, 200 + round * 100));
    tick(&sandbox);
    fs::remove_dir_all(&queue).unwrap();
    server.behave(ServerManner::Stores);
    has_all(&sandbox, &server);
    // Nothing comes again after that.
    let before = (server.rows().len(), in_files(&sandbox, "out").len());
    fs::remove_dir_all(&queue).unwrap();
    tick(&sandbox);
    assert_eq!((server.rows().len(), in_files(&sandbox, "out").len()), before);
    happens(&sandbox, 900);
    has_all(&sandbox, &server);
}

#[test]
fn what_waits_in_a_queue_that_is_restored_from_a_backup_is_collected_again() {
    let server = ClickHouse::start();
    let sandbox = with_clickhouse(&server, FILES);
    let (queue, backup) = (sandbox.path("state/event-queue"), sandbox.path("backup"));
    server.behave(ServerManner::Fails);
    happens(&sandbox, 1);
    tick(&sandbox);
    copy(&queue, &backup);
    happens(&sandbox, 100);
    tick(&sandbox);
    copy(&backup, &queue);
    server.behave(ServerManner::Stores);
    has_all(&sandbox, &server);
}
