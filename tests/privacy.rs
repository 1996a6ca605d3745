//! What is known about a person: shown whole, erased, made anonymous, and never in a core dump.

use crate::bounces::{STRANGER, bounce, dsn, sandbox, signed_path};
use crate::harness::application::Application;
use crate::harness::mail_log::{self, ago};
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{DAY_MS, HOUR_MS, Sandbox, free_port, plain, start, wait_for};
use crate::statistics::{OTHER, SENT, UNKNOWN_USER, append, delivery, tick};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

const JOE: &str = "joe@there.example";
/// Her name ends in his.
const NEIGHBOR: &str = "anne-joe@there.example";

/// A message with its last line in the log.
fn ended(n: u32, to: &str, end: &str) -> String {
    let lines = delivery(540, n, to, OTHER, 1.0, end);
    let queue_id = lines.split_whitespace().nth(3).unwrap();
    format!("{lines}2026-03-01T09:00:07.000000+00:00 mx postfix/qmgr[12]: {queue_id} removed\n")
}

/// Joe and his neighbor have both bounced, in reports and in the log.
fn two_who_bounced(application: &Application) -> Sandbox {
    let sandbox = sandbox(application.port, "keep = true");
    let path = sandbox.path("mail.log").display().to_string();
    let sandbox =
        sandbox.config(&format!("[[logs]]\nkind = \"postfix\"\npath = \"{path}\"\ntimezone = \"UTC\"\n"));
    for (n, address) in (1..).zip([JOE, NEIGHBOR]) {
        let from = signed_path(&sandbox, address);
        bounce(&sandbox, &from, STRANGER, &dsn(address, "5.1.1", "550 5.1.1 User unknown"));
        // A human reply to the same return path.
        bounce(&sandbox, &from, STRANGER, b"From: a@b.example\r\nSubject: Re\r\n\r\nPlease stop.\r\n");
        append(&sandbox, &ago(50, &ended(n, address, UNKNOWN_USER)));
        append(&sandbox, &ago(40, &ended(10 + n, address, SENT)));
    }
    tick(&sandbox, &[]);
    sandbox
}

fn json(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let ran = sandbox.run(arguments, b"");
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"))
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Files below the state directory that hold one of these texts, whatever their case.
fn files_with(sandbox: &Sandbox, texts: &[&str]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap().to_ascii_lowercase();
        texts.iter().any(|text| memmem(&bytes, text.as_bytes()))
    };
    files(&sandbox.path("state")).into_iter().filter(holds).collect()
}

