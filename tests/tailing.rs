//! Logs that do not hold still: they grow and rotate while ticks read them, are killed, and run at the same time; and the journal as
//! journalctl has it. Whatever happens, the sum is exact.

use crate::harness::{Ran, Sandbox, finish, start};
use crate::logs::{append, bounced, deliveries, each_once, sandbox, sent, tick};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How a log is rotated.
#[derive(Clone, Copy)]
enum Rotation {
    Rename,
    CopyAndTruncate,
}

/// The rotated files move on by one, and what is being written becomes the first of them.
fn rotate(log: &Path, how: Rotation) {
    let name = |n: u32| PathBuf::from(format!("{}.{n}", log.display()));
    for n in (1..60).rev().filter(|n| name(*n).exists()) {
        fs::rename(name(n), name(n + 1)).unwrap();
    }
    match how {
        Rotation::Rename => fs::rename(log, name(1)).unwrap(),
        Rotation::CopyAndTruncate => {
            // As logrotate does it: the copy has its name when it is whole.
            let whole = log.with_extension("copy");
            fs::copy(log, &whole).unwrap();
            fs::rename(&whole, name(1)).unwrap();
            File::options().write(true).open(log).unwrap().set_len(0).unwrap();
        }
    }
}

/// Writes messages in pieces that respect no line, and rotates now and then, until it is told to stop. Returns how many.
fn write(log: &PathBuf, how: Rotation, stop: &AtomicBool, written: &AtomicU32) -> u32 {
    let mut random = fastrand::Rng::with_seed(7);
    let (mut n, mut rotated) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let many = random.u32(1..60);
        let text: String =
            (n + 1..=n + many).map(|n| if n % 3 == 0 { bounced(n) } else { sent(n) }).collect();
        let cut = random.usize(0..text.len());
        append(log, &text[..cut]);
        append(log, &text[cut..]);
        n += many;
        written.store(n, Ordering::Relaxed);
        if random.u32(0..40) == 0 && rotated < 50 {
            rotate(log, how);
            rotated += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(rotated > 0, "the log was never rotated");
    n
}

/// Stops the writer, also when a tick fails.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `ticks` while a log grows and rotates, and one tick when it is quiet; then each message is there once.
fn while_it_grows(how: Rotation, ticks: impl Fn(&Sandbox, &AtomicU32)) {
    let sandbox = sandbox();
    let log = sandbox.path("mail.log");
    append(&log, "");
    let (stop, written) = (AtomicBool::new(false), AtomicU32::new(0));
    let many = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write(&log, how, &stop, &written));
        let ended = Ended(&stop);
        ticks(&sandbox, &written);
        drop(ended);
        writer.join().unwrap()
    });
    // A file that was renamed while it was read is gone on with by the tick after that.
    tick(&sandbox);
    tick(&sandbox);
    each_once(&sandbox, many);
}

