//! What sessions count: themselves, messages, answers, and how long clients wait for them. It goes
//! into the store by and by.
//!
//! Not here: what messages count (`deliver`). Invariant: counting never holds up a session; what is
//! counted since the last time goes with a kill.

use super::spoken_reply::code_of;
use crate::plan::Verdict;
use crate::store::{ANSWER_TIMES, Store, Tally};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the store is written for it.
const EVERY: Duration = Duration::from_secs(10);

pub(super) struct SessionCounts {
    state: Mutex<Counting>,
}

struct Counting {
    tally: Tally,
    since: Instant,
}

impl SessionCounts {
    pub(super) fn new() -> SessionCounts {
        SessionCounts { state: Mutex::new(Counting { tally: Tally::default(), since: Instant::now() }) }
    }

    pub(super) fn add(&self, name: &str) {
        self.state().tally.add(name);
    }

    /// A recipient was refused before there was a message, or without a policy.
    pub(super) fn refused(&self, verdict: &Verdict) {
        count_answer(&mut self.state().tally, verdict);
    }

    /// A message was answered after this time.
    pub(super) fn answered(&self, verdicts: &[Verdict], after: Duration) {
        let tally = &mut self.state().tally;
        tally.add("lmtp_messages");
        for verdict in verdicts {
            count_answer(tally, verdict);
        }
        let within = ANSWER_TIMES.iter().find(|(limit_ms, _)| after <= Duration::from_millis(*limit_ms));
        tally.add(within.map_or("lmtp_answered_later", |(_, name)| name));
        tally.add_many("lmtp_answer_ms", u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    }

    /// Writes what was counted into the store, if it is time, or `now`.
    pub(super) fn write(&self, store: &Store, now: bool) {
        let mut state = self.state();
        if state.tally.is_empty() || !now && state.since.elapsed() < EVERY {
            return;
        }
        let tally = std::mem::take(&mut state.tally);
        state.since = Instant::now();
        drop(state);
        if let Err(error) = store.count(&tally) {
            tracing::warn!(%error, "sessions are counted later");
            self.state().tally.add_all(&tally);
        }
    }

    fn state(&self) -> MutexGuard<'_, Counting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// There are at most as many codes as SMTP has.
fn count_answer(tally: &mut Tally, verdict: &Verdict) {
    tally.add(answer_class(verdict));
    tally.add(&format!("lmtp_answers_code_{}", code_of(verdict)));
}

fn answer_class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accept => "lmtp_answers_2xx",
        Verdict::Defer(_) => "lmtp_answers_4xx",
        Verdict::Reject(_) => "lmtp_answers_5xx",
    }
}
