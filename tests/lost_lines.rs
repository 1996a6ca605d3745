//! A message whose process was killed before its line is found, in the words of every other. A follower sees what the log says.

use crate::bounces::{self, STRANGER, dsn, signed_path};
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::{HOUR_MS, SENDER, SILENT, Sandbox, finish, free_port, plain, queued, start, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::sync::atomic::Ordering;
use std::time::Duration;

const TO: &str = "x@oob.sink.example";

fn with_id(id: &str) -> Vec<u8> {
    [format!("Message-ID: <{id}>\r\n").as_bytes(), &plain(TO)].concat()
}

fn tick(sandbox: &Sandbox) {
    sandbox.run(&["cron"], b"").silent();
}

fn rows(sandbox: &Sandbox, queue_id: &str) -> Vec<Value> {
    let shown = sandbox.run(&["log", "--since", "1d", "--json"], b"").stdout;
    let rows = shown.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    rows.filter(|row| row["queue_id"] == queue_id).collect()
}

fn statuses(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["status"].as_str().unwrap()).collect()
}

fn killed_while_it_sends(sandbox: &Sandbox, peer: &SmtpPeer, queue_id: &str, message: &[u8]) {
    let before = peer.connections.load(Ordering::SeqCst);
    let mut child = start(sandbox.command(&queued(TO, queue_id)), message);
    wait_for(20, "the connection", || peer.connections.load(Ordering::SeqCst) > before);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_message_that_was_killed_is_found_before_the_tick_in_the_words_of_every_other() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    killed_while_it_sends(&sandbox, &peer, "4KILLED", &with_id("killed.1@sender.example"));
    for key in ["killed.1@sender.example", "4KILLED", SENDER] {
        let found = sandbox.run(&["find", key], b"").stdout;
        assert!(found.contains("4KILLED") && found.contains("its line is still to come"), "{key}: {found}");
        assert!(found.contains("step       bounce pending (not tried yet, next try "), "{key}: {found}");
        assert!(!found.contains("0 tries"), "{key}: {found}");
    }
    let outbox = sandbox.run(&["outbox"], b"").stdout;
    assert!(outbox.contains("not tried since ") && !outbox.contains("0 tries"), "{outbox}");
    peer.behave(ACCEPT);
    tick(&sandbox);
    let found = sandbox.run(&["find", "killed.1@sender.example"], b"").stdout;
    assert!(found.starts_with("message ") && found.contains("bounce succeeded"), "{found}");
}

/// What follows is stopped while two ticks try a step.
#[test]
fn two_ticks_within_one_poll_are_followed_as_the_log_shows_them() {
    let peer = SmtpPeer::start(Manner { at: "RCPT", reply: "450 4.2.1 not now" });
    let sandbox = Sandbox::new().smtp_port(peer.port);
    sandbox.run(&queued(TO, "4Qtwice"), &plain(TO)).silent();
    let followed = sandbox.path("followed");
    let mut command = sandbox.command(&["log", "--follow", "--json"]);
    command.stdout(File::create(&followed).unwrap());
    let follower = start(command, b"");
    let shown = || {
        let text = fs::read_to_string(&followed).unwrap();
        text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>()
    };
    wait_for(20, "the first row", || !shown().is_empty());
    let id = Pid::from_raw(follower.id() as i32).unwrap();
    kill_process(id, Signal::STOP).unwrap();
    sandbox.advance(HOUR_MS);
    tick(&sandbox);
    peer.behave(ACCEPT);
    sandbox.advance(6 * HOUR_MS);
    tick(&sandbox);
    kill_process(id, Signal::CONT).unwrap();
    wait_for(20, "the rows of both ticks", || shown().len() == 3);
    kill_process(id, Signal::TERM).unwrap();
    assert_eq!(finish(follower, Duration::from_secs(30)).code, 0);
    let listed = rows(&sandbox, "4Qtwice");
    let of_ticks = |rows: &[Value]| rows[1..].iter().map(|row| row["steps"].clone()).collect::<Vec<_>>();
    assert_eq!(statuses(&shown()), statuses(&listed));
    assert_eq!(of_ticks(&shown()), of_ticks(&listed), "{:#?} {listed:#?}", shown());
}

#[test]
fn a_redelivery_does_not_say_again_what_is_over() {
    let sandbox = bounces::sandbox(free_port(), "");
    let ann = "ann@there.example";
    let (path, report) = (signed_path(&sandbox, ann), dsn(ann, "5.1.1", "550 5.1.1 user unknown"));
    let words = ["pipe", "--policy", "bounce", "--sender", "", "--recipient", &path, "--queue-id", "4Qagain"];
    let words = [&words[..], &["--client-address", STRANGER]].concat();
    sandbox.run(&words, &report).silent();
    assert_eq!(sandbox.run(&["suppress", "remove", ann], b"").code, 0);
    sandbox.run(&words, &report).silent();
    let log = sandbox.run(&["log"], b"").stdout;
    let again = log.lines().find(|line| line.contains("redelivery")).unwrap();
    assert!(!again.contains("suppressed"), "{again}");
    let all = rows(&sandbox, "4Qagain");
    let said = all[0]["steps"].to_string();
    assert!(said.contains("suppressed"), "{said}");
}
