//! The log has a line for everything, also for what a killed process has done: the next tick writes it, once. Until then the
//! message is found in the words of every other. A follower sees what the log says.

use crate::bounces::{self, STRANGER, dsn, signed_path};
use crate::harness::application::Application;
use crate::harness::mail_log::{self, ago};
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::tracer::{self, Traced};
use crate::harness::{
    HOUR_MS, SENDER, SILENT, Sandbox, finish, free_port, names, plain, queued, start, wait_for,
};
use crate::statistics::{self, OTHER, UNKNOWN_USER, delivery};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::net::TcpListener;
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

/// Killed before every third system call after the promise.
#[test]
fn a_message_that_was_killed_anywhere_has_its_line_after_the_next_tick_and_is_found_by_its_message_id() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    sandbox.run(&queued(TO, "4Kfirst"), &plain(TO)).silent();
    let (file, mut killed) = (sandbox.path("message"), 0);
    for after in (1..).step_by(3) {
        let (queue_id, id) = (format!("4K{after}"), format!("killed.{after}@sender.example"));
        let message = with_id(&id);
        fs::write(&file, &message).unwrap();
        let (mails, words) = (peer.mails().len(), queued(TO, &queue_id));
        match tracer::run_past_first_sync(sandbox.command(&words), &file, after) {
            Traced::Impossible => return eprintln!("skipped: this system lets nobody trace"),
            Traced::Ended { .. } => break,
            Traced::Killed => killed += 1,
        }
        tick(&sandbox);
        assert!(peer.mails().len() > mails, "{after}: the tick does what was promised");
        let found = sandbox.run(&["find", &id], b"").stdout;
        assert!(found.contains(&queue_id) && found.contains("bounce succeeded"), "{after}: {found}");
        let all = rows(&sandbox, &queue_id);
        assert_eq!(statuses(&all).iter().filter(|one| **one == "accepted").count(), 1, "{after}: {all:#?}");
        assert!(all[0]["counted"]["total_messages"] == 1 && all[0]["message_id"] == id.as_str(), "{all:#?}");
        assert!(all[0]["event"].is_null(), "{after}: the line of the decision: {all:#?}");
        tick(&sandbox);
        assert_eq!(rows(&sandbox, &queue_id).len(), all.len(), "{after}: once");
        sandbox.run(&words, &message).silent();
        let now = rows(&sandbox, &queue_id);
        assert_eq!(statuses(&now), [&statuses(&all)[..], &["redelivery"]].concat(), "{after}");
    }
    assert!(killed > 10, "{killed}");
}

/// The lines about done steps of a message, as they are in the log.
fn lines_of_done_steps(sandbox: &Sandbox, queue_id: &str) -> Vec<Value> {
    let log = sandbox.path("state/log");
    // A link has the name of the newest.
    let days = names(&log).into_iter().filter(|name| name.starts_with("messages-2"));
    let text: String = days.filter_map(|name| fs::read_to_string(log.join(name)).ok()).collect();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_it = lines.filter(|line| line["queue_id"] == queue_id);
    let has_bounced = |line: &Value| {
        let results = line["results"].as_array().unwrap();
        results.iter().any(|one| one["action"] == "bounce" && one["result"] == "succeeded")
    };
    of_it.filter(has_bounced).collect()
}

/// Killed before every third system call after the mail was taken.
#[test]
fn a_step_of_a_tick_that_was_killed_anywhere_has_its_line_after_the_next_tick() {
    let refusing = Manner { at: "RCPT", reply: "450 4.2.1 not now" };
    let peer = SmtpPeer::start(refusing);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let nothing = sandbox.path("nothing");
    fs::write(&nothing, "").unwrap();
    let mut killed = 0;
    for after in (0..90).step_by(3) {
        let queue_id = format!("4T{after}");
        peer.behave(refusing);
        sandbox.run(&queued(TO, &queue_id), &plain(TO)).silent();
        peer.behave(ACCEPT);
        sandbox.advance(HOUR_MS);
        let (mails, mut taken) = (peer.mails().len(), None);
        let traced = tracer::step_by_step(sandbox.command(&["cron"]), &nothing, &mut |call, child| {
            if taken.is_none() && peer.mails().len() > mails {
                taken = Some(call);
            }
            if taken.is_some_and(|taken| call == taken + after) {
                child.kill().unwrap();
            }
        });
        match traced {
            Traced::Impossible => return eprintln!("skipped: this system lets nobody trace"),
            Traced::Ended { .. } => break,
            Traced::Killed => killed += 1,
        }
        tick(&sandbox);
        let lines = lines_of_done_steps(&sandbox, &queue_id);
        assert_eq!(lines.len(), 1, "{after}: {lines:#?}");
        tick(&sandbox);
        assert_eq!(lines_of_done_steps(&sandbox, &queue_id), lines, "{after}: once");
    }
    assert!(killed > 10, "{killed}");
}

/// The tick is killed while it tells the application.
#[test]
fn a_failure_in_the_mail_log_has_one_row_after_a_killed_tick_however_the_log_is_asked() {
    let port = free_port();
    let silent = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let notify = format!("[[notify]]\nsender_domain = \"*\"\nurl = \"http://127.0.0.1:{port}/bounces\"\n");
    let sandbox = mail_log::sandbox(None, "").config(&notify);
    statistics::append(&sandbox, &ago(50, &delivery(540, 1, "gone@dest.example", OTHER, 1.0, UNKNOWN_USER)));
    let mut ticking = start(sandbox.command(&["cron"]), b"");
    let connection = silent.accept().unwrap();
    ticking.kill().unwrap();
    ticking.wait().unwrap();
    drop((connection, silent));
    let application = Application::at(port);
    let mut follower = sandbox.command(&["log", "--follow", "--json"]);
    let followed = sandbox.path("followed");
    follower.stdout(File::create(&followed).unwrap());
    let follower = start(follower, b"");
    std::thread::sleep(Duration::from_millis(500));
    tick(&sandbox);
    assert_eq!(application.told().len(), 1);
    let shown = |text: &str| -> Vec<Value> {
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    };
    let whole = shown(&sandbox.run(&["log", "--json"], b"").stdout);
    assert_eq!(statuses(&whole), ["accepted", "outbox"], "{whole:#?}");
    assert_eq!(shown(&sandbox.run(&["log", "--since", "1d", "--json"], b"").stdout), whole);
    wait_for(20, "both rows", || shown(&fs::read_to_string(&followed).unwrap()).len() >= 2);
    kill_process(Pid::from_raw(follower.id() as i32).unwrap(), Signal::TERM).unwrap();
    finish(follower, Duration::from_secs(30));
    let followed = shown(&fs::read_to_string(&followed).unwrap());
    assert_eq!(statuses(&followed), ["accepted", "outbox"], "{followed:#?}");
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
    let all = rows(&sandbox, "4KILLED");
    assert_eq!(statuses(&all), ["accepted", "outbox"], "{all:#?}");
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
