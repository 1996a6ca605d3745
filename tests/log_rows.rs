//! Rows of the message log that are asked for: redeliveries, files that are given up, and lines that the log takes late.

use crate::bounces::{self, OWN, STRANGER, dsn, dsn_of, signed_path};
use crate::complaints::complaint;
use crate::harness::application::Application;
use crate::harness::{HOUR_MS, MINUTE_MS, SENDER, Sandbox, finish, names, plain, queued, start, wait_for};
use crate::proof::BOUNCES;
use crate::trail::{find, log};
use crate::unproven::{self, Sent, letter, send};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// As after a kill that came before the line: the steps are in the store alone.
#[test]
fn what_a_delivery_did_before_it_died_is_in_the_row_of_the_next_one() {
    let application = Application::at(0);
    let sandbox = bounces::sandbox(application.port, "keep = true");
    let (joe, sent) = ("joe@there.example", "sent1@shop.example");
    let to = signed_path(&sandbox, joe);
    let report = dsn_of(sent, joe, "5.1.1", "550 5.1.1 User unknown");
    let again = || {
        let sent = Sent { from: "", to: &to, client: STRANGER, queue_id: "4QDIED1", policy: "bounce" };
        send(&sandbox, &sent, &report).silent();
    };
    again();
    let logs = sandbox.path("state/log");
    names(&logs).iter().for_each(|name| fs::remove_file(logs.join(name)).unwrap());
    again();
    let text = String::from_utf8(report.clone()).unwrap();
    let id = text.split("Message-ID: <").nth(1).unwrap().split('>').next().unwrap();
    for key in ["4QDIED1", id, sent] {
        let found = find(&sandbox, key);
        for part in ["4QDIED1", "accepted", "suppress succeeded", "notify succeeded"] {
            assert!(found.contains(part), "{key}: {part}: {found}");
        }
    }
    let rows = log(&sandbox, &[]);
    assert!(rows.len() == 1 && rows[0].contains("suppress succeeded"), "{rows:?}");
    assert!(rows[0].contains("counted: bounce_hard"), "{rows:?}");
    let json: Value = serde_json::from_str(&sandbox.run(&["log", "--json"], b"").stdout).unwrap();
    assert_eq!((&json["counted"]["total_messages"], &json["status"]), (&1.into(), &"accepted".into()));
    assert_eq!(application.told().len(), 1);
}

/// The same where a tick has done the rest, and the mail server has not delivered the message again yet.
#[test]
fn steps_that_a_tick_has_done_stand_for_a_delivery_that_left_no_line() {
    let application = Application::at(0);
    application.answer(500);
    let sandbox = bounces::sandbox(application.port, "");
    let to = signed_path(&sandbox, "joe@there.example");
    let sent = Sent { from: "", to: &to, client: STRANGER, queue_id: "4QDIED2", policy: "bounce" };
    let report = dsn("joe@there.example", "5.1.1", "550 5.1.1 User unknown");
    send(&sandbox, &sent, &report).silent();
    let logs = sandbox.path("state/log");
    names(&logs).iter().for_each(|name| fs::remove_file(logs.join(name)).unwrap());
    application.answer(200);
    sandbox.advance(HOUR_MS);
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    let is_whole = |rows: &[String]| {
        let of_message: Vec<&String> = rows.iter().filter(|row| row.contains("accepted")).collect();
        assert_eq!(of_message.len(), 1, "{rows:?}");
        for part in ["counted: bounce_hard", "suppress succeeded", "notify succeeded"] {
            assert!(rows.iter().any(|row| row.contains(part)), "{part}: {rows:?}");
        }
    };
    is_whole(&log(&sandbox, &[]));
    is_whole(&log(&sandbox, &["--status", "accepted"]));
    is_whole(&find(&sandbox, "4QDIED2").lines().map(str::to_owned).collect::<Vec<_>>());
    send(&sandbox, &sent, &report).silent();
    is_whole(&log(&sandbox, &[]));
    // What is done later about a message that has its line is no message.
    bounces::hard(&sandbox, "second@there.example");
    application.answer(500);
    bounces::hard(&sandbox, "third@there.example");
    application.answer(200);
    sandbox.advance(HOUR_MS);
    sandbox.run(&["cron"], b"");
    assert_eq!(log(&sandbox, &["--status", "accepted"]).len(), 3, "{:?}", log(&sandbox, &[]));
}

