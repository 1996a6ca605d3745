//! `carom relay`: files in, nothing lost, nothing twice.

use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{CAROM, SENDER, SILENT, Sandbox, finish, names, plain, signed, start, wait_for};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A message as PowerMTA's newfile-plain leaves it.
fn left_by_the_mail_server(recipient: &str, extra: &str) -> Vec<u8> {
    let mut file = format!(
        "Return-Path: <{SENDER}>\r\nReceived: from c.sender.example (192.0.2.1) by mx.sink.example id h1 for <{recipient}>; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    )
    .into_bytes();
    file.extend(signed(recipient, extra, b"hello\r\n"));
    file
}

fn inbox(sandbox: &Sandbox) -> PathBuf {
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    inbox
}

fn relay(sandbox: &Sandbox, directory: &Path) -> serde_json::Value {
    let ran = sandbox.run(&["relay", directory.to_str().unwrap(), "--json"], b"");
    let summary: serde_json::Value =
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!(ran.code, i32::from(summary["failed"] != 0), "{ran:?}");
    summary
}

#[test]
fn every_form_of_file_is_taken() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let inbox = inbox(&sandbox);
    fs::write(inbox.join("plain.msg"), left_by_the_mail_server("x@oob.sink.example", "")).unwrap();
    let mut pickup = b"x-sender: alice@sender.example\r\nx-receiver: a@accept.sink.example\r\nx-receiver: b@accept.sink.example\r\n".to_vec();
    pickup.extend(plain("any@accept.sink.example"));
    fs::write(inbox.join("pickup.eml"), pickup).unwrap();
    let one = |text: &[u8]| String::from_utf8_lossy(text).replace("\r\n", "\n");
    let mbox = format!(
        "From {SENDER} Sat Nov 21 10:00:00 2026\n{}\nFrom {SENDER} Sat Nov 21 10:00:01 2026\n{}\n",
        one(&plain("c@accept.sink.example")),
        one(&plain("d@accept.sink.example"))
    );
    fs::write(inbox.join("box.mbox"), mbox).unwrap();
    fs::write(inbox.join("still.tmp"), "x").unwrap();
    fs::write(inbox.join(".hidden.msg"), "x").unwrap();
    let summary = relay(&sandbox, &inbox);
    assert_eq!(
        (&summary["messages"], &summary["failed"], &summary["left"]),
        (&5.into(), &0.into(), &0.into()),
        "{summary}"
    );
    assert_eq!(
        (&summary["counters"]["accept"], &summary["counters"]["oob_sent"]),
        (&4.into(), &1.into()),
        "{summary}"
    );
    assert_eq!(names(&inbox), [".hidden.msg", "still.tmp"]);
    let maildir = sandbox.path("maildir");
    for folder in ["new", "cur", "tmp"] {
        fs::create_dir_all(maildir.join(folder)).unwrap();
    }
    fs::write(maildir.join("new/1700.host"), plain("e@accept.sink.example")).unwrap();
    fs::write(maildir.join("new/1702.tmp"), plain("e@accept.sink.example")).unwrap();
    fs::write(maildir.join("tmp/1701.host"), "half").unwrap();
    assert_eq!(relay(&sandbox, &maildir)["counters"]["accept"], 2);
    assert_eq!((names(&maildir.join("new")).len(), names(&maildir.join("tmp")).len()), (0, 1));
}

#[test]
fn b1_the_bounce_goes_to_the_return_path_wherever_it_stands() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let inbox = inbox(&sandbox);
    let mut file = b"X-Note: see <other@stranger.example>\r\nReceived: from c (192.0.2.1) by mx.sink.example id 1\r\nReturn-Path: <alice@sender.example>\r\n".to_vec();
    file.extend(plain("x@oob.sink.example"));
    fs::write(inbox.join("a.msg"), file).unwrap();
    assert_eq!(relay(&sandbox, &inbox)["counters"]["oob_sent"], 1);
    assert_eq!(peer.mails()[0].to, SENDER);
}

