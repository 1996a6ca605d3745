//! `carom relay` takes files in batches: what happens to one message of a batch happens to no other, and a kill in the middle of
//! many loses and repeats nothing.

use crate::harness::guest::Guest;
use crate::harness::peers::{ACCEPT, Manner, SmtpPeer};
use crate::harness::{SENDER, SILENT, Sandbox, names, plain, sign_for, start, wait_for};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// A message of `SENDER` as a mail server leaves it.
pub(crate) fn left(recipient: &str) -> Vec<u8> {
    traced(SENDER, recipient, &plain(recipient))
}

fn traced(sender: &str, recipient: &str, message: &[u8]) -> Vec<u8> {
    let mut file = format!(
        "Return-Path: <{sender}>\r\nReceived: from c.sender.example (192.0.2.1) by mx.sink.example id q1 for <{recipient}>; \
         Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    )
    .into_bytes();
    file.extend(message);
    file
}

fn inbox(sandbox: &Sandbox, files: &[(&str, &[u8])]) -> PathBuf {
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    for (name, bytes) in files {
        fs::write(inbox.join(name), bytes).unwrap();
    }
    inbox
}

fn relay(sandbox: &Sandbox, inbox: &Path) -> serde_json::Value {
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap(), "--json"], b"");
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ran.code, i32::from(summary["failed"] != 0), "{ran:?}");
    summary
}

/// A relay that is killed by the test.
fn running(sandbox: &Sandbox, inbox: &Path) -> Child {
    start(sandbox.command(&["relay", inbox.to_str().unwrap()]), b"")
}

fn kill(mut child: Child) {
    let _ = child.kill();
    child.wait().unwrap();
}

/// Files that runs have claimed.
fn claimed(inbox: &Path) -> usize {
    let runs = fs::read_dir(inbox.join(".claimed")).into_iter().flatten().flatten();
    runs.map(|run| names(&run.path()).iter().filter(|name| !name.starts_with('.')).count()).sum()
}

#[test]
fn each_message_of_a_batch_comes_to_its_own_end() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new()
        .smtp_port(peer.port)
        .config("[relay]\nthreads = 1\nsettle = 0\n[message]\nmax_size = 4000");
    let kept = b"X-Bouncy-Sink: store-done\r\n";
    let two = b"x-sender: alice@sender.example\r\nx-receiver: a@accept.sink.example\r\nx-receiver: b@defer.sink.example\r\n";
    let large = [left("x@accept.sink.example"), vec![b'x'; 5000], b"\r\n".to_vec()].concat();
    let inbox = inbox(
        &sandbox,
        &[
            ("accept.msg", &left("x@accept.sink.example")),
            ("reject.msg", &left("x@reject.sink.example")),
            ("defer.msg", &left("x@defer.sink.example")),
            ("bounce.msg", &left("x@oob.sink.example")),
            ("complaint.msg", &left("x@fbl.sink.example")),
            ("nothing.msg", b""),
            ("large.msg", &large),
            ("kept.msg", &[&kept[..], &left("x@accept.sink.example")].concat()),
            ("two.msg", &[&two[..], &plain("x@accept.sink.example")].concat()),
        ],
    );
    let summary = relay(&sandbox, &inbox);
    let counted = &summary["counters"];
    assert_eq!((&summary["messages"], &summary["failed"]), (&6.into(), &2.into()), "{summary}");
    assert_eq!(summary["left"], 2, "a deferred file, and the deferred recipient of another: {summary}");
    assert_eq!(
        (&counted["oob_sent"], &counted["fbl_sent"], &counted["rejected"]),
        (&1.into(), &1.into(), &1.into())
    );
    assert_eq!(counted["deferred"], 2, "{summary}");
    assert_eq!(peer.mails().len(), 2);
    assert_eq!(
        names(&inbox.join("failed")),
        ["large.msg", "large.msg.reason", "nothing.msg", "nothing.msg.reason"]
    );
    assert_eq!(names(&inbox.join("done")), ["kept.msg"]);
    let files = names(&inbox);
    assert_eq!(files.iter().filter(|name| name.ends_with(".msg")).count(), 2, "{files:?}");
    assert!(!inbox.join(".claimed").exists(), "{files:?}");
    let log = sandbox.run(&["log", "--json"], b"").stdout;
    assert_eq!(log.lines().count(), 10, "a line for each message: decided, deferred, moved to failed: {log}");
}

