//! What is to be added to counters. Not here: the counters (`sqlite/counter_rows.rs`).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Times until a client of `carom lmtp` has its answer, in milliseconds, and the counters of the
/// answers that came within each and not within the one before. Later ones are
/// `lmtp_answered_later`.
pub(crate) const ANSWER_TIMES: [(u64, &str); 6] = [
    (5, "lmtp_answered_5ms"),
    (20, "lmtp_answered_20ms"),
    (100, "lmtp_answered_100ms"),
    (500, "lmtp_answered_500ms"),
    (2_000, "lmtp_answered_2s"),
    (10_000, "lmtp_answered_10s"),
];

/// What is to be added to counters, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Adds one to a counter.
    pub(crate) fn add(&mut self, name: &str) {
        self.add_many(name, 1);
    }

    pub(crate) fn add_many(&mut self, name: &str, many: u64) {
        match self.0.get_mut(name) {
            Some(value) => *value += many,
            None if many > 0 => drop(self.0.insert(name.to_owned(), many)),
            None => {}
        }
    }

    pub(crate) fn add_all(&mut self, other: &Tally) {
        other.iter().for_each(|(name, many)| self.add_many(name, many));
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Counts one of a counter as one of another, if there is one.
    pub(crate) fn move_one(&mut self, from: &str, to: &str) {
        let Some(value) = self.0.get_mut(from) else { return };
        *value -= 1;
        if *value == 0 {
            self.0.remove(from);
        }
        self.add(to);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, many)| (name.as_str(), *many))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
