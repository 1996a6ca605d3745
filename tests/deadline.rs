//! The deadline holds from the first instruction: whatever hangs, a process under a mail server ends with an
//! answer.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{HOUR_MS, SENDER, SILENT, Sandbox, finish, plain, start};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

/// Far more than the deadline of two seconds, and less than the 60 seconds of a config without one.
const SOON: Duration = Duration::from_secs(40);

const PIPE: [&str; 7] =
    ["pipe", "--sender", SENDER, "--recipient", "x@accept.sink.example", "--client-address", "192.0.2.1"];

/// A deadline of two seconds, in which no policy is compiled: that is done before.
pub(crate) fn two_seconds(sandbox: Sandbox) -> Sandbox {
    let asked = [&PIPE[..], &["--dry-run"]].concat();
    assert_eq!(sandbox.run(&asked, &plain("x@accept.sink.example")).code, 0);
    sandbox.config("[message]\ndeadline = 2")
}

#[test]
fn the_deadline_holds_while_standard_input_stays_open() {
    let sandbox = two_seconds(Sandbox::new());
    let began = Instant::now();
    let mut child = sandbox.command(&PIPE).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"Subject: x\r\n").unwrap();
    finish(child, SOON).says(75, "4.3.0 not done within 2 s");
    assert!(began.elapsed() >= Duration::from_secs(2));
    drop(input);
    assert_eq!(sandbox.counter("total_messages"), 0);
}

#[test]
fn the_deadline_holds_while_the_store_hangs() {
    let sandbox = two_seconds(Sandbox::new());
    sandbox.run(&PIPE, &plain("x@accept.sink.example")).silent();
    assert_eq!(sandbox.counter("accept"), 1);
    // As a process would that hangs in the middle of a write.
    let locked = File::options().read(true).write(true).open(sandbox.path("state/carom.db-shm")).unwrap();
    rustix::fs::fcntl_lock(&locked, FlockOperation::NonBlockingLockExclusive).unwrap();
    let recipient = "x@oob.sink.example";
    let arguments = ["pipe", "--sender", SENDER, "--recipient", recipient, "--client-address", "192.0.2.1"];
    finish(start(sandbox.command(&arguments), &plain(recipient)), SOON).says(75, "4.3.0 ");
    // A message without side effects needs no store.
    finish(start(sandbox.command(&PIPE), &plain("x@accept.sink.example")), SOON).silent();
    drop(locked);
    assert_eq!((sandbox.counter("accept"), sandbox.counter("total_messages")), (2, 2));
}

#[test]
fn what_was_promised_is_accepted_at_the_deadline() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = two_seconds(Sandbox::new().smtp_port(peer.port));
    let message = plain("x@oob.sink.example");
    let arguments =
        ["pipe", "--sender", SENDER, "--recipient", "x@oob.sink.example", "--client-address", "192.0.2.1"];
    finish(start(sandbox.command(&arguments), &message), SOON).silent();
    assert_eq!(sandbox.counter("total_messages"), 1);
    peer.behave(ACCEPT);
    sandbox.advance(HOUR_MS);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!((peer.mails().len(), sandbox.counter("oob_sent")), (1, 1));
}