#[test]
fn a_policy_that_fails_on_one_message_fails_on_no_other_of_its_batch() {
    let harm = "(if (i64.gt_u (call $size) (i64.const 3000)) (then unreachable) (else (drop (call $accept)) (call $count_it)))";
    let guest = Guest::new(harm).counting("fine");
    let sandbox =
        Sandbox::new().config("[relay]\nthreads = 2\nsettle = 0\n[policy.guest]\npath = \"GUEST\"\n");
    let file = guest.write(&sandbox.path("guest.wasm"));
    let config = fs::read_to_string(sandbox.path("carom.toml")).unwrap();
    fs::write(sandbox.path("carom.toml"), config.replace("GUEST", &file.display().to_string())).unwrap();
    let inbox = inbox(&sandbox, &[]);
    for number in 0..60 {
        let mut message = left("x@sink.example");
        if number % 20 == 7 {
            message.extend(b"and so on\r\n".repeat(400));
        }
        fs::write(inbox.join(format!("{number:02}.msg")), message).unwrap();
    }
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap(), "--policy", "guest", "--json"], b"");
    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&summary["messages"], &summary["left"]), (&57.into(), &3.into()), "{ran:?}");
    assert_eq!((sandbox.counter("fine"), sandbox.counter("total_messages")), (57, 57));
    assert_eq!(names(&inbox), ["07.msg", "27.msg", "47.msg"]);
}

/// A sandbox whose mail to `slow.example` goes to a host of its own, on the port of the others.
fn with_a_slow_host(peer: &SmtpPeer, manner: Manner) -> (Sandbox, SmtpPeer) {
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[send]\ntimeout = 50\n[relay]\nthreads = 4");
    let mut zone = fs::File::options().append(true).open(sandbox.path("zone")).unwrap();
    zone.write_all(
        b"s1._domainkey.slow.example. 300 IN TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"\n\
          slow.example. 300 IN TXT \"v=spf1 ip4:192.0.2.1 -all\"\nslow.example. 300 IN MX 10 mx.slow.example.\nmx.slow.example. 300 IN A 127.0.0.3\n",
    )
    .unwrap();
    // The list of hosts that may be answered is the last table.
    let mut config = fs::File::options().append(true).open(sandbox.path("carom.toml")).unwrap();
    config.write_all(b"\"mx.slow.example\" = \"\"\n").unwrap();
    (sandbox, SmtpPeer::at("127.0.0.3", peer.port, manner))
}

fn of_the_slow_host(recipient: &str) -> Vec<u8> {
    let message = format!(
        "From: <bob@slow.example>\r\nTo: <{recipient}>\r\nSubject: slow\r\nMessage-ID: <{:x}@slow.example>\r\n\r\nhello\r\n",
        fastrand::u64(..)
    );
    traced("bob@slow.example", recipient, &sign_for("slow.example", message.as_bytes()))
}

