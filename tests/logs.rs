//! The logs from the outside: real ticks over files that grow, rotate, are cut off and killed in the middle, and what
//! `carom deliveries` says of them. The lines are invented.

use crate::harness::{Ran, Sandbox, finish, start};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// A sandbox with a log at `mail.log`.
pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let path = sandbox.path("mail.log");
    sandbox
        .config(&format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n", path.display()))
}

/// The lines of message `n`: in the queue, tried once, and gone unless it was put off.
fn message(n: u32, status: &str, dsn: &str, reply: &str) -> String {
    let time = |s: u32| format!("2026-03-01T10:{:02}:{:02}.{:03}000+00:00", n / 60 % 60, n % 60, s);
    let id = format!("4Xn0y8{n:06}zZ1f");
    let mut text = format!(
        "{} mx postfix/smtpd[10]: {id}: client=app.example[10.0.0.7]\n\
         {} mx postfix/cleanup[11]: {id}: message-id=<98494.{n}.7@shop{}>\n\
         {} mx postfix/qmgr[12]: {id}: from=<sender@shop.example>, size=1000, nrcpt=1 (queue active)\n\
         {} mx postfix/smtp[13]: {id}: to=<user{n}@dest.example>, relay=mx.dest.example[192.0.2.9]:25, delay=1.5, \
         delays=0.1/0/0.4/1, dsn={dsn}, status={status} ({reply})\n",
        time(1),
        time(2),
        n % 2,
        time(3),
        time(4)
    );
    if status != "deferred" {
        text.push_str(&format!("{} mx postfix/qmgr[12]: {id}: removed\n", time(5)));
    }
    text
}

pub(crate) fn sent(n: u32) -> String {
    message(n, "sent", "2.0.0", "250 2.0.0 Ok: queued as 4Xn0y0000")
}

pub(crate) fn bounced(n: u32) -> String {
    let reply = format!(
        "host mx.dest.example[192.0.2.9] said: 550 5.1.1 <user{n}@dest.example>: Recipient address rejected: User unknown \
         in virtual mailbox table (in reply to RCPT TO command)"
    );
    message(n, "bounced", "5.1.1", &reply)
}

