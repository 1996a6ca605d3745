//! Logs that are missing or wrongly configured, and a policy that does not exist: named, and no obstacle to the rest.

use crate::harness::{DAY_MS, HOUR_MS, Sandbox, finish, start, wait_for};
use crate::logs::{append, bounced, deliveries, each_once, sandbox, sent, tick};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

#[test]
fn one_log_that_is_missing_keeps_no_other_from_being_read() {
    let sandbox = Sandbox::new();
    let (gone, there) = (sandbox.path("gone.log"), sandbox.path("mail.log"));
    let log = |path: &PathBuf| format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\n", path.display());
    let sandbox = sandbox.config(&(log(&gone) + &log(&there)));
    append(&there, &sent(1));
    let ran = sandbox.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("gone.log: no such file"), "{ran:?}");
    each_once(&sandbox, 1);
    append(&gone, &sent(2));
    wait_for(1, "the lock to be free", || sandbox.run(&["cron"], b"").code == 0);
}

#[test]
fn a_config_of_logs_that_cannot_be_is_refused() {
    for (config, says) in [
        ("[[logs]]\nkind = \"postfix\"\n", "has no path"),
        ("[[logs]]\nkind = \"sendmail\"\npath = \"/x\"\n", "`sendmail` is not a value of this key"),
        ("[[logs]]\nkind = \"postfix\"\npath = \"/x\"\ntimezone = \"Mars\"\n", "timezone"),
    ] {
        let ran = Sandbox::new().config(config).run(&["cron"], b"");
        assert!(ran.code == 1 && ran.stderr.contains(says), "{ran:?}");
    }
}

#[test]
fn a_policy_that_does_not_exist_is_named_by_check_and_by_the_tick() {
    let sandbox = sandbox().config("[index]\nact = false\npolicy = \"nope\"\n");
    append(&sandbox.path("mail.log"), &bounced(1));
    let ran = sandbox.run(&["cron", "--json"], b"");
    let ticked: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(ticked["notes"].to_string().contains("there is no policy nope"), "{ran:?}");
    assert_eq!(deliveries(&sandbox, &["--failed"])[0]["reason"], Value::Null);
    let check = sandbox.run(&["check"], b"");
    assert!(check.code == 1 && check.stdout.contains("nope"), "{check:?}");
}

/// A sandbox with one log of this kind at `mail.log`.
pub(crate) fn with_log(kind: &str, keys: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let path = sandbox.path("mail.log");
    let log =
        format!("[[logs]]\nkind = \"{kind}\"\npath = \"{}\"\ntimezone = \"UTC\"\n{keys}", path.display());
    (sandbox.config(&log), path)
}

/// `carom cron` ends with 1, `carom check` finds the log wrong before and after, and both name the file and the fix.
#[track_caller]
pub(crate) fn is_unreadable(sandbox: &Sandbox, says: &[&str]) -> String {
    let before = sandbox.run(&["check"], b"");
    assert!(before.code == 1, "{before:?}");
    let ran = sandbox.run(&["cron", "--json"], b"");
    assert!(ran.code == 1 && ran.stderr.starts_with("carom: logs: "), "{ran:?}");
    let ticked: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(ticked["unreadable"].as_array().map(Vec::len), Some(1), "{ran:?}");
    for word in says.iter().chain(&["mail.log"]) {
        assert!(ran.stderr.contains(word), "cron says {word}: {ran:?}");
        assert!(before.stdout.contains(word), "check says {word}: {before:?}");
    }
    assert!(!ran.stderr.trim_end().contains(|c: char| c.is_control()), "{ran:?}");
    ran.stderr
}