#[test]
fn b6_a_file_that_is_being_written_is_left_until_it_is_whole() {
    let sandbox = Sandbox::new().config("[relay]\nsettle = 60");
    let inbox = inbox(&sandbox);
    let whole = left_by_the_mail_server("x@accept.sink.example", "");
    let path = inbox.join("slow.msg");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(&whole[..whole.len() / 2]).unwrap();
    assert_eq!(relay(&sandbox, &inbox)["left"], 1);
    drop(file);
    assert_eq!(relay(&sandbox, &inbox)["left"], 1, "it ends in the middle of a line");
    fs::write(&path, &whole).unwrap();
    assert_eq!(relay(&sandbox, &inbox)["messages"], 1);
    assert_eq!(sandbox.counter("accept"), 1);
}

#[test]
fn b3_b14_store_done_keeps_the_file_and_no_name_clashes() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    let message = left_by_the_mail_server("x@accept.sink.example", "X-Bouncy-Sink: Store-Done\r\n");
    for _ in 0..2 {
        fs::write(inbox.join("keep.msg"), &message).unwrap();
        relay(&sandbox, &inbox);
    }
    let kept = names(&inbox.join("done"));
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.contains(&"keep.msg".to_owned()));
    assert!(kept.iter().all(|name| fs::read(inbox.join("done").join(name)).unwrap() == message));
    let log = sandbox.run(&["log"], b"").stdout;
    assert_eq!(log.lines().count(), 2, "{log}");
}

#[test]
fn b14_done_may_be_on_another_file_system() {
    let elsewhere = PathBuf::from(format!("/dev/shm/carom-test-{:x}", fastrand::u64(..)));
    let sandbox = Sandbox::new().config(&format!(
        "[relay]\ndone = \"{}\"\nfailed = \"{}/failed\"\n[message]\nmax_size = 3000",
        elsewhere.display(),
        elsewhere.display()
    ));
    let inbox = inbox(&sandbox);
    fs::write(
        inbox.join("keep.msg"),
        left_by_the_mail_server("x@accept.sink.example", "X-Bouncy-Sink: store-done\r\n"),
    )
    .unwrap();
    fs::write(
        inbox.join("big.msg"),
        [left_by_the_mail_server("x@accept.sink.example", ""), vec![b'x'; 4000], b"\r\n".to_vec()].concat(),
    )
    .unwrap();
    let summary = relay(&sandbox, &inbox);
    let (kept, failed) = (names(&elsewhere), names(&elsewhere.join("failed")));
    let reason = fs::read_to_string(elsewhere.join("failed/big.msg.reason")).unwrap_or_default();
    fs::remove_dir_all(&elsewhere).unwrap();
    assert_eq!(
        (kept, failed),
        (vec!["failed".into(), "keep.msg".into()], vec!["big.msg".into(), "big.msg.reason".into()]),
        "{summary}"
    );
    assert!(reason.contains("max_size"), "b43: {reason}");
    assert_eq!(summary["failed"], 1);
}

#[test]
fn a_deferred_file_stays_and_the_rest_goes_on() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    fs::write(inbox.join("later.msg"), left_by_the_mail_server("x@defer.sink.example", "")).unwrap();
    fs::write(inbox.join("now.msg"), left_by_the_mail_server("x@accept.sink.example", "")).unwrap();
    let summary = relay(&sandbox, &inbox);
    assert_eq!((&summary["messages"], &summary["left"]), (&1.into(), &1.into()), "{summary}");
    assert_eq!(names(&inbox), ["later.msg"]);
}