fn wait_until(written: &AtomicU32, many: u32) {
    let begun = Instant::now();
    while written.load(Ordering::Relaxed) < many {
        assert!(begun.elapsed() < Duration::from_secs(60), "the writer is stuck");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn ticks_that_are_killed_while_the_log_rotates_count_each_line_once() {
    while_it_grows(Rotation::Rename, |sandbox, written| {
        let mut random = fastrand::Rng::with_seed(11);
        let mut killed = 0;
        for round in 1..=10 {
            wait_until(written, round * 400);
            let mut child = start(sandbox.command(&["cron"]), b"");
            std::thread::sleep(Duration::from_millis(random.u64(5..200)));
            killed += u32::from(child.try_wait().unwrap().is_none());
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert!(killed > 0, "every tick was over before it could be killed");
    });
}

#[test]
fn ticks_at_the_same_time_share_a_log_that_rotates() {
    while_it_grows(Rotation::Rename, |sandbox, written| {
        for round in 1..=4 {
            wait_until(written, round * 800);
            let ticks: Vec<_> = (0..3).map(|_| start(sandbox.command(&["cron"]), b"")).collect();
            let ran: Vec<Ran> = ticks.into_iter().map(|tick| finish(tick, Duration::from_secs(60))).collect();
            assert!(ran.iter().all(|ran| ran.code == 0), "{ran:?}");
        }
    });
}

#[test]
fn a_log_that_is_copied_and_truncated_while_it_is_read_loses_nothing() {
    while_it_grows(Rotation::CopyAndTruncate, |sandbox, written| {
        for round in 1..=8 {
            wait_until(written, round * 400);
            let ran = sandbox.run(&["cron"], b"");
            assert_eq!(ran.code, 0, "{ran:?}");
        }
    });
}

/// The program that makes a journal of a text, and what it needs to run; none is said aloud.
fn journal_remote() -> Option<PathBuf> {
    let there = |name: &str| Command::new(name).arg("--version").stdout(Stdio::null()).status().is_ok();
    let named = std::env::var_os("CAROM_TEST_JOURNAL_REMOTE").map(PathBuf::from);
    let known = ["/lib/systemd/systemd-journal-remote", "/usr/lib/systemd/systemd-journal-remote"];
    let remote = named.into_iter().chain(known.map(PathBuf::from)).find(|path| path.exists());
    if !there("journalctl") || remote.is_none() {
        eprintln!("skipped: a real journal needs journalctl and systemd-journal-remote");
        return None;
    }
    remote
}

/// The lines as entries of a journal, each a second after the one before, and entries of another program between them.
fn entries(lines: &str, first: u64) -> String {
    let entry = |(n, line): (u64, &str)| {
        let (_, rest) = line.split_once(" mx ").unwrap();
        let (tag, text) = rest.split_once(": ").unwrap();
        let (tag, pid) = tag.trim_end_matches(']').split_once('[').unwrap();
        let at = first + n;
        let ids = "_BOOT_ID=11111111111111111111111111111111\n_MACHINE_ID=22222222222222222222222222222222\n_HOSTNAME=mx";
        let time = format!(
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n{ids}",
            1_772_359_200_000_000 + at * 1_000_000,
            at * 1_000_000
        );
        format!(
            "{time}\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER={tag}\nSYSLOG_PID={pid}\nMESSAGE={text}\n\n\
             {time}\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=sshd\nMESSAGE=nothing to do with it\n\n"
        )
    };
    (0..).zip(lines.lines()).map(entry).collect()
}

/// Adds entries to a journal file.
fn add(remote: &Path, journal: &Path, entries: &str) {
    let mut child = Command::new(remote)
        .arg("-o")
        .arg(journal)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(entries.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_real_journal_is_read_behind_its_cursor() {
    let Some(remote) = journal_remote() else { return };
    let sandbox = Sandbox::new();
    let directory = sandbox.path("journal");
    fs::create_dir_all(&directory).unwrap();
    let sandbox =
        sandbox.config(&format!("[[logs]]\nkind = \"journald\"\npath = \"{}\"\n", directory.display()));
    add(&remote, &directory.join("a.journal"), &entries(&(sent(1) + &bounced(2)), 0));
    assert_eq!(tick(&sandbox)["parsed"], 10);
    assert_eq!(tick(&sandbox)["parsed"], 0);
    // The same file grows, and then there is another one.
    let third = sent(3);
    let (half, rest) = third.split_at(third.find("\n").unwrap() + 1);
    add(&remote, &directory.join("a.journal"), &entries(half, 100));
    assert_eq!(tick(&sandbox)["parsed"], 1);
    add(&remote, &directory.join("b.journal"), &entries(&(rest.to_owned() + &bounced(4)), 200));
    assert_eq!(tick(&sandbox)["parsed"], 9);
    each_once(&sandbox, 4);
    let third = deliveries(&sandbox, &["--recipient", "user3@dest.example"]);
    assert_eq!((&third[0]["client_id"], &third[0]["host"]), (&"shop1".into(), &"mx".into()));
}

#[test]
fn a_huge_log_starves_no_other_log_and_is_read_to_its_end_by_later_ticks() {
    let sandbox = Sandbox::new();
    let (huge, small) = (sandbox.path("huge.log"), sandbox.path("small.log"));
    let log = |path: &Path| {
        format!("[[logs]]\nkind = \"postfix\"\npath = \"{}\"\ntimezone = \"UTC\"\n", path.display())
    };
    let sandbox = sandbox.config(&format!("{}{}[index]\nseconds_each = 0\n", log(&huge), log(&small)));
    append(&huge, &sent(1));
    append(&small, &sent(2));
    // The first reading goes on to the end of all logs.
    tick(&sandbox);
    assert_eq!(deliveries(&sandbox, &[]).len(), 2);
    let many: String = (10..20_000).map(sent).collect();
    append(&huge, &many);
    append(&small, &sent(3));
    assert_eq!(tick(&sandbox)["unfinished"], true);
    assert_eq!(
        deliveries(&sandbox, &["--recipient", "user3@dest.example"]).len(),
        1,
        "the small log was read"
    );
    let mut ticks = 0;
    while tick(&sandbox)["unfinished"] == true {
        ticks += 1;
        assert!(ticks < 100, "it comes to its end");
    }
    assert_eq!(deliveries(&sandbox, &["--limit", "30000"]).len(), 19_993);
}