pub(crate) fn append(path: &PathBuf, text: &str) {
    File::options().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[track_caller]
pub(crate) fn tick(sandbox: &Sandbox) -> Value {
    let ran = sandbox.run(&["cron", "--json"], b"");
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

#[track_caller]
pub(crate) fn deliveries(sandbox: &Sandbox, filters: &[&str]) -> Vec<Value> {
    let ran = sandbox.run(&[&["deliveries", "--json"], filters].concat(), b"");
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Recipients of what was found, sorted.
#[track_caller]
pub(crate) fn recipients(sandbox: &Sandbox, filters: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = deliveries(sandbox, filters)
        .iter()
        .map(|d| d["recipient"].as_str().unwrap_or("-").to_owned())
        .collect();
    found.sort();
    found
}

/// Every message from 1 to `many` is there once, with one attempt.
#[track_caller]
pub(crate) fn each_once(sandbox: &Sandbox, many: u32) {
    assert_eq!(deliveries(sandbox, &[]).len(), many as usize);
    let mut wanted: Vec<String> = (1..=many).map(|n| format!("user{n}@dest.example")).collect();
    wanted.sort();
    let found = deliveries(sandbox, &[]);
    assert!(found.iter().all(|d| d["attempts"] == 1), "a line was counted twice");
    assert!(recipients(sandbox, &[]) == wanted, "some are missing, others there twice");
}

#[test]
fn a_delivery_is_shown_as_the_contract_has_it() {
    let sandbox = sandbox();
    append(&sandbox.path("mail.log"), &bounced(1));
    let done = tick(&sandbox);
    assert_eq!((&done["parsed"], &done["unknown"], &done["deliveries"]), (&5.into(), &0.into(), &1.into()));
    let found = deliveries(&sandbox, &[]);
    let one = &found[0];
    for (key, value) in [
        ("queue_id", "4Xn0y8000001zZ1f"),
        ("message_id", "98494.1.7@shop1"),
        ("client_id", "shop1"),
        ("sender", "sender@shop.example"),
        ("recipient", "user1@dest.example"),
        ("status", "bounced"),
        ("first_seen", "2026-03-01T10:00:01.001Z"),
        ("last_seen", "2026-03-01T10:00:01.004Z"),
        ("relay", "mx.dest.example[192.0.2.9]:25"),
        ("dsn", "5.1.1"),
        ("reason", "user-unknown"),
        ("category", "bad-mailbox"),
        ("severity", "hard"),
    ] {
        assert_eq!(one[key], value, "{key}: {one}");
    }
    assert!(one["original_recipient"].is_null() && one["attempts"] == 1);
    assert!(one["rule"].as_str().is_some_and(|rule| !rule.is_empty()));
    assert!(one["reply"].as_str().unwrap().starts_with("host mx.dest.example[192.0.2.9] said: 550 5.1.1"));
    let people = sandbox.run(&["deliveries"], b"").stdout;
    assert!(people.starts_with("2026-03-01T10:00:01.004Z  bounced   user1@dest.example  "), "{people}");
    let known = sandbox.run(&["find", "<98494.1.7@shop1>"], b"").stdout;
    assert!(known.contains("delivery ") && known.contains("user-unknown"), "{known}");
}

#[test]
fn every_filter_picks_what_it_says() {
    let sandbox = sandbox();
    let mut log =
        sent(1) + &bounced(2) + &message(3, "deferred", "4.4.1", "connect to x[192.0.2.9]:25: timed out");
    log += "2026-03-02T10:00:00.000000+00:00 mx postfix/smtpd[10]: NOQUEUE: reject: RCPT from bad.example[192.0.2.66]: 554 5.7.1 \
            Service unavailable; Client host [192.0.2.66] blocked using list.example; from=<x@bad.example> \
            to=<me@shop.example> proto=ESMTP helo=<bad.example>\n";
    log += "2026-03-03T10:00:00.000000+00:00 mx postfix/smtp[13]: 4Xn0y8000003zZ1f: to=<user3@dest.example>, \
            relay=mx.dest.example[192.0.2.9]:25, delay=9, delays=8/0/0/1, dsn=2.0.0, status=sent (250 Ok)\n";
    append(&sandbox.path("mail.log"), &log);
    tick(&sandbox);
    let user = |n: u32| format!("user{n}@dest.example");
    let me = "me@shop.example".to_owned();
    assert_eq!(recipients(&sandbox, &["--failed"]), [me.clone(), user(2)]);
    assert_eq!(recipients(&sandbox, &["--status", "sent"]), [user(1), user(3)]);
    assert_eq!(recipients(&sandbox, &["--status", "rejected,bounced"]), [me.clone(), user(2)]);
    assert_eq!(recipients(&sandbox, &["--recipient", "USER2@Dest.example"]), [user(2)]);
    assert_eq!(recipients(&sandbox, &["--client", "shop1"]), [user(1), user(3)]);
    assert_eq!(recipients(&sandbox, &["--queue-id", "4Xn0y8000003zZ1f"]), [user(3)]);
    assert_eq!(recipients(&sandbox, &["--message-id", "<98494.2.7@shop0>"]), [user(2)]);
    assert_eq!(recipients(&sandbox, &["--since", "2026-03-02T00:00:00Z"]), [me.clone(), user(3)]);
    assert_eq!(recipients(&sandbox, &["--until", "2026-03-02T00:00:00Z"]), [user(1), user(2)]);
    assert_eq!(recipients(&sandbox, &["--limit", "1"]), [user(3)]);
    assert_eq!(recipients(&sandbox, &["--failed", "--client", "shop1"]), [] as [String; 0]);
    assert_eq!(deliveries(&sandbox, &["--recipient", &user(3)])[0]["attempts"], 2);
    let wrong = sandbox.run(&["deliveries", "--status", "lost"], b"");
    assert!(wrong.code == 1 && wrong.stderr.contains("use sent, bounced"), "{wrong:?}");
    let wrong = sandbox.run(&["deliveries", "--since", "gestern"], b"");
    assert!(wrong.code == 1 && wrong.stderr.contains("7d"), "{wrong:?}");
}

#[test]
fn latest_is_one_for_each_recipient() {
    let sandbox = sandbox();
    let again = sent(70).replace("user70@", "user1@");
    append(&sandbox.path("mail.log"), &(bounced(1) + &sent(2) + &again));
    tick(&sandbox);
    let found = deliveries(&sandbox, &["--latest"]);
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0]["recipient"], &found[0]["status"]), (&"user1@dest.example".into(), &"sent".into()));
}