#[test]
fn b7_kill_9_loses_nothing_and_repeats_nothing() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let inbox = inbox(&sandbox);
    for number in 0..600 {
        let recipient = if number % 3 == 0 { "x@oob.sink.example" } else { "x@accept.sink.example" };
        fs::write(inbox.join(format!("{number}.msg")), left_by_the_mail_server(recipient, "")).unwrap();
    }
    for millis in [60, 120, 200] {
        let mut child = start(sandbox.command(&["relay", inbox.to_str().unwrap()]), b"");
        std::thread::sleep(Duration::from_millis(millis));
        let _ = child.kill();
        child.wait().unwrap();
    }
    relay(&sandbox, &inbox);
    sandbox.run(&["cron"], b"").silent();
    let counted = sandbox.counters();
    assert_eq!(counted["total_messages"], 600, "{counted:?}");
    assert_eq!((&counted["accept"], &counted["oob_sent"]), (&400.into(), &200.into()), "{counted:?}");
    // A bounce that was on its way when the process died may arrive twice, but no more than the threads there are a kill.
    let sent = peer.mails().len();
    assert!((200..=200 + 3 * 32).contains(&sent), "{sent}");
    assert!(names(&inbox).is_empty(), "{:?}", names(&inbox));
}

#[test]
fn b39_follow_takes_what_comes_within_a_moment_and_ends_at_a_signal() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    let child = start(sandbox.command(&["relay", "--follow", "--json", inbox.to_str().unwrap()]), b"");
    std::thread::sleep(Duration::from_millis(300));
    for number in 0..3 {
        let began = std::time::Instant::now();
        let path = inbox.join("x.tmp");
        fs::write(&path, left_by_the_mail_server("x@accept.sink.example", "")).unwrap();
        fs::rename(&path, inbox.join("x.msg")).unwrap();
        wait_for(10, "the file to be taken", || names(&inbox).iter().all(|name| name.starts_with('.')));
        wait_for(10, "the count", || sandbox.counter("accept") == number + 1);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let ran = finish(child, Duration::from_secs(10));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("\"messages\":3"), "{ran:?}");
}

#[test]
fn b10_hanging_peers_hold_up_nobody_else() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[relay]\nthreads = 8\n[send]\ntimeout = 2");
    let inbox = inbox(&sandbox);
    for number in 0..8 {
        fs::write(inbox.join(format!("a{number}.msg")), left_by_the_mail_server("x@oob.sink.example", ""))
            .unwrap();
    }
    for number in 0..50 {
        fs::write(inbox.join(format!("b{number}.msg")), left_by_the_mail_server("x@accept.sink.example", ""))
            .unwrap();
    }
    let summary = relay(&sandbox, &inbox);
    assert_eq!((&summary["messages"], &summary["counters"]["accept"]), (&58.into(), &50.into()), "{summary}");
    assert_eq!(summary["counters"]["oob_deferred"], 8);
}

#[test]
fn b41_a_run_waits_for_all_hanging_peers_at_once_not_for_each_in_turn() {
    let peer = SmtpPeer::start(SILENT);
    let sandbox = Sandbox::new().smtp_port(peer.port).config("[relay]\nthreads = 12\n[send]\ntimeout = 3");
    let inbox = inbox(&sandbox);
    for number in 0..12 {
        fs::write(inbox.join(format!("{number}.msg")), left_by_the_mail_server("x@oob.sink.example", ""))
            .unwrap();
    }
    let summary = relay(&sandbox, &inbox);
    assert_eq!(summary["counters"]["oob_deferred"], 12);
    let seconds = summary["seconds"].as_f64().unwrap();
    assert!(seconds < 18.0, "12 times 3 s would be 36: {seconds}");
}

#[test]
fn progress_is_shown_on_a_terminal_and_nowhere_else() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    let fill = || {
        for number in 0..200 {
            let message = left_by_the_mail_server("x@accept.sink.example", "");
            fs::write(inbox.join(format!("{number}.msg")), message).unwrap();
        }
    };
    fill();
    let carom =
        format!("{CAROM} --config {} relay {}", sandbox.path("carom.toml").display(), inbox.display());
    let mut terminal = Command::new("script");
    terminal
        .args(["-qec", &carom, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let shown = finish(start(terminal, b""), Duration::from_secs(60));
    assert!(shown.stdout.contains("/200 messages") && shown.stdout.contains("\r"), "{shown:?}");
    fill();
    let silent = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert!(!silent.stderr.contains("messages") && silent.code == 0, "{silent:?}");
}

#[test]
fn b8_a_dead_store_leaves_every_file() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    fs::write(inbox.join("a.msg"), left_by_the_mail_server("x@accept.sink.example", "")).unwrap();
    fs::create_dir_all(sandbox.path("state/carom.db")).unwrap();
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert!(ran.code == 1 && ran.stderr.contains("store") && ran.stderr.contains("[store] path"), "{ran:?}");
    assert_eq!(names(&inbox), ["a.msg"]);
}