#[test]
fn a_log_of_which_no_line_is_understood_is_named_with_its_first_line_and_the_fix() {
    let many = "x".repeat(5000);
    for (kind, text, says) in [
        ("postfix", "postfix/smtp[1]: 4A1B2C3D4E: removed\n", &["4A1B2C3D4E: removed", "no time stamp"][..]),
        ("postfix", "smtp-1  | postfix/smtp[1]: 4A1B2C3D4E: removed\n", &["no time stamp", "maillog_file"]),
        ("postfix", "type,timeLogged,rcpt\nd,1772359204,a@dest.example\n", &["set kind = \"powermta\""]),
        ("postfix", "2026-03-01 10:00:04 1abcde-00 <= a@shop.example H=c\n", &["<= a@shop.example"]),
        ("postfix", "Mar  1 10:00:04 mx sendmail[7]: 1x: to=a@dest.example, stat=Sent\n", &["Sendmail"]),
        ("postfix", "Xyz  1 10:00:04 mx postfix/smtp[7]: 4A1B2C3D4E: removed\n", &["Xyz  1 10", "RFC 3339"]),
        ("postfix", "{\"level\":\"info\"}\n", &["JSON", "message and time"]),
        ("postfix", "bad \u{1b}[31m red\nworse\n", &["bad  [31m red"]),
        ("postfix", &format!("{many}\n"), &["…", "RFC 3339"]),
        ("powermta", &sent(1), &["set kind = \"postfix\""]),
        ("powermta", "rcpt,when\na@dest.example,1\n", &["acct-file"]),
    ] {
        let (sandbox, path) = with_log(kind, "");
        append(&path, text);
        let said = is_unreadable(&sandbox, says);
        assert!(said.len() < 1000, "{said}");
        assert_eq!(deliveries(&sandbox, &[]).len(), 0);
        // It stays so while nothing is new.
        assert_eq!(sandbox.run(&["cron"], b"").code, 1);
    }
}

#[test]
fn a_log_that_is_no_text_file_is_named_for_what_it_is() {
    let (sandbox, path) = with_log("postfix", "");
    is_unreadable(&sandbox, &["no such file", "path of [[logs]]"]);
    fs::create_dir(&path).unwrap();
    is_unreadable(&sandbox, &["it is a directory"]);
    fs::remove_dir(&path).unwrap();
    let _socket = UnixListener::bind(&path).unwrap();
    is_unreadable(&sandbox, &["it is a socket"]);
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    is_unreadable(&sandbox, &["it is a named pipe"]);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"\x1f\x8b\x08\0short").unwrap();
    is_unreadable(&sandbox, &["gzip", ".gz"]);
    fs::write(&path, b"\0\x01binary\n\0\x02\n").unwrap();
    is_unreadable(&sandbox, &["it is not text"]);
    // The file is right at last.
    fs::write(&path, sent(1)).unwrap();
    assert_eq!(sandbox.run(&["cron"], b"").code, 0);
    each_once(&sandbox, 1);
}

#[test]
fn a_compression_that_is_not_supported_is_named() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("mail.log.bz2");
    let sandbox = sandbox.config(&format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\n", path.display()));
    fs::write(&path, b"BZh91AY").unwrap();
    is_unreadable(&sandbox, &["not supported", "gzip, zstd or xz"]);
}

#[test]
fn a_log_that_is_new_rotated_or_quiet_for_a_night_is_no_fault() {
    let sandbox = sandbox();
    let log = sandbox.path("mail.log");
    append(&log, "");
    tick(&sandbox);
    assert!(sandbox.run(&["check"], b"").stdout.contains("nothing to read yet"));
    append(&log, &sent(1));
    tick(&sandbox);
    fs::rename(&log, sandbox.path("mail.log.1")).unwrap();
    tick(&sandbox);
    append(&log, "");
    tick(&sandbox);
    sandbox.advance(60 * HOUR_MS);
    tick(&sandbox);
    // Odd lines among good ones, and a stack trace, are none either.
    append(&log, &(sent(2) + "Traceback (most recent call last):\n  File \"x\"\n"));
    tick(&sandbox);
    append(&log, "Traceback (most recent call last):\n");
    tick(&sandbox);
    each_once(&sandbox, 2);
}

#[test]
fn a_log_that_nothing_is_written_to_is_a_fault_after_a_while() {
    let (sandbox, log) = with_log("postfix", "silent_after = \"12h\"\n");
    append(&log, &sent(1));
    tick(&sandbox);
    sandbox.advance(11 * HOUR_MS);
    tick(&sandbox);
    sandbox.advance(2 * HOUR_MS);
    let said = is_unreadable(&sandbox, &["nothing new since", "silent_after"]);
    assert!(said.contains("12h"), "{said}");
    append(&log, &sent(2));
    tick(&sandbox);
    // An empty log, by default after three days; 0s switches it off.
    for (keys, code) in [("", 1), ("silent_after = \"0s\"\n", 0)] {
        let (sandbox, log) = with_log("postfix", keys);
        append(&log, "");
        tick(&sandbox);
        sandbox.advance(4 * DAY_MS);
        assert_eq!(sandbox.run(&["cron"], b"").code, code, "{keys}");
    }
}