#[test]
fn rotation_copying_and_compression_lose_and_repeat_nothing() {
    let sandbox = sandbox();
    let log = sandbox.path("mail.log");
    append(&log, &(1..=10).map(sent).collect::<String>());
    tick(&sandbox);
    // Half of a message, a rename, the other half in the new file.
    let next = sent(11);
    let (half, rest) = next.split_at(next.find("postfix/qmgr").unwrap() - 36);
    append(&log, half);
    tick(&sandbox);
    fs::rename(&log, sandbox.path("mail.log.1")).unwrap();
    append(&sandbox.path("mail.log.1"), rest);
    append(&log, &(12..=20).map(sent).collect::<String>());
    tick(&sandbox);
    each_once(&sandbox, 20);
    // Copied and truncated, and compressed with lines that no tick has seen.
    append(&log, &sent(21));
    fs::copy(&log, sandbox.path("mail.log.0")).unwrap();
    File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, &(22..=25).map(sent).collect::<String>());
    tick(&sandbox);
    each_once(&sandbox, 25);
    append(&log, &(26..=30).map(sent).collect::<String>());
    fs::remove_file(sandbox.path("mail.log.1")).unwrap();
    fs::remove_file(sandbox.path("mail.log.0")).unwrap();
    fs::rename(&log, sandbox.path("mail.log.1")).unwrap();
    assert!(Command::new("gzip").arg(sandbox.path("mail.log.1")).status().unwrap().success());
    append(&log, &(31..=33).map(sent).collect::<String>());
    tick(&sandbox);
    tick(&sandbox);
    each_once(&sandbox, 33);
}

#[test]
fn a_line_that_is_being_written_waits() {
    let sandbox = sandbox();
    let log = sandbox.path("mail.log");
    let text = sent(1) + &sent(2);
    let mut at = 0;
    while at < text.len() {
        let next = (at + 97).min(text.len());
        append(&log, &text[at..next]);
        tick(&sandbox);
        at = next;
    }
    each_once(&sandbox, 2);
}

