//! A signal ends a process after the step in hand: what was begun is settled, no more is begun, and the rest is done later.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::tracer::{self, Traced};
use crate::harness::{HOUR_MS, SENDER, SILENT, Sandbox, finish, gate, plain, queued, start, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(40);
const BOUNCED: &str = "x@oob.sink.example";
const SIGNALS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::HUP];

fn send(signal: Signal, id: u32) {
    kill_process(Pid::from_raw(id.cast_signed()).unwrap(), signal).unwrap();
}

/// A peer at whose first connection the process with this id gets the signal, before the first byte.
fn at_the_first_connection(peer: &SmtpPeer, signal: Signal) -> (u16, Arc<AtomicU32>) {
    let id = Arc::new(AtomicU32::new(0));
    let (sent, of) = (AtomicUsize::new(0), id.clone());
    let port = gate(peer, move || {
        if sent.fetch_add(1, SeqCst) == 0 {
            wait_for(10, "its id", || of.load(SeqCst) != 0);
            send(signal, of.load(SeqCst));
        }
    });
    (port, id)
}

fn begin(command: Command, stdin: &[u8], id: &AtomicU32) -> Child {
    let child = start(command, stdin);
    id.store(child.id(), SeqCst);
    child
}

#[test]
fn a_pipe_that_is_asked_to_end_finishes_the_dialogue_and_answers() {
    for signal in SIGNALS {
        let peer = SmtpPeer::start(ACCEPT);
        let (port, id) = at_the_first_connection(&peer, signal);
        let sandbox = Sandbox::new().smtp_port(port);
        let message = plain(BOUNCED);
        finish(begin(sandbox.command(&queued(BOUNCED, "4A")), &message, &id), LIMIT).silent();
        assert_eq!((peer.mails().len(), sandbox.counter("oob_sent")), (1, 1), "{signal:?}");
        let log = sandbox.run(&["log"], b"").stdout;
        assert!(log.contains("bounce succeeded"), "{signal:?}: {log}");
        sandbox.advance(HOUR_MS);
        sandbox.run(&["cron"], b"").silent();
        assert_eq!(peer.mails().len(), 1, "{signal:?}");
    }
}

#[test]
fn a_pipe_that_has_promised_nothing_ends_immediately_and_the_mail_server_keeps_the_message() {
    for signal in SIGNALS {
        let sandbox = Sandbox::new();
        let mut child = sandbox.command(&queued(BOUNCED, "4A")).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(b"Subject: x\r\n").unwrap();
        wait_for(20, "its handler", || {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
            u64::from_str_radix(caught, 16).unwrap() & 1 != 0
        });
        send(signal, child.id());
        finish(child, LIMIT).says(75, "4.3.0 stopped by a signal");
        drop(input);
        assert_eq!(sandbox.counter("total_messages"), 0);
    }
}

/// Also before carom has its handlers: Postfix tries again after a death by a signal, as after 75.
#[test]
fn a_signal_before_any_call_of_a_pipe_loses_nothing_and_counts_nothing_twice() {
    const ACCEPTED: &str = "x@accept.sink.example";
    let sandbox = Sandbox::new();
    let (file, message) = (sandbox.path("message"), plain(ACCEPTED));
    fs::write(&file, &message).unwrap();
    sandbox.verify_policy();
    let calls = match tracer::run(sandbox.command(&queued(ACCEPTED, "4Qwhole")), &file, usize::MAX) {
        Traced::Ended { code: 0, calls } => calls,
        _ => return eprintln!("skipped: nobody may trace here"),
    };
    let (mut died, mut deferred, mut done) = (0, 0, 0);
    for at in (0..calls).filter(|at| *at < 60 || at % 5 == 0) {
        let id = format!("4Q{at}signal");
        let command = sandbox.command(&queued(ACCEPTED, &id));
        let ended = tracer::step_by_step(command, &file, &mut |call, child| {
            if call == at {
                send(Signal::TERM, child.id());
            }
        });
        match ended {
            Traced::Killed => died += 1,
            Traced::Ended { code: 75, .. } => deferred += 1,
            Traced::Ended { code: 0, .. } => done += 1,
            other => panic!("{at}: {other:?}"),
        }
        if !matches!(ended, Traced::Ended { code: 0, .. }) {
            sandbox.run(&queued(ACCEPTED, &id), &message).silent();
        }
    }
    assert!(died > 10 && deferred > 5 && done > 0, "{died}, {deferred}, {done} of {calls}");
    assert_eq!(sandbox.counter("total_messages"), 1 + died + deferred + done);
}