#[test]
fn a_log_whose_form_changes_is_a_fault_until_a_line_is_understood() {
    let sandbox = sandbox();
    let log = sandbox.path("mail.log");
    append(&log, &sent(1));
    tick(&sandbox);
    let strange = |n: u32| sent(n).lines().map(|line| format!("[{line}\n")).collect::<String>();
    append(&log, &(strange(2) + &strange(3) + &strange(4)));
    let ran = sandbox.run(&["cron"], b"");
    assert!(ran.code == 1 && ran.stderr.contains("the first is: [2026-03-01T10"), "{ran:?}");
    append(&log, &sent(2));
    tick(&sandbox);
    each_once(&sandbox, 2);
}

#[test]
fn a_log_that_cannot_be_read_is_in_the_report_the_metrics_and_an_alert() {
    let (sandbox, log) = with_log("postfix", "");
    let sandbox = sandbox
        .config("[[alert]]\nname = \"log\"\nwhen = \"log-unreadable\"\nmail = [\"ops@sender.example\"]\n");
    let prometheus = || sandbox.run(&["export", "prometheus"], b"");
    append(&log, "no log at all\n");
    let ran = sandbox.run(&["cron", "--json"], b"");
    let ticked: Value = serde_json::from_str(&ran.stdout).unwrap();
    let name = format!("postfix:{}", log.display());
    assert_eq!(
        (&ticked["alerts"][0]["alert"], &ticked["alerts"][0]["state"]),
        (&"log".into(), &"firing".into())
    );
    assert_eq!(ticked["alerts"][0]["subject"], name.as_str());
    let report: Value = serde_json::from_str(&sandbox.run(&["report", "--json"], b"").stdout).unwrap();
    assert_eq!(report["unreadable"][0]["log"], name.as_str());
    assert!(report["unreadable"][0]["why"].as_str().unwrap().contains("no log at all"));
    assert!(sandbox.run(&["report"], b"").stdout.contains("log that cannot be read since"));
    let text = prometheus().stdout;
    assert!(text.contains(&format!("carom_log_unreadable{{log=\"{name}\"}} 1")), "{text}");
    append(&log, &sent(1));
    assert_eq!(tick(&sandbox)["alerts"][0]["state"], "resolved");
    assert!(prometheus().stdout.contains(&format!("carom_log_unreadable{{log=\"{name}\"}} 0")));
}

#[test]
fn a_log_that_the_user_may_not_open_is_named_with_the_fix() {
    let (sandbox, log) = with_log("postfix", "");
    append(&log, &sent(1));
    // Root may open everything, so somebody else runs carom.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mode = |path: &PathBuf, mode: u32| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&sandbox.dir, 0o777);
    // A group helps only where it may read.
    let ways = [
        (0o000, "which its group may not either"),
        (0o040, if is_root { "adduser nobody mail" } else { "" }),
    ];
    if is_root {
        chown(&log, None, Some(8)).unwrap();
    }
    for (command, (bits, way)) in ["cron", "check"].into_iter().flat_map(|one| ways.map(|way| (one, way))) {
        mode(&log, bits);
        let mut command = sandbox.command(&[command]);
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        let ran = finish(start(command, b""), Duration::from_secs(60));
        let said = ran.stdout.clone() + &ran.stderr;
        assert!(ran.code == 1 && said.contains("Permission denied"), "{ran:?}");
        // The fix names the user who cannot read it, and the file.
        assert!(said.contains(way) && said.contains("setfacl -m u:"), "{ran:?}");
        assert!(said.contains(&format!(":r {}", log.display())), "{ran:?}");
    }
}

#[test]
fn a_journal_that_cannot_be_asked_is_named_with_the_fix() {
    let sandbox = Sandbox::new().config("[[logs]]\nkind = \"journald\"\n");
    let bin = sandbox.path("bin");
    fs::create_dir(&bin).unwrap();
    let run = |name: &str| {
        let mut command = sandbox.command(&[name]);
        command.env("PATH", &bin);
        finish(start(command, b""), Duration::from_secs(60))
    };
    for (script, says) in [
        (None, "install systemd"),
        (
            Some(
                "#!/bin/sh\necho No journal files were opened due to insufficient permissions. >&2\nexit 1\n",
            ),
            "group systemd-journal",
        ),
    ] {
        if let Some(script) = script {
            fs::write(bin.join("journalctl"), script).unwrap();
            fs::set_permissions(bin.join("journalctl"), Permissions::from_mode(0o755)).unwrap();
        }
        let (ticked, checked) = (run("cron"), run("check"));
        assert!(ticked.code == 1 && ticked.stderr.contains(says), "{ticked:?}");
        assert!(checked.code == 1 && checked.stdout.contains(says), "{checked:?}");
        assert!(ticked.stderr.contains("journalctl: "), "{ticked:?}");
    }
}
