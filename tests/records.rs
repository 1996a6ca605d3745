//! A message without side effects is one line of the message log, which is its record: whatever kills the process, cuts the
//! line off or fills the disk, it counts once.

use crate::harness::tracer::{self, Traced};
use crate::harness::{CAROM, DAY_MS, Ran, SENDER, Sandbox, finish, names, plain, queued, start};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const ACCEPTED: &str = "x@accept.sink.example";

fn deliver(sandbox: &Sandbox, queue_id: &str) -> Ran {
    sandbox.run(&queued(ACCEPTED, queue_id), MESSAGE)
}

const MESSAGE: &[u8] = b"From: <alice@sender.example>\r\nSubject: a test\r\n\r\nhello\r\n";

/// The file of the log that was written last.
fn newest(sandbox: &Sandbox, name: &str) -> PathBuf {
    let log = sandbox.path("state/log");
    let last = names(&log).into_iter().rfind(|file| file.starts_with(&format!("{name}-2")));
    log.join(last.unwrap())
}

fn total(sandbox: &Sandbox) -> u64 {
    sandbox.counter("total_messages")
}

#[test]
fn no_store_is_made_for_messages_without_side_effects() {
    let sandbox = Sandbox::new();
    deliver(&sandbox, "1").silent();
    sandbox.pipe("x@reject.sink.example", &plain("x@reject.sink.example")).says(67, "5.1.1 ");
    sandbox.pipe("x@defer.sink.example", &plain("x@defer.sink.example")).says(75, "4.3.0 ");
    let made = names(&sandbox.path("state"));
    assert!(made.iter().all(|name| !name.starts_with("carom.db")), "{made:?}");
    let log = sandbox.run(&["log"], b"").stdout;
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(log.contains("accept") && log.contains("reject") && log.contains("deferred"), "{log}");
    assert_eq!((total(&sandbox), sandbox.counter("deferred")), (2, 1));
    let minutes: serde_json::Value =
        serde_json::from_str(&sandbox.run(&["stats", "--minutes", "--json"], b"").stdout).unwrap();
    let messages: u64 = minutes.as_array().unwrap().iter().map(|one| one["messages"].as_u64().unwrap()).sum();
    assert_eq!(messages, 2, "{minutes}");
}

#[test]
fn killed_at_any_call_a_message_counts_once_when_it_is_delivered_again() {
    for fresh in [false, true] {
        let sandbox = Sandbox::new();
        let message = sandbox.path("message");
        fs::write(&message, MESSAGE).unwrap();
        deliver(&sandbox, "warm").silent();
        sandbox.verify_policy();
        let prepare = || {
            if fresh {
                total(&sandbox);
                fs::remove_dir_all(sandbox.path("state/log")).unwrap();
            }
        };
        prepare();
        let calls = match tracer::run(sandbox.command(&queued(ACCEPTED, "whole")), &message, usize::MAX) {
            Traced::Ended { code: 0, calls } => calls,
            Traced::Impossible => return eprintln!("skipped: nobody may trace here"),
            other => panic!("{other:?}"),
        };
        let (mut killed, mut delivered) = (0, 2);
        for at in calls.saturating_sub(if fresh { 45 } else { 25 })..calls {
            prepare();
            let id = format!("{at}");
            killed += usize::from(
                tracer::run(sandbox.command(&queued(ACCEPTED, &id)), &message, at) == Traced::Killed,
            );
            deliver(&sandbox, &id).silent();
            delivered += 1;
        }
        assert!(killed > 15, "{killed}");
        assert_eq!(total(&sandbox), delivered, "fresh: {fresh}");
    }
}

#[test]
fn killed_at_any_call_whoever_takes_records_into_the_store_counts_each_once() {
    let sandbox = Sandbox::new();
    let nothing = sandbox.path("nothing");
    fs::write(&nothing, b"").unwrap();
    deliver(&sandbox, "first").silent();
    assert_eq!(total(&sandbox), 1);
    deliver(&sandbox, "second").silent();
    let calls = match tracer::run(sandbox.command(&["stats"]), &nothing, usize::MAX) {
        Traced::Ended { code: 0, calls } => calls,
        Traced::Impossible => return eprintln!("skipped: nobody may trace here"),
        other => panic!("{other:?}"),
    };
    let (mut killed, mut delivered) = (0, 2);
    for at in (calls.saturating_sub(120)..calls).step_by(2) {
        deliver(&sandbox, &format!("{at}")).silent();
        delivered += 1;
        killed += usize::from(tracer::run(sandbox.command(&["stats"]), &nothing, at) == Traced::Killed);
    }
    assert!(killed > 20, "{killed}");
    assert_eq!(total(&sandbox), delivered);
}

