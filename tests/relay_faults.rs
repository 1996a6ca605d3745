//! `carom relay` when something is in its way: full disks, kills, and files that are no messages.

use crate::harness::memory::{self, MOST_MIB};
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::tracer::{self, Traced};
use crate::harness::{HOUR_MS, SENDER, Sandbox, names, plain, signed, start, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

fn inbox(sandbox: &Sandbox) -> PathBuf {
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    inbox
}

/// One message for these recipients, as PowerMTA's newfile-pickup.
fn pickup(recipients: &[String]) -> Vec<u8> {
    let receivers: String =
        recipients.iter().map(|recipient| format!("x-receiver: {recipient}\r\n")).collect();
    [format!("x-sender: {SENDER}\r\n{receivers}").into_bytes(), plain("any@sink.example")].concat()
}

/// A message that may be bounced.
fn returnable(body: &[u8]) -> Vec<u8> {
    let trace = format!(
        "Return-Path: <{SENDER}>\r\nReceived: from c.sender.example (192.0.2.1) by mx.sink.example id h1; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    );
    [trace.into_bytes(), signed("any@oob.sink.example", "", body)].concat()
}

fn numbered(name: &str, many: usize) -> impl Iterator<Item = String> {
    (0..many).map(move |number| format!("{name}{number}@{name}.sink.example"))
}

/// The recipients in the files of a directory and of its claims.
fn waiting(inbox: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![inbox.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let text = String::from_utf8_lossy(&fs::read(entry.path()).unwrap()).into_owned();
            found
                .extend(text.lines().filter_map(|line| line.strip_prefix("x-receiver: ").map(str::to_owned)));
        }
    }
    found.sort_unstable();
    found
}

#[test]
fn b7_the_deferred_recipients_of_a_file_stay_in_one_file_under_its_name() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    let recipients: Vec<String> = numbered("accept", 30).chain(numbered("defer", 50)).collect();
    fs::write(inbox.join("many.msg"), pickup(&recipients)).unwrap();
    for round in 0..3 {
        let ran = sandbox.run(&["relay", inbox.to_str().unwrap(), "--json"], b"");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(names(&inbox), ["many.msg"], "round {round}");
        assert_eq!(waiting(&inbox).len(), 50, "round {round}");
    }
    assert_eq!(sandbox.counter("accept"), 30, "none of them is handled again");
}

#[test]
fn b10_a_relay_that_cannot_write_back_holds_the_file_and_says_so() {
    let sandbox = Sandbox::new();
    let inbox = PathBuf::from(format!("/dev/shm/carom-full-{:x}", fastrand::u64(..)));
    fs::create_dir_all(&inbox).unwrap();
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs"]).arg(&inbox).status();
    if !mounted.is_ok_and(|status| status.success()) {
        fs::remove_dir_all(&inbox).unwrap();
        eprintln!("no file system can be mounted here");
        return;
    }
    let recipients: Vec<String> = numbered("accept", 3).chain(numbered("defer", 3)).collect();
    fs::write(inbox.join("a.msg"), pickup(&recipients)).unwrap();
    let fill = || {
        let filling = fs::write(inbox.join("fill"), vec![b'x'; 1 << 20]);
        assert!(filling.is_err(), "the disk is full");
    };
    fill();
    let full = sandbox.run(&["relay", inbox.to_str().unwrap(), "--json"], b"");
    let (failed, still_there) = (inbox.join("failed").exists(), waiting(&inbox));
    fs::remove_file(inbox.join("fill")).unwrap();
    let again = sandbox.run(&["relay", inbox.to_str().unwrap(), "--json"], b"");
    let (left, files) = (waiting(&inbox), names(&inbox));
    assert!(Command::new("umount").arg(&inbox).status().unwrap().success());
    fs::remove_dir_all(&inbox).unwrap();
    assert_eq!(full.code, 1, "{full:?}");
    assert!(full.stderr.contains("1 files are left") && full.stdout.contains("\"fault\""), "{full:?}");
    assert!(!failed && still_there.len() == 6, "{still_there:?}");
    assert_eq!((again.code, left.len(), files), (0, 3, vec!["a.msg".to_owned()]), "{again:?}");
    assert_eq!(sandbox.counter("accept"), 3);
}

