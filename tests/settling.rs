//! What was done is not done again: not because the store was locked, not because a step beside it takes long, and not because
//! somebody could not see that the process lives.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{HOUR_MS, SILENT, Sandbox, finish, gate, names, plain, queued, signed, start, wait_for};
use rusqlite::Connection;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const BOUNCED: &str = "x@oob.sink.example";

/// The store is locked as soon as a bounce goes out, until the connection is taken from here.
fn locked_by_the_bounce(sandbox: Sandbox, peer: &SmtpPeer) -> (Sandbox, Arc<Mutex<Option<Connection>>>) {
    let lock = Arc::new(Mutex::new(None));
    let (file, locked) = (sandbox.path("state/carom.db"), lock.clone());
    let port = gate(peer, move || {
        let store = Connection::open(&file).unwrap();
        store.execute_batch("BEGIN IMMEDIATE").unwrap();
        *locked.lock().unwrap() = Some(store);
    });
    (sandbox.smtp_port(port), lock)
}

fn outbox(sandbox: &Sandbox) -> Vec<serde_json::Value> {
    let ran = sandbox.run(&["outbox", "--json"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_store_that_is_locked_beyond_the_deadline_doubles_nothing() {
    let peer = SmtpPeer::start(ACCEPT);
    let (sandbox, lock) = locked_by_the_bounce(Sandbox::new().config("[message]\ndeadline = 5"), &peer);
    finish(start(sandbox.command(&queued(BOUNCED, "4A")), &plain(BOUNCED)), Duration::from_secs(40)).silent();
    assert_eq!(peer.mails().len(), 1);
    assert!(!names(&sandbox.path("state/unsettled")).is_empty(), "it waits in a file");
    drop(lock.lock().unwrap().take());
    sandbox.advance(HOUR_MS);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!((peer.mails().len(), sandbox.counter("oob_sent"), outbox(&sandbox).len()), (1, 1, 0));
    assert!(names(&sandbox.path("state/unsettled")).is_empty());
}

#[test]
fn of_two_steps_that_end_while_the_store_is_locked_neither_is_done_again() {
    let peer = SmtpPeer::start(ACCEPT);
    let (sandbox, lock) = locked_by_the_bounce(Sandbox::new().config("[message]\ndeadline = 9"), &peer);
    let message = [b"X-Bouncy-Sink: store-done\r\n", plain(BOUNCED).as_slice()].concat();
    finish(start(sandbox.command(&queued(BOUNCED, "4A")), &message), Duration::from_secs(40)).silent();
    assert_eq!(peer.mails().len(), 1);
    drop(lock.lock().unwrap().take());
    sandbox.advance(HOUR_MS);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!((peer.mails().len(), sandbox.counter("oob_sent"), outbox(&sandbox).len()), (1, 1, 0));
}

#[test]
fn a_store_that_is_locked_for_a_while_is_waited_for() {
    let peer = SmtpPeer::start(ACCEPT);
    let (sandbox, lock) = locked_by_the_bounce(Sandbox::new(), &peer);
    let running = start(sandbox.command(&queued(BOUNCED, "4A")), &plain(BOUNCED));
    wait_for(40, "the file", || !names(&sandbox.path("state/unsettled")).is_empty());
    drop(lock.lock().unwrap().take());
    finish(running, Duration::from_secs(40)).silent();
    assert_eq!((outbox(&sandbox).len(), sandbox.counter("oob_sent")), (0, 1));
    let log = sandbox.run(&["log"], b"").stdout;
    assert!(log.contains("bounce succeeded"), "{log}");
}

#[test]
fn a_kept_copy_beside_a_slow_bounce_is_on_record_before_that_ends_and_kept_once() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let message = signed(BOUNCED, "X-Bouncy-Sink: store-done\r\n", b"hello\r\n");
    let mut running = start(sandbox.command(&queued(BOUNCED, "4A")), &message);
    wait_for(40, "the copy's record", || {
        let left = outbox(&sandbox);
        left.len() == 1 && left[0]["action"] == "bounce"
    });
    running.kill().unwrap();
    running.wait().unwrap();
    peer.behave(ACCEPT);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!((peer.mails().len(), sandbox.counter("kept")), (1, 1));
    assert_eq!(names(&sandbox.path("state/done")).len(), 1);
}

/// Fills all pages of a database but the first with rubbish, in the file and in its log.
fn damage(database: &Path) {
    const PAGE: u64 = 4096;
    const FRAME: u64 = 24 + PAGE;
    let rubbish = [0xee; PAGE as usize];
    let open = |path: &Path| File::options().read(true).write(true).open(path).unwrap();
    let file = open(database);
    for page in 1..file.metadata().unwrap().len() / PAGE {
        file.write_all_at(&rubbish, page * PAGE).unwrap();
    }
    let log = open(&database.with_extension("db-wal"));
    for frame in 0..log.metadata().unwrap().len().saturating_sub(32) / FRAME {
        let (at, mut page) = (32 + frame * FRAME, [0; 4]);
        log.read_exact_at(&mut page, at).unwrap();
        if u32::from_be_bytes(page) != 1 {
            log.write_all_at(&rubbish, at + 24).unwrap();
        }
    }
}

#[test]
fn damage_that_settling_meets_is_named_soon_and_what_was_done_is_kept_for_the_repaired_store() {
    let sandbox = Sandbox::new();
    finish(start(sandbox.command(&queued(BOUNCED, "4A")), &plain(BOUNCED)), Duration::from_secs(40)).silent();
    assert_eq!(outbox(&sandbox).len(), 1, "nobody took it");
    let (state, saved) = (sandbox.path("state"), sandbox.path("saved"));
    let files = ["carom.db", "carom.db-wal"];
    fs::create_dir(&saved).unwrap();
    files.iter().for_each(|name| _ = fs::copy(state.join(name), saved.join(name)).unwrap());
    let (peer, database) = (SmtpPeer::start(ACCEPT), state.join("carom.db"));
    let port = gate(&peer, move || damage(&database));
    let sandbox = sandbox.smtp_port(port);
    sandbox.advance(HOUR_MS);
    let ran = sandbox.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("carom.db: damaged"), "{ran:?}");
    assert_eq!((peer.mails().len(), names(&state.join("unsettled")).len()), (1, 1), "{ran:?}");
    // It is repaired.
    files.iter().for_each(|name| _ = fs::copy(saved.join(name), state.join(name)).unwrap());
    let _ = fs::remove_file(state.join("carom.db-shm"));
    let sandbox = sandbox.smtp_port(peer.port);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!((peer.mails().len(), sandbox.counter("oob_sent"), outbox(&sandbox).len()), (1, 1, 0));
}

/// A process in another container has another id there, or the same as one of ours.
#[test]
fn a_process_in_another_pid_namespace_is_alive_while_it_lives_and_dead_after() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let carom = sandbox.command(&queued(BOUNCED, "4A"));
    let mut apart = Command::new("unshare");
    apart.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(carom.get_program());
    apart.args(carom.get_args()).stdin(std::process::Stdio::piped());
    let mut running = start(apart, &plain(BOUNCED));
    let mut ended = false;
    wait_for(40, "the bounce", || {
        ended = running.try_wait().unwrap().is_some();
        ended || peer.connections.load(std::sync::atomic::Ordering::SeqCst) == 1
    });
    if ended {
        return eprintln!("skipped: this system makes no PID namespaces");
    }
    peer.behave(ACCEPT);
    sandbox.run(&["cron"], b"").silent();
    assert_eq!(peer.mails().len(), 0, "it is under way");
    running.kill().unwrap();
    running.wait().unwrap();
    wait_for(40, "the bounce of a dead process", || {
        sandbox.run(&["cron"], b"").silent();
        peer.mails().len() == 1
    });
    assert_eq!(names(&sandbox.path("state/running")), ["processes"], "no process leaves a file");
}
