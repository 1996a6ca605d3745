//! Which hosts are trackers, as far as this process knows: not every link asks the store.
//!
//! Not here: asking a host (`action/visit`). Invariant: the memory is bounded.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Whether a host is a tracker, and until when that holds in milliseconds since 1970.
#[derive(Default)]
pub(crate) struct KnownTrackers(Mutex<HashMap<String, (bool, i64)>>);

impl KnownTrackers {
    pub(crate) fn known(&self, base: &str, now_ms: i64) -> Option<bool> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(base).filter(|(_, expires_ms)| *expires_ms > now_ms).map(|(is, _)| *is)
    }

    pub(crate) fn learn(&self, base: &str, is: bool, expires_ms: i64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= 10_000 {
            known.clear();
        }
        known.insert(base.to_owned(), (is, expires_ms));
    }
}