#[test]
fn a_second_signal_ends_the_process_and_the_tick_does_the_rest() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let child = start(sandbox.command(&queued(BOUNCED, "4A")), &plain(BOUNCED));
    wait_for(20, "the bounce", || peer.connections.load(SeqCst) == 1);
    // Two of one kind may become one.
    send(Signal::TERM, child.id());
    send(Signal::INT, child.id());
    finish(child, LIMIT).silent();
    peer.behave(ACCEPT);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!(peer.mails().len(), 1);
}

#[test]
fn a_message_has_its_line_also_if_the_deadline_or_a_second_signal_ends_its_process() {
    for signaled in [false, true] {
        let peer = SmtpPeer::start(SILENT);
        let sandbox = Sandbox::new().smtp_port(peer.port).config("[message]\ndeadline = 6");
        let running = start(sandbox.command(&queued(BOUNCED, "4A")), &plain(BOUNCED));
        if signaled {
            wait_for(20, "the dialogue", || peer.connections.load(SeqCst) > 0);
            send(Signal::TERM, running.id());
            std::thread::sleep(Duration::from_millis(50));
            send(Signal::TERM, running.id());
        }
        finish(running, LIMIT).silent();
        let log = sandbox.run(&["log", "--json"], b"").stdout;
        let lines: Vec<serde_json::Value> =
            log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1, "{signaled}: {log}");
        assert_eq!((&lines[0]["queue_id"], &lines[0]["policy"]), (&"4A".into(), &"sink".into()), "{log}");
        assert_eq!(lines[0]["reason"], "ended before its steps; the tick does the rest");
        peer.behave(ACCEPT);
        sandbox.advance(HOUR_MS);
        sandbox.run(&["cron"], b"").silent();
        let later = sandbox.run(&["log"], b"").stdout;
        assert!(peer.mails().len() == 1 && later.contains("bounce succeeded"), "{signaled}: {later}");
    }
}

#[test]
fn a_tick_and_a_relay_that_are_asked_to_end_begin_no_more_and_repeat_nothing() {
    const FILES: usize = 30;
    for signal in SIGNALS {
        let peer = SmtpPeer::start(ACCEPT);
        let (port, id) = at_the_first_connection(&peer, signal);
        let sandbox = Sandbox::new().smtp_port(port).config("[relay]\nthreads = 2\nsettle = 0");
        let inbox = sandbox.path("inbox");
        fs::create_dir_all(&inbox).unwrap();
        for number in 0..FILES {
            let file = format!(
                "Return-Path: <{SENDER}>\r\nReceived: from c.sender.example (192.0.2.1) by mx.sink.example id q1 \
                 for <{BOUNCED}>; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
            );
            let file = [file.as_bytes(), &plain(BOUNCED)].concat();
            fs::write(inbox.join(format!("{number}.msg")), file).unwrap();
        }
        let relay = ["relay", inbox.to_str().unwrap()];
        let ran = finish(begin(sandbox.command(&relay), b"", &id), LIMIT);
        assert_eq!(ran.code, 0, "{signal:?}: {ran:?}");
        let sent = peer.mails().len();
        assert!((1..FILES).contains(&sent), "{signal:?}: {sent} of {FILES}");
        assert_eq!(sandbox.counter("oob_sent") as usize, sent, "{signal:?}");
        // The tick has what was promised, and is asked to end as well.
        let (port, id) = at_the_first_connection(&peer, signal);
        let sandbox = sandbox.smtp_port(port);
        let ran = finish(begin(sandbox.command(&["cron"]), b"", &id), LIMIT);
        assert_eq!(ran.code, 0, "{signal:?}: {ran:?}");
        assert_eq!(sandbox.counter("oob_sent") as usize, peer.mails().len(), "{signal:?}");
        sandbox.run(&relay, b"");
        sandbox.run(&["cron"], b"").silent();
        assert_eq!(peer.mails().len(), FILES, "{signal:?}");
    }
}

#[test]
fn what_it_was_started_to_ignore_ends_nothing() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let carom = sandbox.command(&queued(BOUNCED, "4A"));
    let mut shell = Command::new("bash");
    shell.args(["-c", "trap '' HUP; exec \"$@\"", "bash"]).arg(carom.get_program()).args(carom.get_args());
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(shell, &plain(BOUNCED));
    wait_for(20, "the bounce", || peer.connections.load(SeqCst) == 1);
    for _ in 0..2 {
        send(Signal::HUP, child.id());
    }
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}
