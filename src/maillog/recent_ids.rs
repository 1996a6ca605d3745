//! Ids of the last refusals, so that equal ones of one moment are told apart.
//!
//! Not here: what an id is made of. Invariant: bounded; the same refusals in the same order get the
//! same numbers.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Refusals that are remembered.
const RECENT: usize = 256;

/// Each id, and how many equal ones followed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RecentIds(VecDeque<(u64, u64)>);

impl RecentIds {
    /// How many equal ones came before this one.
    pub(crate) fn count(&mut self, id: u64) -> u64 {
        if let Some((_, followed)) = self.0.iter_mut().rev().find(|(known, _)| *known == id) {
            *followed += 1;
            return *followed;
        }
        if self.0.len() == RECENT {
            self.0.pop_front();
        }
        self.0.push_back((id, 0));
        0
    }
}
