//! Input that is larger than anybody writes: read in part or refused with a clear sentence, and never more than 256 MiB of
//! memory. Huge lines are holes in sparse files.

use crate::harness::memory::{MOST_MIB, peak};
use crate::harness::{Ran, SENDER, Sandbox};
use crate::logs;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MB: u64 = 1_000_000;

/// A file with a hole of this many bytes, which are read as zeros, between two texts.
fn with_hole(path: PathBuf, before: &str, hole: u64, after: &str) -> PathBuf {
    let mut file = File::create(&path).unwrap();
    file.write_all(before.as_bytes()).unwrap();
    file.seek(SeekFrom::Current(hole as i64)).unwrap();
    file.write_all(after.as_bytes()).unwrap();
    path
}

/// Runs carom within the memory that it may take.
#[track_caller]
fn bounded(sandbox: &Sandbox, arguments: &[&str], stdin: &Path) -> Ran {
    let (ran, mib) = peak(sandbox.command(arguments), stdin);
    assert!(mib < MOST_MIB, "{mib} MiB: {ran:?}");
    ran
}

const LINE: &str = "2026-03-01T10:00:04+00:00 mx postfix/smtp[7]: 4Xn0y8000001zZ1f: to=<user1@dest.example>, \
    relay=mx.dest.example[192.0.2.9]:25, delay=1.5, delays=0.1/0/0.4/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)\n";

#[test]
fn a_line_of_100_mb_in_a_mail_log_is_skipped() {
    let begins = "2026-03-01T10:00:01+00:00 mx postfix/smtp[7]: 4Xn0y8000002zZ1f: to=<user2@";
    let journal = "{\"__REALTIME_TIMESTAMP\":\"1772359204000000\",\"SYSLOG_IDENTIFIER\":\"postfix/smtp\",\"MESSAGE\":\"";
    for begins in [begins, journal] {
        let sandbox = logs::sandbox();
        with_hole(sandbox.path("mail.log"), &format!("{LINE}{begins}"), 100 * MB, &format!("\"}}\n{LINE}"));
        let ran = bounded(&sandbox, &["cron", "--json"], Path::new("/dev/null"));
        assert_eq!(ran.code, 0, "{ran:?}");
        let found = logs::deliveries(&sandbox, &[]);
        assert!(found.len() == 1 && found[0]["attempts"] == 2, "the lines around it are read: {found:?}");
    }
}