#[test]
fn processes_killed_at_random_lose_no_message_and_count_none_twice() {
    let sandbox = Sandbox::new();
    deliver(&sandbox, "warm").silent();
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for number in 0..10 {
                    let id = format!("{worker}-{number}");
                    let mut child = start(sandbox.command(&queued(ACCEPTED, &id)), MESSAGE);
                    std::thread::sleep(Duration::from_micros(fastrand::u64(0..40_000)));
                    let _ = child.kill();
                    child.wait().unwrap();
                    deliver(sandbox, &id).silent();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10 {
                let mut child = start(sandbox.command(&["stats"]), b"");
                std::thread::sleep(Duration::from_micros(fastrand::u64(0..40_000)));
                let _ = child.kill();
                child.wait().unwrap();
            }
        });
    });
    assert_eq!(total(&sandbox), 31);
}

#[test]
fn a_line_that_was_cut_off_harms_no_other() {
    let sandbox = Sandbox::new();
    deliver(&sandbox, "1").silent();
    deliver(&sandbox, "2").silent();
    let file = newest(&sandbox, "messages");
    let written = fs::read(&file).unwrap();
    fs::write(&file, &written[..written.len() - 40]).unwrap();
    assert_eq!(total(&sandbox), 1);
    // The mail server heard nothing of the second: it delivers it again.
    deliver(&sandbox, "2").silent();
    deliver(&sandbox, "3").silent();
    assert_eq!(total(&sandbox), 3);
    let log = sandbox.run(&["log"], b"").stdout;
    assert_eq!(log.lines().count(), 4, "the part is shown too: {log}");
}

/// Runs carom where no file may grow beyond `kib` KiB.
fn limited(sandbox: &Sandbox, kib: u64, arguments: &[&str], input: &[u8]) -> Ran {
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let (words, config) = (words.join(" "), sandbox.path("carom.toml"));
    let script = format!("trap '' XFSZ; ulimit -f {kib}; exec {CAROM} --config {} {words}", config.display());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(start(command, input), Duration::from_secs(60))
}

/// What is on record of a batch is not given back, and what is given back is not on record.
#[test]
fn a_full_disk_divides_a_batch() {
    const FILES: u64 = 40;
    let sandbox = Sandbox::new();
    deliver(&sandbox, "1").silent();
    assert_eq!(total(&sandbox), 1);
    let inbox = sandbox.path("inbox");
    fs::create_dir_all(&inbox).unwrap();
    for number in 0..FILES {
        let file = format!("x-sender: {SENDER}\r\nx-receiver: {ACCEPTED}\r\n");
        let file = [file.as_bytes(), MESSAGE].concat();
        fs::write(inbox.join(format!("{number}.msg")), file).unwrap();
    }
    let directory = inbox.display().to_string();
    // Some lines fit into the log.
    let file = newest(&sandbox, "messages");
    let (mut log, full) = (File::options().append(true).open(&file).unwrap(), 4 << 20);
    let room = full - fs::metadata(&file).unwrap().len() as usize;
    log.write_all(&[&vec![b'x'; room - 3001][..], b"\n"].concat()).unwrap();
    limited(&sandbox, 4096, &["relay", &directory], b"");
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written.len(), full, "a part was written");
    let lines = written.lines().filter(|line| line.ends_with('}')).count() as u64;
    assert!((3..FILES).contains(&lines), "{lines} lines fit");
    for _ in 0..2 {
        sandbox.run(&["relay", &directory], b"");
    }
    assert_eq!(total(&sandbox), 1 + FILES);
}

#[test]
fn what_others_put_in_the_place_of_the_log_stops_nothing() {
    let sandbox = Sandbox::new();
    deliver(&sandbox, "1").silent();
    let file = newest(&sandbox, "messages");
    // More than any message counts for, and more than a counter can hold.
    let poison = "{\"time\":\"2026-11-28T10:00:00Z\",\"key\":\"zz\",\"verdict\":\"accept\",\"counted\":{\"accept\":9223372036854775807}}\n";
    let mut log = File::options().append(true).open(&file).unwrap();
    log.write_all(poison.as_bytes()).unwrap();
    deliver(&sandbox, "2").silent();
    assert_eq!(total(&sandbox), 2);
    fs::rename(&file, file.with_extension("away")).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    deliver(&sandbox, "3").silent();
    assert_eq!(total(&sandbox), 3);
    sandbox.run(&["log"], b"");
}

#[test]
fn a_full_disk_leaves_the_message_with_the_store_or_with_the_mail_server() {
    let sandbox = Sandbox::new();
    deliver(&sandbox, "1").silent();
    assert_eq!(total(&sandbox), 1);
    let limited = |kib: u64, id: &str| limited(&sandbox, kib, &queued(ACCEPTED, id), MESSAGE);
    // A part of the record fits into the log; the store has room.
    let file = newest(&sandbox, "messages");
    let (mut log, full) = (File::options().append(true).open(&file).unwrap(), 4 << 20);
    let room = full - fs::metadata(&file).unwrap().len() as usize;
    log.write_all(&[&vec![b'x'; room - 101][..], b"\n"].concat()).unwrap();
    limited(4096, "2").silent();
    assert_eq!(fs::metadata(&file).unwrap().len() as usize, full, "a part was written");
    assert_eq!(total(&sandbox), 2);
    limited(0, "3").says(75, "4.3.0 ");
    assert_eq!(total(&sandbox), 2);
    for id in ["2", "3", "4"] {
        deliver(&sandbox, id).silent();
    }
    assert_eq!(total(&sandbox), 4);
}

