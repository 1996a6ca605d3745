//! Records and their folding, with files that are cut off, renamed, copied, truncated and replaced.

use super::{DecidedBy, MessageLine, MessageLog, NAME, expire};
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::files::daily::MAX_LINE;
use crate::plan::Verdict;
use crate::smtp_reply::SmtpReply;
use crate::store::{Store, Tally};
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// A state directory that goes with the test.
struct Place {
    directory: PathBuf,
    config: Config,
}

impl Place {
    fn new() -> Place {
        let directory = std::env::temp_dir().join(format!("carom-records-{:x}", fastrand::u64(..)));
        fs::create_dir(&directory).unwrap();
        let config = Config { state: Some(directory.clone()), ..Config::default() };
        Place { directory, config }
    }

    fn log(&self) -> MessageLog {
        MessageLog::open(&self.config)
    }

    fn store(&self) -> Store {
        Store::open(&self.config.store_path()).unwrap()
    }

    /// Today's file.
    fn file(&self) -> PathBuf {
        let date: String = clock::rfc3339(clock::now_ms()).chars().take(10).collect();
        self.directory.join("log").join(format!("{NAME}-{date}.log"))
    }

    fn put(&self, key: &str) {
        put(&self.log(), &Store::lazy(&self.config.store_path()), &[key], &Verdict::Accept);
    }

    fn fold(&self) {
        self.log().fold(&self.store(), soon()).unwrap();
    }

    /// Counters and messages after folding.
    fn counted(&self) -> (u64, u64) {
        self.fold();
        let store = self.store();
        let counter = store.counters().unwrap().1.get("a").copied().unwrap_or(0);
        (counter, store.series().unwrap().iter().map(|(_, many)| many).sum())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn put(log: &MessageLog, store: &Store, keys: &[&str], verdict: &Verdict) {
    put_of(&Envelope { sender: "a@example.com".into(), ..Envelope::default() }, log, store, keys, verdict);
}

fn put_of(envelope: &Envelope, log: &MessageLog, store: &Store, keys: &[&str], verdict: &Verdict) {
    let mut tally = Tally::default();
    tally.add("a");
    let line = |key: &&str| {
        let decided_by = DecidedBy { name: "sink", hash: "0", plan: "1".into() };
        let line = MessageLine::new(clock::now_ms(), envelope, decided_by, verdict, 7);
        line.counting(tally.clone()).on_record((*key).to_owned())
    };
    log.record(&keys.iter().map(line).collect::<Vec<_>>(), store).unwrap();
}

#[test]
fn a_log_that_is_cut_off_anywhere_counts_its_whole_lines_and_takes_more() {
    let place = Place::new();
    ["0000-0", "0000-1", "0000-2"].iter().for_each(|key| place.put(key));
    let written = fs::read_to_string(place.file()).unwrap();
    let ends: Vec<usize> = written.match_indices('\n').map(|(at, _)| at + 1).collect();
    let mut counted = place.counted().0;
    for cut in (1..ends[1]).step_by(10).chain(ends[1]..=written.len()) {
        let key = |number: usize| format!("{cut:04}-{number}");
        let whole = written.replace("0000-", &format!("{cut:04}-"));
        fs::write(place.file(), &whole[..cut]).unwrap();
        counted += ends.iter().filter(|end| **end <= cut).count() as u64;
        assert_eq!(place.counted(), (counted, counted), "{cut}");
        // The mail server delivers again what was not answered, and more comes.
        let again = [key(0), key(1), key(2), key(3)];
        let again: Vec<&str> = again.iter().map(String::as_str).collect();
        put(&place.log(), &place.store(), &again, &Verdict::Accept);
        counted += ends.iter().filter(|end| **end > cut).count() as u64 + 1;
        assert_eq!(place.counted(), (counted, counted), "{cut}");
        let text = fs::read_to_string(place.file()).unwrap();
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "{cut}: {text}");
    }
}

#[test]
fn many_lines_are_recorded_together_and_a_deferral_counts_without_its_message() {
    let place = Place::new();
    put(&place.log(), &place.store(), &["k0", "k1", "k0"], &Verdict::Accept);
    assert_eq!(place.counted(), (2, 2));
    let deferred = Verdict::Defer(SmtpReply::try_again_later("not now"));
    put(&place.log(), &place.store(), &["k2"], &deferred);
    assert_eq!(place.counted(), (3, 2));
    put(&place.log(), &place.store(), &["k2"], &Verdict::Accept);
    assert_eq!(place.counted(), (4, 3), "it is decided again");
    let found = place.store().on_record("k2").unwrap().unwrap();
    assert_eq!(found.verdict, Some(Verdict::Accept));
}

#[test]
fn what_the_log_cannot_take_is_recorded_in_the_store_once() {
    let place = Place::new();
    fs::write(place.directory.join("log"), "no directory").unwrap();
    put(&place.log(), &place.store(), &["k0", "k1"], &Verdict::Accept);
    fs::remove_file(place.directory.join("log")).unwrap();
    // A part of the write had reached the log.
    put(&place.log(), &place.store(), &["k0", "k2"], &Verdict::Accept);
    assert_eq!(place.counted(), (3, 3));
}

#[test]
fn processes_that_fold_together_count_each_record_once() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let place = &place;
            scope.spawn(move || (0..100).for_each(|number| place.put(&format!("{writer}-{number}"))));
        }
        for _ in 0..3 {
            scope.spawn(|| (0..40).for_each(|_| place.fold()));
        }
    });
    assert_eq!(place.counted(), (400, 400));
}

