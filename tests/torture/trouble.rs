//! What a machine does to a process that runs on: a full disk, a store that is locked, a compiled policy with a flipped bit.

use super::each_call::ids;
use super::random_kills::judge;
use super::tally::Tally;
use crate::harness::memory::MOST_MIB;
use crate::harness::peers::{ACCEPT, SmtpPeer};
use crate::harness::{Ran, SENDER, Sandbox, finish, names, plain, start};
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const BOUNCED: &str = "x@oob.sink.example";

fn deliver(sandbox: &Sandbox, id: &str, to: &str, message: &[u8]) -> Ran {
    let arguments = ["pipe", "--sender", SENDER, "--recipient", to, "--client-address", "192.0.2.1"];
    let arguments = [&arguments[..], &["--queue-id", id]].concat();
    finish(start(sandbox.command(&arguments), message), Duration::from_secs(90))
}

/// A tmpfs of two megabytes fills up, has room again, and what was deferred comes again.
pub(super) fn full_disk(name: &str, _: Duration) -> Tally {
    let mut tally = Tally::new(name);
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    deliver(&sandbox, "warm", BOUNCED, &plain(BOUNCED));
    let small = sandbox.path("small");
    fs::create_dir_all(&small).unwrap();
    let mounted = mount(&["-t", "tmpfs", "-o", "size=2m,mode=755", "tmpfs"], &small);
    if !mounted {
        tally.notes.push("skipped: nothing can be mounted here (run as root)".into());
        return tally;
    }
    // The compiled policy stays on the large disk.
    let sandbox = sandbox.config(&format!(
        "[store]\npath = \"{0}/carom.db\"\n[log]\ndirectory = \"{0}/log\"\n",
        small.display()
    ));
    let mut messages = Vec::new();
    for number in 0..150 {
        let to = ["x@accept.sink.example", BOUNCED][number % 2];
        messages.push((format!("F{number}"), to, plain(to)));
    }
    let mut deferred = 0;
    for (id, to, message) in &messages {
        let ran = deliver(&sandbox, id, to, message);
        deferred += usize::from(ran.code == 75);
        tally.tries += 1;
        if ran.code != 0 && ran.code != 75 {
            tally.lost += 1;
            tally.notes.push(format!("{id}: {ran:?}"));
        }
        if number_of(id) == 60 {
            fill(&small);
        }
    }
    let _ = fs::remove_file(small.join("filler"));
    mount(&["-o", "remount,size=60m"], &small);
    for (id, to, message) in &messages {
        let ran = deliver(&sandbox, id, to, message);
        if ran.code != 0 {
            tally.lost += 1;
            tally.notes.push(format!("{id} with room: {ran:?}"));
        }
    }
    finish(start(sandbox.command(&["cron"]), b""), Duration::from_secs(90));
    judge(&mut tally, &ids(&peer), messages.len() / 2 + 1);
    let counted = sandbox.counter("total_messages") as usize;
    tally.lost += messages.len().saturating_sub(counted);
    tally.doubled += counted.saturating_sub(messages.len());
    tally.notes.push(format!("{deferred} deferred while it was full"));
    let _ = Command::new("umount").arg(&small).status();
    tally
}

fn number_of(id: &str) -> usize {
    id[1..].parse().unwrap_or(0)
}

fn fill(small: &std::path::Path) {
    let _ = fs::write(small.join("filler"), vec![b'x'; 4 << 20]);
}

fn mount(arguments: &[&str], on: &std::path::Path) -> bool {
    Command::new("mount").args(arguments).arg(on).output().is_ok_and(|ran| ran.status.success())
}

/// The store is locked while messages with a bounce come: for a moment, and for longer than anyone waits.
pub(super) fn locks(name: &str, _: Duration) -> Tally {
    let mut tally = Tally::new(name);
    let peer = SmtpPeer::start(ACCEPT);
    let sandbox = Sandbox::new().smtp_port(peer.port);
    deliver(&sandbox, "warm", BOUNCED, &plain(BOUNCED));
    let mut messages = 1;
    for (round, seconds) in [(0, 1), (1, 14)] {
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    let (id, message) = (format!("L{round}{worker}"), plain(BOUNCED));
                    std::thread::sleep(Duration::from_millis(fastrand::u64(0..30)));
                    // The mail server delivers again what was deferred.
                    while deliver(sandbox, &id, BOUNCED, &message).code != 0 {}
                });
            }
            std::thread::sleep(Duration::from_millis(15));
            let store = rusqlite::Connection::open(sandbox.path("state/carom.db")).unwrap();
            store.busy_timeout(Duration::from_secs(20)).unwrap();
            store.execute_batch("BEGIN IMMEDIATE").unwrap();
            std::thread::sleep(Duration::from_secs(seconds));
            store.execute_batch("ROLLBACK").unwrap();
        });
        messages += 4;
    }
    tally.tries = messages;
    finish(start(sandbox.command(&["cron"]), b""), Duration::from_secs(90));
    judge(&mut tally, &ids(&peer), messages);
    tally
}

/// The log has a message to 300,000 recipients, each with another domain: a tick stays within the memory that a command may take.
pub(super) fn very_many_recipients(name: &str, _: Duration) -> Tally {
    let mut tally = Tally::new(name);
    let peaks = crate::huge_input::deferred_for(300_000, crate::huge_input::long_domain);
    tally.tries = peaks.len();
    tally.over_budget = peaks.iter().filter(|mib| **mib > MOST_MIB).count();
    tally.notes.push(format!("memory of two ticks: {peaks:?} MiB"));
    tally
}

/// One bit of the compiled policy is flipped before each message: the answer stays what it was.
pub(super) fn flips(name: &str, budget: Duration) -> Tally {
    let mut tally = Tally::new(name);
    let sandbox = Sandbox::new();
    let to = "x@reject.sink.example";
    let message = plain(to);
    let right = deliver(&sandbox, "warm", to, &message);
    let (file, began) = (compiled(&sandbox).expect("a compiled policy"), Instant::now());
    let whole = fs::read(&file).unwrap();
    while began.elapsed() < budget {
        let mut bytes = whole.clone();
        let (at, bit) = (fastrand::usize(..bytes.len()), fastrand::u8(..8));
        bytes[at] ^= 1 << bit;
        let other = file.with_extension("flipped");
        fs::write(&other, &bytes).unwrap();
        fs::rename(&other, &file).unwrap();
        let ran = deliver(&sandbox, &format!("B{}", tally.tries), to, &message);
        tally.tries += 1;
        if (ran.code, &ran.stdout) != (right.code, &right.stdout) {
            tally.lost += 1;
            tally.notes.push(format!("bit {bit} of byte {at}: {} {}", ran.code, ran.stdout.trim_end()));
        }
    }
    tally
}

/// The largest file of compiled code.
fn compiled(sandbox: &Sandbox) -> Option<PathBuf> {
    let directory = sandbox.path("state/compiled");
    let files = names(&directory).into_iter().map(|name| directory.join(name));
    files.filter(|file| file.is_file()).max_by_key(|file| fs::metadata(file).map_or(0, |file| file.len()))
}