#[test]
fn the_rows_of_a_recipient_have_the_reports_about_it() {
    let application = Application::at(0);
    let sandbox = bounces::sandbox(application.port, "");
    let said = |address: &str| dsn(address, "5.1.1", "550 5.1.1 User unknown");
    let report = |to: &str, client, queue_id, address| {
        let sent = Sent { from: "", to, client, queue_id, policy: "bounce" };
        send(&sandbox, &sent, &said(address)).silent();
    };
    // Nothing in the envelope names these two; the last one is not proven.
    report("bounces@bounces.example.com", OWN, "4QOWN", "own@there.example");
    report("bounces@bounces.example.com", STRANGER, "4QKEPT", "kept@there.example");
    report(&signed_path(&sandbox, "signed@there.example"), STRANGER, "4QSIGNED", "signed@there.example");
    for (address, queue_id) in [
        ("own@there.example", "4QOWN"),
        ("kept@there.example", "4QKEPT"),
        ("Signed@there.example", "4QSIGNED"),
    ] {
        let rows = log(&sandbox, &["--recipient", address]);
        assert!(rows.len() == 1 && rows[0].contains(queue_id), "{address}: {rows:?}");
        let json = sandbox.run(&["log", "--recipient", address, "--json"], b"").stdout;
        let row: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(row["queue_id"], queue_id, "{row}");
    }
    let none: Vec<String> = Vec::new();
    assert_eq!(log(&sandbox, &["--recipient", "n@there.example"]), none);
    assert_eq!(log(&sandbox, &["--recipient", "bounces@bounces.example.com"]).len(), 2);
}

#[test]
fn a_refused_message_that_comes_again_is_a_redelivery_as_an_accepted_one() {
    let sandbox = Sandbox::new();
    let to = "x@reject.sink.example";
    let message = plain(to);
    // A host on which a tick has run.
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    for _ in 0..3 {
        sandbox.run(&queued(to, "4QREFUSED"), &message).says(67, "5.1.1 user unknown");
        sandbox.advance(MINUTE_MS);
    }
    let rows = log(&sandbox, &[]);
    let of = |word: &str| rows.iter().filter(|row| row.contains(word)).count();
    assert_eq!((of("  refused 550 5.1.1"), of("  redelivery 550 5.1.1")), (1, 2), "{rows:?}");
    assert_eq!(log(&sandbox, &["--status", "refused"]).len(), 1);
}

#[test]
fn a_reply_of_several_lines_is_shown_in_one_and_a_kept_complaint_with_its_reason() {
    let sandbox = bounces::sandbox(1, "");
    let to = "x+google-no-such-user@gmail.sink.example";
    sandbox.run(&queued(to, "4QLINES"), &plain(to));
    let rows = log(&sandbox, &["--status", "refused"]);
    let said =
        "550 5.1.1 The email account that you tried to reach does not exist. https://support.google.com";
    assert!(rows.len() == 1 && rows[0].contains(said), "{rows:?}");
    let header = "To: <ann@there.example>\r\nMessage-ID: <m7@shop.example>\r\n";
    let from = "feedback@isp.example";
    let sent = Sent { from, to: "fbl@shop.example", client: STRANGER, queue_id: "4QFBL", policy: "bounce" };
    send(&sandbox, &sent, &complaint("abuse", "", header)).silent();
    let rows = log(&sandbox, &["--status", "kept"]);
    assert!(rows.len() == 1 && rows[0].contains("  nothing shows which recipient complains  "), "{rows:?}");
    let kept = find(&sandbox, "ann@there.example");
    assert!(kept.starts_with("kept ") && kept.contains("(the complaint matches nobody)"), "{kept}");
}

/// Every command that takes a time takes each form of it.
#[test]
fn times_are_typed_in_the_same_words_everywhere() {
    let sandbox = Sandbox::new();
    let to = "x@accept.sink.example";
    sandbox.run(&queued(to, "4QTIMED"), &plain(to)).silent();
    for (since, until) in [("yesterday", "now"), ("today", "now"), ("2d", "yesterday")] {
        for command in [&["log"][..], &["report"], &["deliveries"], &["suppress", "undo", "--dry-run"]] {
            let ran = sandbox.run(&[command, &["--since", since, "--until", until]].concat(), b"");
            assert!(!ran.stderr.contains("invalid value"), "{command:?} {since} {until}: {ran:?}");
        }
    }
    assert_eq!(log(&sandbox, &["--since", "yesterday"]).len(), 1);
    assert_eq!(log(&sandbox, &["--until", "yesterday"]).len(), 0);
    let wrong = sandbox.run(&["log", "--since", "soon"], b"");
    assert!(wrong.code != 0 && wrong.stderr.contains("yesterday, or an age like 90m"), "{wrong:?}");
}