fn memmem(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn an_erased_address_is_nowhere_in_the_state_directory_and_every_count_stays() {
    let application = Application::at(0);
    let sandbox = two_who_bounced(&application);
    let path = signed_path(&sandbox, JOE);
    let texts =
        [" joe@there.example", "<joe@there.example", "\"joe@there.example", "/joe%40there.example", &path];
    assert!(!files_with(&sandbox, &texts).is_empty());
    let whole = json(&sandbox, &["find", JOE, "--export"]);
    assert_eq!(whole["deliveries"].as_array().unwrap().len(), 2, "{whole}");
    let reports = whole["reports"].to_string();
    assert!(reports.contains("Final-Recipient: rfc822; joe@") && reports.contains("Please stop."), "{whole}");
    assert!(!whole.to_string().contains(NEIGHBOR), "{whole}");

    let (counters, day) = (sandbox.counters(), json(&sandbox, &["report", "--json"])["outcomes"].clone());
    let before = sandbox.run(&["find", JOE, "--json"], b"").stdout;
    let would = json(&sandbox, &["erase", "Joe@There.example", "--dry-run", "--json"]);
    let without_time = |text: &str| {
        let mut value: Value = serde_json::from_str(text).unwrap();
        value["at_ms"] = Value::Null;
        value
    };
    let after = sandbox.run(&["find", JOE, "--json"], b"").stdout;
    assert_eq!(without_time(&after), without_time(&before), "--dry-run changes nothing");
    let ran = sandbox.run(&["erase", "Joe@There.example", "--json"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let mut erased: Value = serde_json::from_str(&ran.stdout).unwrap();
    erased["dry_run"] = true.into();
    assert_eq!(erased, would);
    assert!(
        erased["suppressions"] != 0 && erased["deliveries"] == 2 && erased["kept_reports"] != 0,
        "{erased}"
    );

    assert_eq!(files_with(&sandbox, &texts), Vec::<PathBuf>::new());
    let nothing = sandbox.run(&["find", JOE], b"").stdout;
    assert!(nothing.starts_with("nothing is known"), "{nothing}");
    let neighbor = sandbox.run(&["find", NEIGHBOR], b"").stdout;
    for part in ["suppressed ", "kept ", "message ", "delivery "] {
        assert!(neighbor.lines().any(|line| line.starts_with(part)), "{part}: {neighbor}");
    }
    sandbox.run(&["cron"], b"");
    assert_eq!(sandbox.counters(), counters, "records that were folded count once");
    assert_eq!(json(&sandbox, &["report", "--json"])["outcomes"], day);
    let again = sandbox.run(&["erase", JOE], b"");
    assert!(again.code == 0 && again.stdout.starts_with("nothing is known"), "{again:?}");
}

/// RFC 5322 lets a local part hold all of these.
#[test]
fn an_address_that_ends_like_another_is_left_whatever_its_characters() {
    let application = Application::at(0);
    let sandbox = sandbox(application.port, "keep = true");
    for mark in "'/=!%{|&?#*~^$`".chars() {
        let (longer, shorter) = (format!("o{mark}hara@there.example"), "hara@there.example");
        let said = dsn(&longer, "5.1.1", "550 5.1.1 User unknown");
        bounce(&sandbox, &signed_path(&sandbox, &longer), STRANGER, &said);
        // Nothing proves this one.
        bounce(&sandbox, "b@bounces.example.com", STRANGER, &said);
        let known = sandbox.run(&["find", &longer], b"").stdout;
        assert!(known.lines().filter(|line| line.starts_with("kept ")).count() == 2, "{longer}: {known}");
        for command in [&["find", shorter][..], &["find", shorter, "--export"], &["erase", shorter]] {
            let ran = sandbox.run(command, b"");
            assert!(!ran.stdout.contains(&longer), "{longer} {command:?}: {ran:?}");
            let nothing = ran.stdout.starts_with("nothing is known") || command.contains(&"--export");
            assert!(nothing, "{longer} {command:?}: {ran:?}");
        }
        let after = sandbox.run(&["find", &longer], b"").stdout;
        assert_eq!(after.lines().count(), known.lines().count(), "{longer}: {after}");
        // An entry with a star covers many addresses.
        if mark != '*' {
            let ran = sandbox.run(&["erase", &longer], b"");
            assert!(ran.stdout.contains("2 kept reports"), "{longer}: {ran:?}");
        }
    }
}

#[test]
fn an_address_is_erased_while_mail_comes_and_each_message_counts_once() {
    let sandbox = Sandbox::new();
    let pipes: Vec<_> = (0..4)
        .map(|_| {
            let sandbox = &sandbox;
            move || {
                (0..15).for_each(|_| {
                    sandbox.pipe("joe@accept.sink.example", &plain("joe@accept.sink.example")).silent()
                })
            }
        })
        .collect();
    std::thread::scope(|scope| {
        let mail: Vec<_> = pipes.into_iter().map(|pipe| scope.spawn(pipe)).collect();
        while !mail.iter().all(|pipe| pipe.is_finished()) {
            let ran = sandbox.run(&["erase", "joe@accept.sink.example"], b"");
            assert!(ran.code == 0, "{ran:?}");
        }
    });
    sandbox.run(&["erase", "joe@accept.sink.example"], b"");
    assert_eq!(json(&sandbox, &["erase", "joe@accept.sink.example", "--json"])["log_places"], 0);
    assert_eq!(sandbox.counter("total_messages"), 60);
    assert_eq!(files_with(&sandbox, &["joe@accept"]), Vec::<PathBuf>::new());
}

#[test]
fn the_entry_on_the_suppression_list_may_stay() {
    let application = Application::at(0);
    let sandbox = two_who_bounced(&application);
    let ran = sandbox.run(&["erase", JOE, "--keep-suppression"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(sandbox.run(&["suppress", "check", JOE], b"").code, 1);
    assert_eq!(json(&sandbox, &["find", JOE, "--json"])["kept"].as_array().unwrap().len(), 0);
}

#[test]
fn what_is_still_to_be_done_about_an_address_stays_and_is_named() {
    // Nobody answers for the application, so that its notification is pending.
    let sandbox = sandbox(free_port(), "keep = true");
    let from = signed_path(&sandbox, "ann@there.example");
    bounce(&sandbox, &from, STRANGER, &dsn("ann@there.example", "5.1.1", "550 5.1.1 User unknown"));
    let ran = sandbox.run(&["erase", "ann@there.example"], b"");
    assert!(ran.code == 1 && ran.stdout.contains("1 pending in the outbox"), "{ran:?}");
    let outbox = sandbox.run(&["outbox"], b"").stdout;
    assert!(outbox.contains("ann@there.example"), "{outbox}");
    assert!(sandbox.run(&["outbox", "drop", "--all"], b"").code == 0);
    let ran = sandbox.run(&["erase", "ann@there.example"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(files_with(&sandbox, &["ann@there.example", "ann=there.example"]), Vec::<PathBuf>::new());
}

/// Their lines were lost, or the mail server was: nothing will end them.
#[test]
fn messages_that_never_ended_are_erased_when_no_line_can_come() {
    const LATER: &str =
        "dsn=4.4.1, status=deferred (connect to mx.dest.example[192.0.2.9]:25: Connection timed out)";
    let sandbox = mail_log::sandbox(None, "");
    let days = |days: i64| days * DAY_MS / 60_000;
    append(&sandbox, &ago(days(8), &delivery(540, 1, JOE, OTHER, 1.0, LATER)));
    append(&sandbox, &ago(days(8), &delivery(540, 2, NEIGHBOR, OTHER, 1.0, LATER)));
    append(&sandbox, &ago(5, &delivery(540, 3, "ann@there.example", OTHER, 1.0, LATER)));
    tick(&sandbox, &[]);
    fs::remove_file(sandbox.path("mail.log")).unwrap();
    let shown = json(&sandbox, &["erase", JOE, "--dry-run", "--json"]);
    assert_eq!(shown["left"]["pending_deliveries"], 0, "{shown}");
    let ran = sandbox.run(&["erase", JOE], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    let with_joe = files_with(&sandbox, &["<joe@there", "\"joe@there", " joe@there"]);
    assert_eq!(with_joe, Vec::<PathBuf>::new());
    assert_ne!(files_with(&sandbox, &[NEIGHBOR]), Vec::<PathBuf>::new());
    let ran = sandbox.run(&["erase", "ann@there.example"], b"");
    assert!(ran.code == 1 && ran.stdout.contains("1 "), "the mail server has it: {ran:?}");
}

#[test]
fn a_line_of_a_mail_log_that_was_not_understood_is_shown_and_erased() {
    let sandbox = mail_log::sandbox(None, "");
    append(&sandbox, "whatever this is: to=<joe@there.example>, nothing of a mail server\n");
    sandbox.run(&["cron"], b"");
    assert!(!files_with(&sandbox, &["<joe@there.example"]).is_empty());
    let whole = json(&sandbox, &["find", JOE, "--export"]);
    assert!(whole["unread_logs"][0]["kept"].as_str().unwrap().contains("<joe@there.example"), "{whole}");
    let ran = sandbox.run(&["erase", JOE, "--json"], b"");
    let erased: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(ran.code == 0 && erased["log_places"].as_u64() >= Some(1), "{ran:?}");
    assert_eq!(files_with(&sandbox, &["<joe@there.example"]), Vec::<PathBuf>::new());
}

#[test]
fn an_address_in_quotes_is_erased_wherever_it_was_written() {
    let application = Application::at(0);
    application.answer(422);
    let sandbox = sandbox(application.port, "keep = true");
    let doe = "\"zqx doe\"@there.example";
    for from in [signed_path(&sandbox, doe), String::new()] {
        bounce(&sandbox, &from, STRANGER, &dsn(doe, "5.1.1", "550 5.1.1 User unknown"));
    }
    for from in
        ["prvs=1234abcdef=\"zqx doe\"@there.example", "SRS0=ab=cd=there.example=\"zqx doe\"@f.example"]
    {
        bounce(&sandbox, from, STRANGER, b"From: a@b.example\r\nSubject: Re\r\n\r\nPlease stop.\r\n");
    }
    assert!(!files_with(&sandbox, &["zqx"]).is_empty());
    sandbox.run(&["outbox", "drop", "--all"], b"");
    let ran = sandbox.run(&["erase", doe], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    // Messages that strangers sent and that were kept are about nobody.
    let left: Vec<PathBuf> = files_with(&sandbox, &["zqx"]);
    assert!(left.iter().all(|path| path.starts_with(sandbox.path("state/unproven"))), "{left:?}");
}

#[test]
fn deliveries_of_a_log_that_has_ended_expire_with_the_hours_in_which_ticks_run() {
    let sandbox = mail_log::sandbox(None, "").config("[index]\nkeep_days = 1\nact = false\n");
    append(&sandbox, &ago(5, &ended(1, JOE, SENT)));
    tick(&sandbox, &[]);
    let there = || !sandbox.run(&["deliveries"], b"").stdout.trim().is_empty();
    // A clock that is wrong for a while.
    sandbox.set_clock(400 * DAY_MS);
    // It also says that the log is silent.
    sandbox.run(&["cron"], b"");
    assert!(there(), "a clock that is set wrongly removes nothing");
    for hour in 1..=26 {
        sandbox.set_clock(hour * (HOUR_MS + 60_000));
        tick(&sandbox, &[]);
    }
    assert!(!there());
    assert_eq!(files_with(&sandbox, &["<joe@there.example"]), Vec::<PathBuf>::new());
}

#[test]
fn what_is_no_single_address_is_refused() {
    let sandbox = Sandbox::new();
    for wrong in ["@there.example", "joe+*@there.example", "joe", "@*.there.example"] {
        let ran = sandbox.run(&["erase", wrong], b"");
        assert!(ran.code == 1 && ran.stderr.contains("is not an address"), "{wrong}: {ran:?}");
    }
}

#[test]
fn old_deliveries_become_anonymous_and_figures_stay() {
    let sandbox = mail_log::sandbox(None, "").config("[index]\nanonymous_days = 12\nact = false\n");
    let days = |days: i64| days * DAY_MS / 60_000;
    // Of this one the log never said that it had ended.
    let open = ended(5, "open@dest.example", SENT);
    let open: String = open.split_inclusive('\n').filter(|line| !line.contains(": removed")).collect();
    append(&sandbox, &ago(days(16), &open));
    append(&sandbox, &ago(days(14), &ended(1, "old@dest.example", UNKNOWN_USER)));
    append(&sandbox, &ago(days(13), &ended(2, "\"a@b\"@dest.example", SENT)));
    append(&sandbox, &ago(days(11), &ended(3, "young@dest.example", SENT)));
    append(&sandbox, &ago(5, &ended(4, "new@dest.example", SENT)));
    tick(&sandbox, &[]);
    let figures = |sandbox: &Sandbox| {
        let report = json(sandbox, &["report", "--json", "--since", "20d"]);
        (report["outcomes"].clone(), report["reasons"].clone())
    };
    let (shown, before) = (sandbox.run(&["deliveries", "--json"], b"").stdout, figures(&sandbox));
    tick(&sandbox, &[]);
    assert_eq!(figures(&sandbox), before);
    let rows: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let row = |recipient: &str| rows.iter().filter(|row| row["recipient"] == recipient).count();
    let counts = ["*@dest.example", "young@dest.example", "new@dest.example"].map(row);
    assert_eq!(counts, [3, 1, 1], "{shown}");
    let old = rows.iter().find(|row| row["status"] == "bounced").unwrap();
    assert_eq!((&old["sender"], &old["reason"]), (&"*@mail.shop.example".into(), &"user-unknown".into()));
    assert!(old["message_id"].is_null() && old["reply"].is_null(), "{old}");
    assert_eq!(
        files_with(&sandbox, &["old@dest.example", "open@dest.example", "<98494.1.7@shop>"]),
        Vec::<PathBuf>::new()
    );
}

#[test]
fn a_crash_leaves_no_core_dump() {
    let sandbox = Sandbox::new();
    let inbox = sandbox.path("inbox");
    fs::create_dir(&inbox).unwrap();
    let mut child = start(sandbox.command(&["relay", "--follow", inbox.to_str().unwrap()]), b"");
    let limit = || {
        let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap_or_default();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).map(str::to_owned);
        line.and_then(|line| line.split_whitespace().nth(4).map(str::to_owned))
    };
    wait_for(20, "the limit", || limit().as_deref() == Some("0"));
    child.kill().unwrap();
    child.wait().unwrap();
    // What may not be dumped belongs to root, whoever runs it.
    fs::set_permissions(&sandbox.dir, Permissions::from_mode(0o777)).unwrap();
    let mut command = sandbox.command(&["pipe", "--recipient", "x@accept.sink.example"]);
    command.uid(65_534).gid(65_534).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let owner = || fs::metadata(format!("/proc/{}/limits", child.id())).map(|about| about.uid());
    wait_for(20, "a process that may not be dumped", || owner().is_ok_and(|uid| uid == 0));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A bounce report to a signed return path, as the mail log has its delivery to carom.
fn delivered_to_carom(path: &str) -> String {
    let at = "2026-03-01T09:00:07.000000+00:00 mx postfix";
    format!(
        "{at}/smtpd[1]: 1A2B3C4D5E: client=mx.there.example[192.0.2.9]\n\
         {at}/cleanup[2]: 1A2B3C4D5E: message-id=<r1@mx.there.example>\n\
         {at}/qmgr[3]: 1A2B3C4D5E: from=<>, size=2000, nrcpt=1 (queue active)\n\
         {at}/pipe[4]: 1A2B3C4D5E: to=<{path}>, relay=carom-bounce, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, \
         status=sent (delivered via carom-bounce service)\n\
         {at}/qmgr[3]: 1A2B3C4D5E: removed\n"
    )
}

#[test]
fn an_address_in_the_return_path_of_a_delivery_is_shown_and_erased() {
    let sandbox = sandbox(free_port(), "");
    let log = sandbox.path("mail.log").display().to_string();
    let sandbox =
        sandbox.config(&format!("[[logs]]\nkind = \"postfix\"\npath = \"{log}\"\ntimezone = \"UTC\"\n"));
    let path = signed_path(&sandbox, "ann@there.example");
    append(&sandbox, &ago(50, &delivered_to_carom(&path)));
    tick(&sandbox, &[]);
    let found = sandbox.run(&["find", "ann@there.example"], b"");
    assert!(found.stdout.contains(&path), "{found:?}");
    let whole = json(&sandbox, &["find", "ann@there.example", "--export"]);
    assert_eq!(whole["deliveries"][0]["recipient"], path.as_str(), "{whole}");
    for arguments in [
        &["erase", "ann@there.example", "--dry-run", "--json"][..],
        &["erase", "ann@there.example", "--json"],
    ] {
        assert_eq!(json(&sandbox, arguments)["deliveries"], 1, "{arguments:?}");
    }
    assert_eq!(files_with(&sandbox, &["ann=there.example", "ann@there.example"]), Vec::<PathBuf>::new());
    let found = sandbox.run(&["find", "ann@there.example"], b"");
    assert!(found.stdout.contains("nothing is known"), "{found:?}");
    let figures = json(&sandbox, &["deliveries", "--others", "--json"]);
    assert_eq!(figures["queue_id"], "1A2B3C4D5E", "the delivery stays: {figures}");
}

#[test]
fn whoever_got_an_automatic_reply_can_be_erased_and_gets_no_second_one() {
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    let write = || {
        let to = "ooto@sink.example";
        let envelope = ["--sender", "ann@sender.example", "--recipient", to, "--client-address", "192.0.2.1"];
        sandbox.run(&[&["pipe"], &envelope[..]].concat(), &plain(to)).silent();
    };
    write();
    assert_eq!(peer.mails().len(), 1);
    let ran = sandbox.run(&["erase", "ann@sender.example"], b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(files_with(&sandbox, &["ann@sender.example"]), Vec::<PathBuf>::new());
    write();
    assert_eq!(peer.mails().len(), 1);
}
