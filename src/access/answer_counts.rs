//! How often each answer was given: counted in memory, and added to the counters of the store every
//! few seconds and at the end. And what fails, in the log: at most one line a second.
//!
//! Not here: what is answered. Invariant: what the store does not take now is added later; a
//! process that is killed loses the counts of a few seconds, and nothing else.

use crate::store::{Store, Tally};
use std::fmt::Display;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two additions to the store.
const EVERY: Duration = Duration::from_secs(5);
/// Time between two lines of the log.
const QUIET: Duration = Duration::from_secs(1);

/// What was given to a request or a look-up, or happened to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    Dunno,
    Rejected,
    Deferred,
    Held,
    Discarded,
    Prepended,
    Filtered,
    /// It could not be decided. Another answer was given, which is counted too.
    Failed,
    /// It was no request.
    Malformed,
    MapFound,
    MapNotFound,
    /// The answer was TEMP.
    MapFailed,
    /// The answer was PERM.
    MapRefused,
}

/// The counters, in the order of `Given`.
const NAMES: [&str; 13] = [
    "access_dunno",
    "access_rejected",
    "access_deferred",
    "access_held",
    "access_discarded",
    "access_prepended",
    "access_filtered",
    "access_failed",
    "access_malformed",
    "socketmap_found",
    "socketmap_not_found",
    "socketmap_failed",
    "socketmap_refused",
];

pub(super) struct AnswerCounts {
    given: [AtomicU64; NAMES.len()],
    added: Mutex<Instant>,
    said: Mutex<Option<Instant>>,
    /// Failures since the last line of the log.
    unsaid: AtomicU64,
}

impl AnswerCounts {
    pub(super) fn new() -> AnswerCounts {
        let (added, said, unsaid) = (Mutex::new(Instant::now()), Mutex::default(), AtomicU64::new(0));
        AnswerCounts { given: Default::default(), added, said, unsaid }
    }

    pub(super) fn add(&self, given: Given) {
        self.given[given as usize].fetch_add(1, Relaxed);
    }

    /// Counts something that went wrong, and logs it unless another was logged just now.
    pub(super) fn fail(&self, given: Given, why: impl Display) {
        self.add(given);
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.is_some_and(|at| at.elapsed() < QUIET) {
            self.unsaid.fetch_add(1, Relaxed);
            return;
        }
        *said = Some(Instant::now());
        let more = self.unsaid.swap(0, Relaxed);
        tracing::error!(more, "{why}");
    }

    /// Adds what was counted to the store, if it is time.
    pub(super) fn add_to_in_time(&self, store: &Store) {
        let is_due = |added: &mut Instant| {
            let is_due = added.elapsed() >= EVERY;
            if is_due {
                *added = Instant::now();
            }
            is_due
        };
        if is_due(&mut self.added.lock().unwrap_or_else(PoisonError::into_inner)) {
            self.add_to(store);
        }
    }

    /// Adds what was counted to the store.
    pub(super) fn add_to(&self, store: &Store) {
        let mut tally = Tally::default();
        for (counted, name) in self.given.iter().zip(NAMES) {
            tally.add_many(name, counted.swap(0, Relaxed));
        }
        if tally.is_empty() {
            return;
        }
        if let Err(error) = store.count(&tally) {
            tracing::warn!(%error, "answers are not counted yet");
            for (counted, name) in self.given.iter().zip(NAMES) {
                let many = tally.iter().find(|(known, _)| *known == name).map_or(0, |(_, many)| many);
                counted.fetch_add(many, Relaxed);
            }
        }
    }
}
