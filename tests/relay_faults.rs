//! `carom relay` when something is in its way: full disks, kills, and files that are no messages.

use crate::harness::memory::{self, MOST_MIB};
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{HOUR_MS, SENDER, Sandbox, names, plain, signed};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

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