#[test]
fn a_quote_that_never_ends_in_an_accounting_file_takes_no_memory() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("acct.csv");
    let sandbox = sandbox.config(&format!("[[logs]]\nkind = \"powermta\"\npath = \"{}\"", path.display()));
    let good =
        "b,2026-03-01 10:00:00+0000,a@x.example,b@y.example,failed,5.1.1 (bad),550 no,mx,bad-mailbox\n";
    let header = "type,timeLogged,orig,rcpt,dsnAction,dsnStatus,dsnDiag,dsnMta,bounceCat\n";
    with_hole(path, &format!("{header}{good}b,2026-03-01 10:00:00+0000,\""), 100 * MB, "\n");
    let ran = bounded(&sandbox, &["cron", "--json"], Path::new("/dev/null"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(logs::deliveries(&sandbox, &[]).len(), 1);
}

#[test]
fn a_reply_of_100_mb_is_classified_by_its_beginning() {
    let sandbox = Sandbox::new();
    let file =
        with_hole(sandbox.path("replies"), "550 5.1.1 user unknown ", 100 * MB, "\n452 4.2.2 mailbox full\n");
    let ran = bounded(&sandbox, &["classify", "--text"], &file);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let reasons: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(reasons, ["user-unknown", "mailbox-full"]);
}

#[test]
fn a_config_of_100_mb_is_refused() {
    let sandbox = Sandbox::new();
    let config = with_hole(sandbox.path("huge.toml"), "policy = \"", 100 * MB, "\"\n");
    let arguments = ["--config", config.to_str().unwrap(), "stats"];
    let mut command = std::process::Command::new(crate::harness::CAROM);
    command.args(arguments);
    let (ran, mib) = peak(command, Path::new("/dev/null"));
    assert!(ran.code == 1 && ran.stderr.contains("longer than 4 MiB") && mib < MOST_MIB, "{mib}: {ran:?}");
}

#[test]
fn messages_of_bad_proportions_take_bounded_memory() {
    let sandbox = Sandbox::new();
    let header = "From: a@sender.example\r\nSubject: x\r\n";
    let one_line = with_hole(sandbox.path("one-line"), &format!("{header}\r\n"), 60 * MB, "\r\n");
    let received =
        "Received: from a.example (a.example [192.0.2.1]) by b.example; Sat, 21 Nov 2026 10:00:00 +0000\r\n";
    let traced = sandbox.path("received");
    let mut file = BufWriter::new(File::create(&traced).unwrap());
    (0..10 * MB / received.len() as u64).for_each(|_| file.write_all(received.as_bytes()).unwrap());
    write!(file, "{header}\r\nx\r\n").unwrap();
    drop(file);
    let fields = sandbox.path("fields");
    let mut file = BufWriter::new(File::create(&fields).unwrap());
    (0..100_000).for_each(|n| write!(file, "X-{n}: y\r\n").unwrap());
    write!(file, "{header}\r\nx\r\n").unwrap();
    drop(file);
    for message in [one_line, traced, fields] {
        let arguments = ["pipe", "--sender", SENDER, "--recipient", "x@accept.sink.example"];
        let ran = bounded(&sandbox, &[&arguments[..], &["--client-address", "192.0.2.1"]].concat(), &message);
        assert!(matches!(ran.code, 0 | 65 | 69 | 75 | 77) && ran.stderr.is_empty(), "{message:?}: {ran:?}");
    }
}

/// All recipients of a message have one domain.
fn one_domain(_: u32) -> String {
    "dest.example".to_owned()
}

/// Each has another one, of 110 characters, with a server in it.
pub(crate) fn long_domain(n: u32) -> String {
    format!("{n:0>50}.{n:x>51}.example")
}

/// A message to this many recipients, who are all deferred, each with another reply, and then two of them delivered by another
/// tick. Returns the memory of both ticks in MiB.
#[track_caller]
pub(crate) fn deferred_for(recipients: u32, domain: fn(u32) -> String) -> [i64; 2] {
    let sandbox = logs::sandbox();
    let mut log = BufWriter::new(File::create(sandbox.path("mail.log")).unwrap());
    for n in 0..recipients {
        let domain = domain(n);
        writeln!(
            log,
            "2026-03-01T10:00:04+00:00 mx postfix/smtp[7]: 4Xn0y8000001zZ1f: to=<user{n}@{domain}>, \
             relay=mx.{domain}[192.0.2.9]:25, delay=1.5, delays=0.1/0/0.4/1, dsn=4.2.2, \
             status=deferred (host mx.{domain}[192.0.2.9] said: 452 4.2.2 user{n} is over quota, request {n}x{n} at \
             gw{n}.dest.example (in reply to RCPT TO command))"
        )
        .unwrap();
    }
    drop(log);
    let tick = || {
        let (ran, mib) = peak(sandbox.command(&["cron", "--json"]), Path::new("/dev/null"));
        assert!(ran.code == 0 && ran.stderr.is_empty(), "{ran:?}");
        (serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap(), mib)
    };
    let (_, first) = tick();
    // The next tick knows all of them.
    for n in [1, recipients - 1] {
        logs::append(
            &sandbox.path("mail.log"),
            &LINE.replace("user1@dest.example", &format!("user{n}@{}", domain(n))),
        );
    }
    let (ticked, second) = tick();
    let day = ["--since", "2026-03-01T00:00:00Z", "--until", "2026-03-02T00:00:00Z"];
    let figures = sandbox.run(&[&["report", "--json"], &day[..]].concat(), b"").stdout;
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(
        (&figures["deferrals"], &figures["reasons"][0]["count"]),
        (&recipients.into(), &(recipients - 2).into())
    );
    assert_eq!(ticked["deliveries"], 2, "{ticked}");
    let sent = logs::deliveries(&sandbox, &["--status", "sent"]);
    assert!(sent.len() == 2 && sent.iter().all(|one| one["attempts"] == 2), "{sent:?}");
    [first, second]
}

/// Before, recipients had spare memory each, and went to the index and back as one text, so that 300,000 took 500 MiB and more.
/// `make torture` has those.
#[test]
fn a_logged_message_to_very_many_takes_little_memory_for_each() {
    let (few, many) = (deferred_for(5_000, one_domain), deferred_for(45_000, one_domain));
    let each = |tick: usize| (many[tick] - few[tick]) * (1 << 20) / 40_000;
    assert!(
        each(0) < 1500 && each(1) < 1100,
        "bytes for each: {} and {}; {few:?} {many:?}",
        each(0),
        each(1)
    );
}