#[test]
fn a_log_that_is_followed_says_of_a_step_what_the_log_says() {
    let application = Application::at(0);
    application.answer(422);
    let sandbox = bounces::sandbox(application.port, "");
    let out = sandbox.path("followed");
    let mut command = sandbox.command(&["log", "--follow"]);
    command.stdout(fs::File::create(&out).unwrap());
    bounces::hard(&sandbox, "first@there.example");
    let following = start(command, b"");
    let shown = || fs::read_to_string(&out).unwrap();
    wait_for(30, "the first row", || shown().lines().count() == 1);
    bounces::hard(&sandbox, "second@there.example");
    wait_for(30, "the second row", || shown().lines().count() == 2);
    kill_process(Pid::from_raw(following.id() as i32).unwrap(), Signal::TERM).unwrap();
    assert_eq!(finish(following, Duration::from_secs(30)).code, 0);
    let rows = log(&sandbox, &[]);
    assert!(rows.iter().all(|row| row.contains("to retry: carom outbox retry")), "{rows:?}");
    assert_eq!(shown().lines().collect::<Vec<_>>(), rows);
}

#[test]
fn redeliveries_take_no_place_of_the_rows_that_are_asked_for() {
    let sandbox = unproven::sandbox("");
    let to = BOUNCES;
    let from = |client, queue_id| Sent { from: SENDER, to, client, queue_id, policy: "bounce" };
    for queue_id in ["4QKEPT1", "4QKEPT2", "4QKEPT3"] {
        let text = letter("hello", "How are you?");
        send(&sandbox, &from(STRANGER, queue_id), &text).silent();
    }
    let report = dsn("joe@there.example", "5.1.1", "550 5.1.1 User unknown");
    let again = || {
        let sent = Sent { from: "", ..from(OWN, "4QAGAIN") };
        send(&sandbox, &sent, &report).silent();
    };
    again();
    sandbox.advance(2 * HOUR_MS);
    (0..5).for_each(|_| again());
    assert_eq!(log(&sandbox, &["--status", "kept", "-n", "3"]).len(), 3);
    assert_eq!(log(&sandbox, &["--status", "kept"]).len(), 3);
    for asked in [&["-n", "3"][..], &["--since", "1h"]] {
        let rows = log(&sandbox, asked);
        assert!(rows.iter().all(|row| row.contains("redelivery")), "{asked:?}: {rows:?}");
    }
    let accepted = log(&sandbox, &["--status", "accepted"]);
    assert!(accepted.len() == 1 && accepted[0].contains("4QAGAIN"), "{accepted:?}");
}

#[test]
fn a_message_without_an_effect_that_comes_again_is_one_message() {
    let sandbox = unproven::sandbox("");
    let text = letter("hello", "How are you?");
    let to = BOUNCES;
    let sent = Sent { from: SENDER, to, client: STRANGER, queue_id: "4QTHRICE", policy: "bounce" };
    for _ in 0..3 {
        send(&sandbox, &sent, &text).silent();
        sandbox.advance(MINUTE_MS);
    }
    assert_eq!(sandbox.counter("unproven_kept"), 1);
    for rows in [log(&sandbox, &[]), find(&sandbox, "4QTHRICE").lines().map(str::to_owned).collect()] {
        let of = |word: &str| rows.iter().filter(|row| row.contains(word)).count();
        assert_eq!((of("counted: "), of("redelivery")), (1, 2), "{rows:?}");
    }
    assert_eq!(log(&sandbox, &["--status", "kept"]).len(), 1);
    let json = sandbox.run(&["log", "--json"], b"").stdout;
    let rows: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&Value> = rows.iter().map(|row| &row["event"]).collect();
    assert_eq!(events, [&Value::Null, &"redelivery".into(), &"redelivery".into()]);
    assert_eq!((&rows[0]["status"], &rows[2]["status"]), (&"kept".into(), &"redelivery".into()));
}