#[test]
fn b10_a_relay_whose_state_cannot_be_written_exits_with_what_is_left() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    fs::write(inbox.join("first.msg"), plain("x@accept.sink.example")).unwrap();
    sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    let file = [&b"x-receiver: x@oob.sink.example\r\n"[..], &returnable(b"hello\r\n")].concat();
    fs::write(inbox.join("a.msg"), file).unwrap();
    // A store that takes nothing more: a trigger refuses every promise.
    let shell = rusqlite::Connection::open(sandbox.path("state/carom.db")).unwrap();
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END";
    shell.execute_batch(refuse).unwrap();
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("1 files are left") && ran.stderr.contains("full"), "{ran:?}");
    assert_eq!(names(&inbox), ["a.msg"]);
    shell.execute_batch("DROP TRIGGER full").unwrap();
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert_eq!((ran.code, names(&inbox).len()), (0, 0), "{ran:?}");
}

#[test]
fn b11_what_is_no_regular_file_is_left_and_named_and_holds_up_nothing() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    assert!(Command::new("mkfifo").arg(inbox.join("pipe.msg")).status().unwrap().success());
    symlink("/dev/zero", inbox.join("endless.msg")).unwrap();
    symlink(inbox.join("real.msg"), inbox.join("link.eml")).unwrap();
    fs::create_dir(inbox.join("folder.mbox")).unwrap();
    fs::write(inbox.join("real.msg"), plain("x@accept.sink.example")).unwrap();
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap(), "--json"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("\"messages\":1"), "{ran:?}");
    assert_eq!(names(&inbox), ["endless.msg", "folder.mbox", "link.eml", "pipe.msg"]);
    let log: String = names(&sandbox.path("state/log"))
        .iter()
        .map(|name| fs::read_to_string(sandbox.path("state/log").join(name)).unwrap_or_default())
        .collect();
    for name in ["endless.msg", "folder.mbox", "link.eml", "pipe.msg"] {
        assert!(log.contains(name), "{log}");
    }
}

#[test]
fn b4_big_messages_wait_for_their_turn_in_relay_and_in_cron() {
    let peer = SmtpPeer::start(ACCEPT);
    let closed = Sandbox::new().config("[relay]\nthreads = 32\n[message]\nmemory = 134217728");
    let inbox = inbox(&closed);
    let big = returnable(&b"some words in a line\r\n".repeat(1_000_000));
    let receivers = b"x-receiver: a@oob.sink.example\r\nx-receiver: b@oob.sink.example\r\n";
    for number in 0..8 {
        fs::write(inbox.join(format!("{number}.msg")), [&receivers[..], &big].concat()).unwrap();
    }
    let most = peak(&closed, &["relay", inbox.to_str().unwrap()]);
    assert!(most < MOST_MIB, "relay took {most} MiB for 8 messages of 22 MB");
    let pending = closed.run(&["outbox", "--json"], b"").stdout;
    assert_eq!(pending.lines().count(), 16, "nobody answers yet: {pending}");
    let open = closed.smtp_port(peer.port);
    open.advance(2 * HOUR_MS);
    for _ in 0..10 {
        let most = peak(&open, &["cron"]);
        assert!(most < MOST_MIB, "cron took {most} MiB");
        open.advance(HOUR_MS);
    }
    assert_eq!(open.counter("oob_sent"), 16);
}

/// The most memory of a run that succeeds, in MiB.
fn peak(sandbox: &Sandbox, arguments: &[&str]) -> i64 {
    let (ran, most) = memory::peak(sandbox.command(arguments), Path::new("/dev/null"));
    assert_eq!(ran.code, 0, "{ran:?}");
    most
}

/// Stops a first run before each call from the one that makes its directory to those after its lock
/// is held; each time in a fresh directory.
fn while_it_begins(mut meanwhile: impl FnMut(&Sandbox, &Path)) {
    let sandbox = Sandbox::new();
    sandbox.verify_policy();
    let (mut first, mut messages) = (None, 0);
    for further in 0..40 {
        let inbox = sandbox.path(&format!("inbox{further}"));
        fs::create_dir(&inbox).unwrap();
        fs::write(inbox.join("1.msg"), plain("x@accept.sink.example")).unwrap();
        let (mut stopped, is_over) = (false, Arc::new(AtomicBool::new(false)));
        let command = sandbox.command(&["relay", inbox.to_str().unwrap()]);
        let ended = tracer::step_by_step(command, Path::new("/dev/null"), &mut |call, child| {
            if first.is_none() && inbox.join(".claimed").exists() {
                first = Some(call - 2);
            }
            if first.is_some_and(|first| call == first + further) {
                stopped = true;
                meanwhile(&sandbox, &inbox);
                fs::write(inbox.join("2.msg"), plain("x@accept.sink.example")).unwrap();
                kill_after(Duration::from_secs(20), child.id(), is_over.clone());
            }
        });
        is_over.store(true, SeqCst);
        if ended == Traced::Impossible {
            return eprintln!("skipped: nobody may trace here");
        }
        assert!(matches!(ended, Traced::Ended { code: 0, .. }), "{further}: {ended:?}");
        assert!(stopped || further == 0, "{further}");
        messages += if stopped { 2 } else { 1 };
        wait_for(20, "all messages", || sandbox.counter("total_messages") == messages);
        assert!(names(&inbox).iter().all(|name| name.starts_with('.')), "{further}: {:?}", names(&inbox));
    }
}

