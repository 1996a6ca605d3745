//! What the verbs promise, whatever database is below them; and a store to test with.

use super::{Ended, Entry, FinishedMessage, Performed, Promise, Standing, Store, Tally};
use crate::deadline::Deadline;
use crate::envelope::Envelope;
use crate::error::Result;
use crate::mail::{Content, Key, Mail};
use crate::plan::{Action, Condition, Plan, Step, StepEnd, Verdict};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const LEASE: i64 = 900_000;

/// A directory for one test, removed at its end.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new() -> Place {
        let path = std::env::temp_dir().join(format!("carom-store-{:x}", fastrand::u64(..)));
        std::fs::create_dir_all(&path).unwrap();
        Place(path)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("carom.db")
    }

    pub(crate) fn open(&self) -> Store {
        Store::open(&self.file()).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn tally(names: &[&str]) -> Tally {
    let mut tally = Tally::default();
    names.iter().for_each(|name| tally.add(name));
    tally
}

pub(crate) fn step(after: Option<(usize, Condition)>, delay: u32) -> Step {
    Step { after, delay, action: Action::Keep }
}

pub(crate) fn promise(store: &Store, key: &str, steps: Vec<Step>, at_ms: i64) -> Result<Standing> {
    let plan = Plan { steps, ..Plan::default() };
    let mail = Mail {
        content: Content::read(Arc::new(b"Subject: x\r\n\r\n".to_vec())),
        envelope: Envelope::default(),
        key: Key::on_record(key.into()),
        seed: u64::MAX,
        at_ms,
        keep: None,
        file: None,
    };
    let tally = tally(&["total_messages"]);
    let promise = Promise { plan: &plan, policy: "sink", at_ms, tally: &tally, about: None, addresses: &[] };
    store.write_down(&[Entry::Promise(&mail, promise)], LEASE).map(|found| found[0].standing)
}

pub(crate) fn put(store: &Store, finished: FinishedMessage<'_>) {
    store.write_down(&[Entry::Finished(finished, &Verdict::Accept)], LEASE).unwrap();
}

pub(crate) fn release(store: &Store, key: &str) {
    store.release(&[(key, &Arc::default())]).unwrap();
}

pub(crate) fn claim(store: &Store, key: &str, now_ms: i64) -> Vec<usize> {
    store.claim(&[key], now_ms, LEASE).unwrap().remove(0)
}

pub(crate) fn settle(store: &Store, key: &str, step: usize, end: StepEnd) {
    let done = Performed::new(end, "settled", "done".into());
    store.settle(&[(key, &[Ended { step, action: "keep".into(), done }])], 0, soon()).unwrap();
}

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

pub(crate) fn count(store: &Store, name: &str) -> u64 {
    store.counters().unwrap().1.get(name).copied().unwrap_or(0)
}

#[test]
fn many_threads_on_two_handles_lose_no_count() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let store = Arc::new(place.open());
            for _ in 0..16 {
                let store = store.clone();
                scope.spawn(move || {
                    for _ in 0..25 {
                        let record = FinishedMessage {
                            key: None,
                            tally: &tally(&["a", "b"]),
                            at_ms: 61_000,
                            message: true,
                        };
                        put(&store, record);
                    }
                });
            }
        }
    });
    let store = place.open();
    assert_eq!((count(&store, "a"), count(&store, "b")), (800, 800));
    assert_eq!(store.series().unwrap(), [(60, 800)]);
}

#[test]
fn handles_that_open_and_close_at_once_lose_no_count() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let record =
                        FinishedMessage { key: None, tally: &tally(&["a"]), at_ms: 0, message: true };
                    put(&place.open(), record);
                }
            });
        }
    });
    assert_eq!(count(&place.open(), "a"), 400);
}

#[test]
fn a_key_is_recorded_once() {
    let place = Place::new();
    let store = place.open();
    for _ in 0..2 {
        put(&store, FinishedMessage { key: Some("k"), tally: &tally(&["a"]), at_ms: 0, message: true });
    }
    assert_eq!(count(&store, "a"), 1);
    assert_eq!(promise(&store, "k", vec![step(None, 0)], 0).unwrap(), Standing::Finished);
}

#[test]
fn a_promise_outlives_the_process_and_is_counted_once() {
    let place = Place::new();
    let first = place.open();
    assert_eq!(promise(&first, "k", vec![step(None, 0)], 0).unwrap(), Standing::New);
    let store = place.open();
    let again = promise(&store, "k", vec![step(None, 0)], 0).unwrap();
    assert_eq!(again, Standing::Open);
    assert_eq!(count(&store, "total_messages"), 1);
    assert!(store.claim_due(1, LEASE, 10, u64::MAX).unwrap().due.is_empty(), "the first works on it");
    drop(first);
    let jobs = store.claim_due(1, LEASE, 10, u64::MAX).unwrap().due;
    assert_eq!((jobs.len(), jobs[0].mail.seed, &jobs[0].steps), (1, u64::MAX, &vec![0]));
    assert_eq!(**jobs[0].mail.raw(), b"Subject: x\r\n\r\n");
}

#[test]
fn a_step_put_off_waits_for_its_time() {
    let place = Place::new();
    let store = place.open();
    promise(&store, "k", vec![step(None, 0), step(None, 5)], 0).unwrap();
    settle(&store, "k", 0, StepEnd::Later { at_ms: 10_000 });
    assert_eq!(claim(&store, "k", 4_999), [0; 0]);
    assert_eq!(claim(&store, "k", 5_000), [1]);
    let owed = store.pending_steps().unwrap();
    assert_eq!(owed.iter().map(|owed| owed.attempts).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(claim(&store, "k", 10_000), [0]);
}