#[test]
fn a_tick_that_is_killed_at_any_time_counts_each_line_once() {
    let sandbox = sandbox();
    let log = sandbox.path("mail.log");
    let mut written = 0;
    for (round, wait) in [0, 5, 10, 15, 20, 25, 30, 40, 60, 90].into_iter().enumerate() {
        let text: String =
            (written + 1..=written + 2000).map(if round % 2 == 0 { sent } else { bounced }).collect();
        append(&log, &text);
        written += 2000;
        let mut child = start(sandbox.command(&["cron"]), b"");
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    tick(&sandbox);
    each_once(&sandbox, written);
}

#[test]
fn two_ticks_at_once_do_not_collide() {
    let sandbox = sandbox();
    append(&sandbox.path("mail.log"), &(1..=20_000).map(sent).collect::<String>());
    let ticks: Vec<_> = (0..4).map(|_| start(sandbox.command(&["cron"]), b"")).collect();
    let ran: Vec<Ran> = ticks.into_iter().map(|tick| finish(tick, Duration::from_secs(60))).collect();
    assert!(ran.iter().all(|ran| ran.code == 0), "{ran:?}");
    let busy = ran.iter().filter(|ran| ran.stderr == "carom: another tick is reading the logs\n").count();
    assert!(busy < 4 && ran.iter().filter(|ran| ran.stderr.is_empty()).count() + busy == 4, "{ran:?}");
    each_once(&sandbox, 20_000);
}

#[test]
fn a_first_run_can_be_interrupted() {
    let sandbox = sandbox();
    let text: String = (1..=100_000).map(sent).collect();
    append(&sandbox.path("mail.log"), &text);
    let child = start(sandbox.command(&["cron"]), b"");
    std::thread::sleep(Duration::from_millis(150));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ran = finish(child, Duration::from_secs(60));
    // -1: it had not yet begun to listen. It may also stop before it comes to the logs.
    assert!(matches!(ran.code, 0 | -1), "{ran:?}");
    let shown = sandbox.run(&["deliveries", "--json"], b"").stdout;
    let before = shown.lines().count();
    assert!(
        before == 100_000 || ran.code == -1 || ran.stderr.contains("; the next tick "),
        "{before} {ran:?}"
    );
    tick(&sandbox);
    each_once(&sandbox, 100_000);
}

#[test]
fn unknown_texts_are_grouped_by_shape_and_known_when_the_rules_are() {
    let sandbox = sandbox();
    let odd = |n: u32| {
        message(n, "bounced", "5.0.0", &format!("zweifelhafte Antwort Nummer {n} fuer user{n}@dest.example"))
    };
    append(&sandbox.path("mail.log"), &(odd(1) + &odd(2) + &odd(3) + &bounced(4)));
    tick(&sandbox);
    let ran = sandbox.run(&["deliveries", "--unclassified", "--json"], b"");
    let shapes: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(shapes.len(), 1, "{ran:?}");
    assert_eq!(
        (&shapes[0]["count"], &shapes[0]["shape"]),
        (&3.into(), &"zweifelhafte Antwort Nummer <n> fuer <address>".into())
    );
    let sandbox = sandbox.config(
        "[[policy.bounce.settings.rules]]\nname = \"own\"\npattern = \"zweifelhafte antwort\"\nreason = \"user-unknown\"\n",
    );
    let ran = sandbox.run(&["reclassify", "--json"], b"");
    assert_eq!(ran.stdout, "{\"changed\":3,\"looked_at\":4}\n", "{ran:?}");
    assert_eq!(sandbox.run(&["deliveries", "--unclassified"], b"").stdout, "every failure has a rule\n");
    assert!(deliveries(&sandbox, &["--failed"]).iter().all(|d| d["reason"] == "user-unknown"));
}

#[test]
fn a_delivery_that_succeeded_at_last_has_no_reason_and_one_that_failed_has_that_of_its_last_reply() {
    let sandbox = sandbox();
    let full = "host mx.dest.example[192.0.2.9] said: 452 4.2.2 Mailbox full (in reply to RCPT TO command)";
    let first = message(1, "deferred", "4.2.2", full) + &message(2, "deferred", "4.2.2", full);
    // So much that the states before and after are told one after the other.
    let between: String = (10..8000).map(sent).collect();
    let again = |lines: String| lines.lines().skip(3).map(|line| format!("{line}\n")).collect::<String>();
    append(&sandbox.path("mail.log"), &(first + &between + &again(sent(1)) + &again(bounced(2))));
    tick(&sandbox);
    let of = |recipient| deliveries(&sandbox, &["--recipient", recipient])[0].clone();
    let (one, two) = (of("user1@dest.example"), of("user2@dest.example"));
    assert_eq!((&one["status"], &one["attempts"], &one["reason"]), (&"sent".into(), &2.into(), &Value::Null));
    assert_eq!((&two["status"], &two["reason"]), (&"bounced".into(), &"user-unknown".into()));
}

#[test]
fn the_journal_is_read_behind_its_cursor() {
    let sandbox = Sandbox::new().config("[[logs]]\nkind = \"journald\"\n");
    let bin = sandbox.path("bin");
    fs::create_dir_all(&bin).unwrap();
    // What journalctl would write: the entries behind the cursor.
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *after-cursor=c1*) cat {0}/second;; *after-cursor=*) ;; *) cat {0}/first;; esac\n",
        sandbox.dir.display()
    );
    fs::write(bin.join("journalctl"), script).unwrap();
    fs::set_permissions(bin.join("journalctl"), fs::Permissions::from_mode(0o755)).unwrap();
    let entry = |cursor: &str, lines: &str| -> String {
        lines
            .lines()
            .map(|line| {
                let (_, rest) = line.split_once(" mx ").unwrap();
                let (tag, text) = rest.split_once(": ").unwrap();
                let (tag, pid) = tag.trim_end_matches(']').split_once('[').unwrap();
                format!(
                    "__CURSOR={cursor}\n__REALTIME_TIMESTAMP=1772359200000000\n_HOSTNAME=mx\nSYSLOG_IDENTIFIER={tag}\n\
                     SYSLOG_PID={pid}\nMESSAGE={text}\n\n"
                )
            })
            .collect()
    };
    fs::write(sandbox.path("first"), entry("c1", &sent(1))).unwrap();
    fs::write(sandbox.path("second"), entry("c2", &bounced(2))).unwrap();
    for expected in [1, 2, 2] {
        let mut command = sandbox.command(&["cron"]);
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        let ran = finish(start(command, b""), Duration::from_secs(60));
        ran.silent();
        assert_eq!(deliveries(&sandbox, &[]).len(), expected);
    }
    each_once(&sandbox, 2);
}

#[test]
fn what_is_old_or_too_much_goes() {
    let sandbox = sandbox().config("[index]\nkeep_days = 0\nmax_rows = 10\n");
    append(&sandbox.path("mail.log"), &(1..=50).map(sent).collect::<String>());
    tick(&sandbox);
    assert_eq!(deliveries(&sandbox, &[]).len(), 10);
    assert_eq!(recipients(&sandbox, &["--recipient", "user50@dest.example"]).len(), 1);
}