#[test]
fn a_file_that_somebody_moves_copies_or_truncates_loses_nothing_and_counts_once() {
    let place = Place::new();
    let (file, copy) = (place.file(), PathBuf::from(format!("{}.1", place.file().display())));
    // Deferrals have no key that would hide a second reading.
    let deferral = Verdict::Defer(SmtpReply::try_again_later("not now"));
    let mut keys = 0..;
    let mut put = |many: usize| {
        for key in keys.by_ref().take(many) {
            put(&place.log(), &place.store(), &[&format!("k{key}")], &deferral);
        }
    };
    put(3);
    assert_eq!(place.counted().0, 3);
    put(2);
    fs::rename(&file, &copy).unwrap();
    put(1);
    assert_eq!(place.counted().0, 6, "renamed");
    fs::remove_file(&copy).unwrap();
    put(2);
    fs::copy(&file, &copy).unwrap();
    File::create(&file).unwrap();
    put(1);
    assert_eq!(place.counted().0, 9, "copied and truncated");
    put(1);
    assert_eq!(place.counted().0, 10);
    fs::remove_file(&copy).unwrap();
    fs::copy(&file, &copy).unwrap();
    fs::rename(&copy, &file).unwrap();
    assert_eq!(place.counted().0, 10, "replaced by a copy of itself");
    put(1);
    assert_eq!(place.counted().0, 11);
    fs::copy(&file, &copy).unwrap();
    assert_eq!(place.counted().0, 11, "copied");
    put(1);
    assert_eq!((place.counted().0, place.counted().0), (12, 12), "the copy stays behind");
    fs::remove_file(&copy).unwrap();
    fs::remove_file(&file).unwrap();
    put(15);
    assert_eq!(place.counted().0, 27, "a new file, maybe under the same inode");
}

#[test]
fn a_file_stays_until_it_is_folded_to_its_end() {
    let place = Place::new();
    let mut config = place.config.clone();
    config.log.keep_days = 1;
    place.put("k0");
    let old = place.directory.join("log/messages-2026-01-01.log");
    fs::rename(place.file(), &old).unwrap();
    expire(&config, None).unwrap();
    expire(&config, Some(&place.store())).unwrap();
    assert!(old.exists());
    assert_eq!(place.counted(), (1, 1));
    // What is cut off at the end of a day is no record.
    File::options().append(true).open(&old).unwrap().write_all(b"{\"time\":").unwrap();
    expire(&config, Some(&place.store())).unwrap();
    assert!(!old.exists() && place.store().folded_files().unwrap().is_empty());
}

#[test]
fn a_record_keeps_what_counts_however_long_it_is() {
    let place = Place::new();
    let long = |letter: &str| letter.repeat(3 * MAX_LINE);
    let envelope = Envelope {
        sender: long("s"),
        recipient: long("ö"),
        client_helo: Some(long("h")),
        envid: Some(long("e")),
        ..Envelope::default()
    };
    let mut reply = SmtpReply::try_again_later(long("t"));
    reply.code = 550;
    put_of(&envelope, &place.log(), &place.store(), &["k0"], &Verdict::Reject(reply));
    assert!(fs::read(place.file()).unwrap().len() < MAX_LINE);
    assert_eq!(place.counted(), (1, 1));
    assert!(place.store().on_record("k0").unwrap().is_some());
}

#[test]
fn what_is_no_line_of_ours_is_skipped() {
    let place = Place::new();
    place.put("k0");
    let mut file = File::options().append(true).open(place.file()).unwrap();
    file.write_all(&vec![b'x'; 9 << 20]).unwrap();
    file.write_all(
        b"\n{\"key\":\"k9\"}\n\0\xff\n{\"time\":\"never\",\"key\":\"k8\",\"verdict\":\"accept\"}\n",
    )
    .unwrap();
    place.put("k1");
    assert_eq!(place.counted(), (2, 2));
}

#[test]
fn what_many_fold_while_the_file_grows_counts_once() {
    let (place, many) = (Place::new(), 600);
    let store = place.store();
    let deferred = Verdict::Defer(SmtpReply::try_again_later("x"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    place.log().fold(&store, soon()).unwrap();
                }
            });
        }
        // A line of a deferral counts each time that it is folded: nothing remembers its key.
        for n in 0..many {
            put(&place.log(), &store, &[&n.to_string()], &deferred);
            std::thread::sleep(Duration::from_millis(1));
        }
        done.store(true, SeqCst);
    });
    assert_eq!(place.counted().0, many);
}
