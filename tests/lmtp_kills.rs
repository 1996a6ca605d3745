//! `carom lmtp` is killed while many clients hand in messages, and each sends a message again until it is answered: what was
//! answered is on record, nothing is lost and nothing counts twice, with queue ids and without. Messages share commits.

use crate::harness::lmtp::Listener;
use crate::harness::{SENDER, Sandbox, plain, wait_for};
use crate::lmtp::ACCEPTED;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// Hands a message in over a connection that may end at any time; `None`: without an answer.
fn try_once(path: &Path, forward: Option<&str>, message: &[u8]) -> Option<String> {
    let mut stream = UnixStream::connect(path).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut said = "LHLO client.example\r\n".to_owned();
    said.extend(forward.map(|id| format!("XFORWARD ADDR=192.0.2.1 IDENT={id}\r\n")));
    said += &format!("MAIL FROM:<{SENDER}>\r\nRCPT TO:<{ACCEPTED}>\r\nDATA\r\n");
    stream.write_all(said.as_bytes()).ok()?;
    stream.write_all(message).ok()?;
    stream.write_all(b".\r\nQUIT\r\n").ok()?;
    let mut replies = BufReader::new(stream).lines();
    replies.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("354")))?.ok()?;
    replies.next()?.ok()
}

fn killed_under_clients(with_queue_ids: bool) {
    const CLIENTS: usize = 6;
    const EACH: usize = 12;
    let sandbox = Sandbox::new();
    let mut listener = Listener::start(&sandbox, &[]);
    let path: PathBuf = listener.path.clone();
    let answered = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (path, answered) = (&path, &answered);
            scope.spawn(move || {
                for number in 0..EACH {
                    let message = plain(ACCEPTED);
                    let id = format!("4Q{client}Q{number}");
                    wait_for(120, "an answer", || {
                        let reply = try_once(path, with_queue_ids.then_some(&*id), &message);
                        assert!(reply.as_ref().is_none_or(|reply| reply.starts_with("250")), "{reply:?}");
                        reply.is_some()
                    });
                    answered.fetch_add(1, SeqCst);
                }
            });
        }
        for kill in 1..=6 {
            wait_for(120, "some answers", || answered.load(SeqCst) >= kill * CLIENTS * EACH / 8);
            std::thread::sleep(Duration::from_millis(fastrand::u64(0..30)));
            std::mem::replace(&mut listener, Listener::idle()).kill();
            listener = Listener::start(&sandbox, &[]);
        }
    });
    listener.stop();
    let counted = (sandbox.counter("accept"), sandbox.counter("total_messages"));
    assert_eq!(counted, ((CLIENTS * EACH) as u64, (CLIENTS * EACH) as u64), "queue ids: {with_queue_ids}");
}

#[test]
fn with_queue_ids_a_kill_loses_and_doubles_nothing() {
    killed_under_clients(true);
}

#[test]
fn without_queue_ids_a_kill_loses_and_doubles_nothing() {
    killed_under_clients(false);
}

#[test]
fn messages_that_come_together_are_synced_together() {
    const CLIENTS: usize = 40;
    let sandbox = Sandbox::new();
    let listener = Listener::start(&sandbox, &[]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| listener.unix().hello()).collect();
    // Each has been served once: directories, logs and policy are there.
    for client in &mut clients {
        client.send(SENDER, &[ACCEPTED], &plain(ACCEPTED));
        client.envelope(SENDER, &[ACCEPTED]);
        client.expect("DATA", "354");
    }
    let calls = sandbox.path("calls");
    // A slow disk: each sync takes at least 0.2 s.
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-y", "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync:delay_enter=200000", "-o"])
        .arg(&calls)
        .arg("-p")
        .arg(listener.id().to_string());
    let mut strace = strace.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("strace is installed");
    let (mut said, mut attached) = (strace.stderr.take().unwrap(), [0; 7]);
    said.read_exact(&mut attached).unwrap();
    for client in &mut clients {
        client.write(&plain(ACCEPTED));
        client.write(b".\r\n");
    }
    for client in &mut clients {
        let reply = client.reply();
        assert!(reply.starts_with("250"), "{reply}");
    }
    listener.stop();
    strace.wait().unwrap();
    let calls = fs::read_to_string(calls).unwrap();
    let syncs = calls.lines().filter(|line| line.contains("fdatasync(") && line.contains(".log>")).count();
    assert!(syncs > 0 && syncs < CLIENTS / 2, "{syncs} syncs for {CLIENTS} messages: {calls}");
}