#[test]
fn a_file_of_a_relay_directory_that_is_given_up_says_so_with_the_reason() {
    let sandbox = Sandbox::new().config("[message]\nmax_size = 20000\n");
    let inbox = sandbox.path("in");
    fs::create_dir(&inbox).unwrap();
    let put = |name: &str, to: &str, size: usize| {
        let envelope = format!("x-sender: {SENDER}\r\nx-receiver: {to}\r\n");
        let text = [envelope.as_bytes(), &plain(to), "x\r\n".repeat(size).as_bytes()].concat();
        fs::write(inbox.join(name), text).unwrap();
    };
    put("g1.msg", "g1@defer.sink.example", 0);
    put("big.msg", "big@accept.sink.example", 10_000);
    let relay = || sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
    relay();
    let old = Command::new("touch").args(["-d", "6 days ago"]).arg(inbox.join("g1.msg")).status();
    assert!(old.unwrap().success());
    relay();
    assert_eq!(names(&inbox.join("failed")).len(), 4, "{:?}", names(&inbox.join("failed")));
    for (to, reason) in
        [("g1@defer.sink.example", "deferred for too long"), ("big@accept.sink.example", "max_size")]
    {
        let found = find(&sandbox, to);
        let failed = format!("{}: ", inbox.join("failed").display());
        assert!(found.contains("failed") && found.contains(reason) && found.contains(&failed), "{found}");
    }
    assert!(log(&sandbox, &["--status", "deferred"]).is_empty());
    assert_eq!(log(&sandbox, &["--status", "failed"]).len(), 2);
    let found = find(&sandbox, "g1@defer.sink.example");
    assert!(found.contains("2 tries") && found.contains("decided since"), "{found}");
}

#[test]
fn a_file_that_was_deferred_and_then_accepted_is_deferred_no_more() {
    let sandbox = Sandbox::new();
    let inbox = sandbox.path("in");
    fs::create_dir(&inbox).unwrap();
    let text = format!("x-sender: {SENDER}\r\nx-receiver: fail-2@sink.example\r\n");
    fs::write(inbox.join("f.msg"), [text.as_bytes(), &plain("fail-2@sink.example")].concat()).unwrap();
    for _ in 0..4 {
        sandbox.run(&["relay", inbox.to_str().unwrap()], b"");
        sandbox.advance(HOUR_MS);
    }
    assert!(!inbox.join("f.msg").exists());
    assert_eq!(log(&sandbox, &["--status", "deferred"]), Vec::<String>::new());
    let rows = log(&sandbox, &[]);
    assert!(rows.iter().any(|row| row.contains("2 tries") && row.contains("decided since")), "{rows:?}");
}

/// A log whose directory is a file, until it is repaired.
fn without_log(sandbox: &Sandbox) -> PathBuf {
    let directory = sandbox.path("state/log");
    fs::create_dir_all(directory.parent().unwrap()).unwrap();
    fs::write(&directory, "in the way").unwrap();
    directory
}

#[test]
fn a_deferral_that_the_log_could_not_take_counts_once_and_is_decided_by_what_comes_later() {
    let sandbox = Sandbox::new();
    let in_the_way = without_log(&sandbox);
    let defer = "x@defer.sink.example";
    sandbox.run(&queued(defer, "4QDEFER"), &plain(defer));
    let fail = "fail-1@sink.example";
    let later = plain(fail);
    sandbox.run(&queued(fail, "4QLATER"), &later);
    for arguments in [&["log"][..], &["find", "4QDEFER"]] {
        let ran = sandbox.run(arguments, b"");
        assert!(ran.code == 0 && ran.stdout.contains("4QDEFER"), "{ran:?}");
    }
    fs::remove_file(&in_the_way).unwrap();
    sandbox.run(&queued(fail, "4QLATER"), &later).silent();
    for _ in 0..3 {
        assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    }
    assert_eq!(sandbox.counter("deferred"), 2, "{:?}", sandbox.counters());
    let deferred = sandbox.run(&["log", "--status", "deferred"], b"").stdout;
    assert!(deferred.contains("4QDEFER") && !deferred.contains("4QLATER"), "{deferred}");
}

#[test]
fn a_log_that_this_user_may_not_read_is_named_with_the_fix_and_ends_no_command() {
    let sandbox = Sandbox::new();
    let to = "x@accept.sink.example";
    sandbox.run(&queued(to, "4QHIDDEN"), &plain(to)).silent();
    let mode = |path: PathBuf, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(sandbox.dir.clone(), 0o777);
    mode(sandbox.path("state"), 0o755);
    mode(sandbox.path("state/log"), 0o700);
    let mut command = sandbox.command(&["log"]);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        command.uid(65_534).gid(65_534);
    } else {
        mode(sandbox.path("state/log"), 0o000);
    }
    let ran = finish(start(command, b""), Duration::from_secs(60));
    assert!(ran.code == 0 && ran.stderr.contains("Permission denied"), "{ran:?}");
    assert!(ran.stderr.contains("unwritten") && ran.stderr.contains("let this user read"), "{ran:?}");
    mode(sandbox.path("state/log"), 0o755);
}