#[test]
fn two_relays_on_one_directory_share_the_work() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    for number in 0..400 {
        fs::write(inbox.join(format!("{number}.msg")), left_by_the_mail_server("x@accept.sink.example", ""))
            .unwrap();
    }
    let children: Vec<_> =
        (0..2).map(|_| start(sandbox.command(&["relay", inbox.to_str().unwrap()]), b"")).collect();
    for child in children {
        assert_eq!(finish(child, Duration::from_secs(60)).code, 0);
    }
    assert_eq!(sandbox.counter("total_messages"), 400);
    assert!(names(&inbox).is_empty());
}

#[test]
fn a_summary_for_people_and_words_about_a_wrong_directory() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    fs::write(inbox.join("a.msg"), left_by_the_mail_server("x@accept.sink.example", "")).unwrap();
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert!(ran.stdout.starts_with("1 messages in ") && ran.stdout.contains("accept"), "{ran:?}");
    let wrong = Command::new(CAROM)
        .args(["--state", "/tmp/none", "relay", "/no/such/directory"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("not a directory; give"), "{wrong:?}");
}

#[test]
fn b13_b35_b42_many_threads_keep_what_is_to_be_kept_and_nothing_else() {
    let sandbox = Sandbox::new().config("[relay]\nthreads = 128");
    let inbox = inbox(&sandbox);
    for number in 0..120 {
        let extra = if number < 40 { "X-Bouncy-Sink: store-done\r\n" } else { "X-Shout: Yahoo!\r\n" };
        fs::write(
            inbox.join(format!("{number:03}!.msg")),
            left_by_the_mail_server("x@accept.sink.example", extra),
        )
        .unwrap();
    }
    let summary = relay(&sandbox, &inbox);
    assert_eq!(
        (&summary["messages"], &summary["failed"], &summary["left"]),
        (&120.into(), &0.into(), &0.into())
    );
    assert_eq!(names(&inbox.join("done")).len(), 40);
    assert_eq!(names(&inbox), ["done"]);
}

#[test]
fn b34_the_log_says_what_was_done_to_whom_in_one_line_a_message() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    for recipient in ["a,b@accept.sink.example", "c@oob.sink.example"] {
        fs::write(inbox.join(format!("{recipient}.msg")), left_by_the_mail_server(recipient, "")).unwrap();
    }
    relay(&sandbox, &inbox);
    let log = sandbox.run(&["log", "--json"], b"").stdout;
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(lines.iter().any(|line| line["recipient"] == "a,b@accept.sink.example"), "{log}");
    let bounced = lines.iter().find(|line| line["recipient"] == "c@oob.sink.example").unwrap();
    assert_eq!(bounced["results"][0]["action"], "bounce", "{log}");
}

#[test]
fn a_file_of_no_bytes_is_no_message() {
    let sandbox = Sandbox::new();
    let inbox = inbox(&sandbox);
    fs::write(inbox.join("a.msg"), "").unwrap();
    // It is older than what somebody may still write.
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(inbox.join("a.msg")).unwrap().set_modified(old).unwrap();
    let ran = sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    assert!(ran.code == 1 && ran.stderr.contains("1 file failed: see "), "{ran:?}");
    assert!(ran.stderr.contains(inbox.join("failed").to_str().unwrap()), "{ran:?}");
    assert_eq!(sandbox.counter("total_messages"), 0, "{ran:?}");
    assert!(inbox.join("failed/a.msg").exists(), "{:?} {ran:?}", names(&inbox));
    assert!(fs::read_to_string(inbox.join("failed/a.msg.reason")).unwrap().contains("is empty"));
}
