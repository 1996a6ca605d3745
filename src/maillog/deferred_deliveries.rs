//! Deliveries that a server will try again, of logs whose records are single attempts: attempts are
//! counted until the end, across ticks.
//!
//! Invariant: bounded; beyond the limit, attempts of further deliveries are counted from one again.

use crate::clock::DAY_MS;
use crate::maillog::delivery::ReportedState;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::whose::Whose;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Deliveries that are remembered, at most.
const LIMIT: usize = 500_000;
/// When the limit is reached, deliveries without a record for this long are forgotten.
const AGE_MS: i64 = 10 * DAY_MS;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DeferredDeliveries {
    by_id: FxHashMap<u64, Deferred>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Deferred {
    attempts: u32,
    first_ms: i64,
    last_ms: i64,
}

/// A record about an attempt.
pub(crate) struct AttemptRecord {
    pub(crate) id: u64,
    pub(crate) status: LoggedStatus,
    pub(crate) queued_ms: i64,
    pub(crate) at_ms: i64,
}

/// An attempt, with those before it.
pub(crate) struct CountedAttempt {
    pub(crate) attempts: u32,
    pub(crate) first_ms: i64,
    pub(crate) before: Option<ReportedState>,
}

impl DeferredDeliveries {
    pub(crate) fn count(&mut self, record: &AttemptRecord, newest_ms: i64) -> CountedAttempt {
        let &AttemptRecord { id, status, queued_ms, at_ms } = record;
        let before = self.by_id.get(&id).copied();
        let attempts = before.map_or(0, |before| before.attempts).saturating_add(1);
        let first_ms = before.map_or(queued_ms, |before| before.first_ms);
        if status == LoggedStatus::Deferred {
            if self.by_id.len() >= LIMIT {
                self.by_id.retain(|_, deferred| deferred.last_ms > newest_ms - AGE_MS);
            }
            if self.by_id.len() < LIMIT {
                self.by_id.insert(id, Deferred { attempts, first_ms, last_ms: at_ms });
            }
        } else {
            self.by_id.remove(&id);
        }
        let before = before.map(|before| ReportedState {
            status: LoggedStatus::Deferred,
            attempts: before.attempts,
            last_seen: before.last_ms,
            // A deferral is not undone, so whose mail it was does not matter.
            whose: Whose::Own,
        });
        CountedAttempt { attempts, first_ms, before }
    }
}