fn end(following: Option<Child>) {
    if let Some(mut one) = following {
        one.kill().unwrap();
        one.wait().unwrap();
    }
}

/// Kills a process that hangs.
fn kill_after(limit: Duration, id: u32, is_over: Arc<AtomicBool>) {
    thread::spawn(move || {
        let step = Duration::from_millis(100);
        for _ in 0..limit.as_millis() / step.as_millis() {
            thread::sleep(step);
            if is_over.load(SeqCst) {
                return;
            }
        }
        let _ = kill_process(Pid::from_raw(id.cast_signed()).unwrap(), Signal::KILL);
    });
}

#[test]
fn a_relay_that_begins_while_another_one_ends_keeps_its_place() {
    while_it_begins(|sandbox, inbox| {
        let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
        assert_eq!((ran.code, inbox.join("1.msg").exists()), (0, false), "{ran:?}");
    });
}

#[test]
fn a_relay_that_begins_beside_one_that_follows_waits_for_nothing() {
    let mut following = Vec::new();
    while_it_begins(|sandbox, inbox| {
        end(following.pop());
        following.push(start(sandbox.command(&["relay", "--follow", inbox.to_str().unwrap()]), b""));
        wait_for(20, "the first message", || !inbox.join("1.msg").exists());
    });
    end(following.pop());
}

/// Of runs that were killed before they had their lock, and as they ended.
#[test]
fn what_killed_runs_leave_without_a_message_goes_with_the_next_one() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    for (run, lock) in [("1", false), ("2", true), ("3", false)] {
        fs::create_dir_all(inbox.join(".claimed").join(run)).unwrap();
        if lock {
            fs::write(inbox.join(".claimed").join(run).join(".lock"), "").unwrap();
        }
    }
    fs::write(inbox.join("1.msg"), plain("x@accept.sink.example")).unwrap();
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert_eq!((ran.code, names(&inbox)), (0, Vec::new()), "{ran:?}");
    assert_eq!(sandbox.counter("accept"), 1);
}

/// A mail server takes such text from a client that says who gets it. Here nobody does, and a file that was put there by
/// mistake would be gone.
#[test]
fn what_has_neither_a_header_nor_a_recipient_fails_and_is_kept_as_it_is() {
    let sandbox = Sandbox::new().config("[relay]\nsettle = 0\n");
    let inbox = inbox(&sandbox);
    let garbage: Vec<u8> = (0..3000).map(|_| fastrand::u8(128..)).collect();
    let bare: [&[u8]; 3] = [&garbage, b"just a text\r\nof two lines\r\n", b"\r\nno header\r\n"];
    for (number, bytes) in bare.iter().enumerate() {
        fs::write(inbox.join(format!("bare-{number}.msg")), bytes).unwrap();
    }
    let to = b"x-sender: a@sender.example\nx-receiver: x@accept.sink.example\n";
    fs::write(inbox.join("named.msg"), [&to[..], b"\n", &garbage].concat()).unwrap();
    fs::write(inbox.join("field.msg"), b"Subject: a\0b\r\n\r\n\0\0\r\n").unwrap();
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert_eq!(sandbox.counter("total_messages"), 2, "{ran:?}");
    let failed = inbox.join("failed");
    for (number, bytes) in bare.iter().enumerate() {
        assert_eq!(fs::read(failed.join(format!("bare-{number}.msg"))).unwrap(), *bytes);
    }
    let reasons: Vec<String> = names(&failed).into_iter().filter(|name| !name.ends_with(".msg")).collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    for reason in reasons {
        let reason = fs::read_to_string(failed.join(reason)).unwrap();
        assert!(reason.contains("neither a header nor x-receiver lines: it is not a message"), "{reason}");
    }
}