#[test]
fn a_host_that_hangs_holds_up_no_other_and_its_step_is_done_from_the_claimed_file_by_the_tick() {
    let peer = SmtpPeer::start(ACCEPT);
    let (sandbox, slow) = with_a_slow_host(&peer, SILENT);
    let inbox = inbox(&sandbox, &[("slow.msg", &of_the_slow_host("x@oob.sink.example"))]);
    for number in 0..20 {
        fs::write(inbox.join(format!("{number}.msg")), left("x@oob.sink.example")).unwrap();
    }
    let child = running(&sandbox, &inbox);
    wait_for(40, "the others to be settled", || sandbox.counter("oob_sent") == 20);
    wait_for(10, "the others to be removed", || claimed(&inbox) == 1);
    assert_eq!(names(&inbox).iter().filter(|name| name.ends_with(".msg")).count(), 0);
    kill(child);
    assert_eq!(
        (claimed(&inbox), sandbox.counter("total_messages")),
        (1, 21),
        "its file is where its bytes are"
    );
    slow.behave(ACCEPT);
    let ran = sandbox.run(&["cron"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(slow.mails().len(), 1);
    let bounce = String::from_utf8_lossy(&slow.mails()[0].data).into_owned();
    assert!(bounce.contains("Subject: slow"), "the bounce has the header of the message: {bounce}");
    let summary = relay(&sandbox, &inbox);
    assert_eq!((&summary["messages"], slow.mails().len()), (&1.into(), 1), "{summary}");
    assert_eq!((sandbox.counter("oob_sent"), sandbox.counter("total_messages")), (21, 21));
    assert_eq!(names(&inbox), [""; 0]);
}

#[test]
fn a_step_that_is_left_for_later_needs_the_claimed_file_no_more() {
    let peer = SmtpPeer::start(ACCEPT);
    let not_now = Manner { at: "RCPT", reply: "451 4.3.0 not now" };
    let (sandbox, slow) = with_a_slow_host(&peer, not_now);
    let inbox = inbox(&sandbox, &[("slow.msg", &of_the_slow_host("x@oob.sink.example"))]);
    let summary = relay(&sandbox, &inbox);
    assert_eq!(summary["counters"]["oob_deferred"], 1, "{summary}");
    assert_eq!(names(&inbox), [""; 0]);
    slow.behave(ACCEPT);
    sandbox.advance(3 * 60 * 60 * 1000);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let mails = slow.mails();
    assert_eq!(mails.len(), 1);
    assert!(String::from_utf8_lossy(&mails[0].data).contains("Subject: slow"));
    assert_eq!((sandbox.counter("oob_sent"), sandbox.counter("total_messages")), (1, 1));
}

#[test]
fn kills_in_the_middle_of_batches_lose_nothing_and_count_nothing_twice() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[relay]\nthreads = 4\nsettle = 0");
    let inbox = inbox(&sandbox, &[]);
    for number in 0..500 {
        let recipient = ["x@accept.sink.example", "x@oob.sink.example", "x@reject.sink.example"][number % 3];
        fs::write(inbox.join(format!("{number:03}.msg")), left(recipient)).unwrap();
    }
    for (round, millis) in [50, 90, 130, 30, 170, 70].into_iter().enumerate() {
        let child = running(&sandbox, &inbox);
        std::thread::sleep(Duration::from_millis(millis));
        kill(child);
        if round % 2 == 0 {
            assert_eq!(sandbox.run(&["cron"], b"").code, 0);
        }
    }
    let summary = relay(&sandbox, &inbox);
    assert_eq!((&summary["failed"], &summary["left"]), (&0.into(), &0.into()), "{summary}");
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let counted = sandbox.counters();
    assert_eq!(counted["total_messages"], 500, "{counted:?}");
    assert_eq!(
        (&counted["accept"], &counted["oob_sent"], &counted["rejected"]),
        (&167.into(), &167.into(), &166.into()),
        "{counted:?}"
    );
    // Bounces that were on their way at a kill may arrive twice.
    let sent = peer.mails().len();
    assert!((167..=167 + 6 * 4).contains(&sent), "{sent}");
    // A run that was killed before it had its lock leaves an empty directory for an hour.
    let left: Vec<_> = names(&inbox).into_iter().filter(|name| name != ".claimed").collect();
    assert_eq!((left, claimed(&inbox)), (Vec::new(), 0));
}

#[test]
fn two_hundred_files_are_shared_among_eight_threads() {
    let sandbox = Sandbox::new().config("[relay]\nthreads = 8");
    let inbox = inbox(&sandbox, &[]);
    for number in 0..200 {
        fs::write(inbox.join(format!("{number}.msg")), left("x@accept.sink.example")).unwrap();
    }
    let summary = relay(&sandbox, &inbox);
    assert_eq!((&summary["messages"], &summary["left"]), (&200.into(), &0.into()), "{summary}");
    assert_eq!((sandbox.counter("accept"), names(&inbox).len()), (200, 0));
    let log = sandbox.run(&["log", "--json", "--lines", "1000"], b"").stdout;
    assert_eq!(log.lines().count(), 200);
}

/// A line of /proc/PID/status, in kilobytes.
fn status(child: &Child, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok()
}

#[test]
fn a_new_state_directory_decides_on_the_same_engine_as_a_known_one() {
    let sandbox = Sandbox::new().config("[relay]\nthreads = 8");
    let inbox = inbox(&sandbox, &[]);
    let mut seen = Vec::new();
    for number in 1..3 {
        let child = start(sandbox.command(&["relay", "--follow", inbox.to_str().unwrap()]), b"");
        let path = inbox.join("x.tmp");
        fs::write(&path, left("x@accept.sink.example")).unwrap();
        fs::rename(&path, inbox.join("x.msg")).unwrap();
        wait_for(50, "a message", || sandbox.counter("accept") == number);
        seen.extend(status(&child, "VmSize"));
        kill(child);
    }
    let [new, known] = seen[..] else { panic!("{seen:?}") };
    // The pool of instances reserves address space for each thread.
    assert!(known > 8_000_000 && new > known / 2, "{new} kB, then {known} kB");
}

#[test]
fn large_messages_wait_their_turn_and_memory_keeps_its_limit() {
    let sandbox = Sandbox::new().config("[relay]\nthreads = 16");
    relay(&sandbox, &inbox(&sandbox, &[("first.msg", &left("x@accept.sink.example"))]));
    let body = [b"x".repeat(76), b"\r\n".to_vec()].concat().repeat(16 << 20 >> 6);
    let large = [left("x@accept.sink.example"), body].concat();
    let inbox = inbox(&sandbox, &[]);
    for number in 0..12 {
        fs::write(inbox.join(format!("{number}.msg")), &large).unwrap();
    }
    // It lives on after its work, so that the peak is read afterwards.
    let child = start(sandbox.command(&["relay", "--follow", inbox.to_str().unwrap()]), b"");
    wait_for(60, "twelve messages", || sandbox.counter("total_messages") == 13);
    let peak = status(&child, "VmHWM").unwrap();
    kill(child);
    // One of them at least was in memory.
    assert!(peak > 20_000 && peak < 256 << 10, "{peak} kB");
}