/// A limit that a service manager sets, and no shell that ignores the signal for it.
#[test]
fn a_file_size_limit_is_a_full_disk_and_not_the_end() {
    let sandbox = Sandbox::new();
    deliver(&sandbox, "1").silent();
    let (arguments, config) = (&queued(ACCEPTED, "2").join(" "), sandbox.path("carom.toml"));
    let script = format!("ulimit -f 0; exec {CAROM} --config {} {arguments}", config.display());
    let mut command = Command::new("bash");
    command.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(start(command, MESSAGE), Duration::from_secs(60)).says(75, "4.3.0 ");
    deliver(&sandbox, "2").silent();
    assert_eq!(total(&sandbox), 2);
}

#[test]
fn where_the_log_cannot_be_written_the_store_has_the_message() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("state")).unwrap();
    fs::write(sandbox.path("state/log"), "no directory").unwrap();
    deliver(&sandbox, "1").silent();
    deliver(&sandbox, "1").silent();
    fs::remove_file(sandbox.path("state/log")).unwrap();
    assert_eq!(total(&sandbox), 1);
    deliver(&sandbox, "1").silent();
    deliver(&sandbox, "2").silent();
    assert_eq!(total(&sandbox), 2);
}

#[test]
fn a_log_for_people_has_its_records_beside_it() {
    let sandbox = Sandbox::new().config("[log]\nformat = \"text\"");
    deliver(&sandbox, "1").silent();
    deliver(&sandbox, "1").silent();
    let shown = fs::read_to_string(newest(&sandbox, "messages")).unwrap();
    assert!(shown.lines().count() == 2 && !shown.contains('{') && shown.contains(ACCEPTED), "{shown}");
    let records = fs::read_to_string(newest(&sandbox, "records")).unwrap();
    assert!(records.lines().all(|line| line.starts_with('{') && line.contains("\"key\":")), "{records}");
    assert_eq!(total(&sandbox), 1);
    // Whoever wrote the second line did not look whether there was a first.
    let listed = sandbox.run(&["log"], b"").stdout;
    assert!(listed.starts_with(shown.lines().next().unwrap()), "{listed}");
    assert!(listed.lines().count() == 2 && listed.ends_with("redelivery\n"), "{listed}");
}

#[test]
fn a_log_that_is_moved_away_is_taken_from_its_new_name_and_an_old_one_goes_when_it_is_taken() {
    let sandbox = Sandbox::new();
    sandbox.set_clock(-15 * DAY_MS);
    deliver(&sandbox, "1").silent();
    let old = newest(&sandbox, "messages");
    sandbox.set_clock(0);
    deliver(&sandbox, "2").silent();
    let file = newest(&sandbox, "messages");
    fs::rename(&file, format!("{}.1", file.display())).unwrap();
    deliver(&sandbox, "3").silent();
    assert!(old.exists());
    sandbox.run(&["cron"], b"").silent();
    assert!(!old.exists(), "it is older than [log] keep_days");
    assert_eq!(total(&sandbox), 3);
    deliver(&sandbox, "4").silent();
    assert_eq!((total(&sandbox), total(&sandbox)), (4, 4));
}

/// Such a user has the counters of the last tick at least, and hears what is missing.
#[test]
fn who_may_not_write_the_store_is_answered_from_it() {
    let sandbox = Sandbox::new();
    deliver(&sandbox, "1").silent();
    assert_eq!(total(&sandbox), 1);
    let as_nobody = |arguments: &[&str]| {
        let mut command = sandbox.command(arguments);
        command.uid(65534).gid(0);
        Some(finish(command.spawn().ok()?, Duration::from_secs(60)))
    };
    let Some(stats) = as_nobody(&["stats", "--json"]) else {
        return eprintln!("skipped: only root can be somebody else, who must reach the binary");
    };
    assert!(
        stats.code == 0 && stats.stdout.contains("\"total_messages\":1") && stats.stderr.is_empty(),
        "{stats:?}"
    );
    deliver(&sandbox, "2").silent();
    let stats = as_nobody(&["stats", "--json"]).unwrap();
    assert!(stats.code == 0 && stats.stdout.contains("\"total_messages\":1"), "{stats:?}");
    assert!(stats.stderr.contains("the newest messages are not counted"), "{stats:?}");
    let log = as_nobody(&["log"]).unwrap();
    assert!(log.code == 0 && log.stdout.lines().count() == 2 && log.stderr.is_empty(), "{log:?}");
    assert_eq!(total(&sandbox), 2);
}
