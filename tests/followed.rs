//! `carom log --follow`: what it shows is what is known of each message by then, wherever it was started.

use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::{SENDER, SILENT, Sandbox, finish, plain, queued, start, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::process::Child;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A follower and what it has shown.
struct Follower<'s> {
    sandbox: &'s Sandbox,
    process: Option<Child>,
}

impl Follower<'_> {
    fn start(sandbox: &Sandbox) -> Follower<'_> {
        let mut command = sandbox.command(&["log", "--follow", "--json"]);
        command.stdout(fs::File::create(sandbox.path("followed")).unwrap());
        Follower { sandbox, process: Some(start(command, b"")) }
    }

    /// The rows about a queue id.
    fn rows(&self, queue_id: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.sandbox.path("followed")).unwrap();
        let rows = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        rows.filter(|row| row["queue_id"] == queue_id).collect()
    }
}

impl Drop for Follower<'_> {
    fn drop(&mut self) {
        let Some(process) = self.process.take() else { return };
        kill_process(Pid::from_raw(process.id() as i32).unwrap(), Signal::TERM).unwrap();
        assert_eq!(finish(process, Duration::from_secs(30)).code, 0);
    }
}

/// The first message makes the store. What is pending is in it alone.
#[test]
fn a_follower_that_was_there_before_the_store_knows_of_the_next_try() {
    let peer = SmtpPeer::start(Manner { at: "RCPT", reply: "450 4.2.1 not now" });
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let follower = Follower::start(&sandbox);
    std::thread::sleep(Duration::from_millis(600));
    let to = "x@oob.sink.example";
    sandbox.run(&queued(to, "4Qfirst"), &plain(to)).silent();
    wait_for(30, "the row", || !follower.rows("4Qfirst").is_empty());
    let row = follower.rows("4Qfirst").remove(0);
    assert!(row["steps"][0]["due_ms"].is_i64() && row["steps"][0]["state"] == "pending", "{row}");
}

/// The kill came before the line of the first delivery, so that only the second one has a line.
#[test]
fn a_message_that_was_killed_and_comes_again_is_followed_as_what_became_of_it() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let follower = Follower::start(&sandbox);
    let (to, message) = ("x@oob.sink.example", plain("x@oob.sink.example"));
    let words = ["pipe", "--sender", SENDER, "--recipient", to, "--queue-id", "4KILLED"];
    let words = [&words[..], &["--client-address", "192.0.2.1"]].concat();
    let mut child = start(sandbox.command(&words), &message);
    wait_for(20, "the connection", || peer.connections.load(Ordering::SeqCst) > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    peer.behave(ACCEPT);
    sandbox.run(&words, &message).silent();
    wait_for(30, "the row", || !follower.rows("4KILLED").is_empty());
    sandbox.run(&words, &message).silent();
    wait_for(30, "the row of the third", || follower.rows("4KILLED").len() == 2);
    let rows = follower.rows("4KILLED");
    let statuses: Vec<&str> = rows.iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["accepted", "redelivery"], "{rows:#?}");
    assert!(rows[0]["steps"][0]["state"] == "succeeded" && rows[0]["counted"].is_object(), "{rows:#?}");
    let listed = sandbox.run(&["log", "--json"], b"").stdout;
    let first: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(first["status"], rows[0]["status"], "{listed}");
}
