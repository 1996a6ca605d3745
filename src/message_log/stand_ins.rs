//! Lines that stand for the decision about a message, because its delivery died before it wrote
//! one: the oldest line of a redelivery, or else of steps that were done later.
//!
//! Not here: what other lines say (`trail`). Invariant: a message whose line is met needs none.

use super::logged_event::LoggedEvent;
use super::trail_row::TrailRow;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Messages that are known as decided, at most.
const MOST_DECIDED: usize = 1 << 21;

/// The oldest of a message that is known so far.
pub(super) enum StandIn {
    /// It has this row.
    Shown(usize),
    /// It is not wanted, unless it stands for the decision.
    LeftOut(Box<TrailRow>),
}

#[derive(Default)]
pub(super) struct StandIns {
    again: HashMap<String, StandIn>,
    outbox: HashMap<String, StandIn>,
    /// Digests of messages whose decisions were met. A tick writes those that a kill has prevented:
    /// they come after older lines of steps.
    decided: HashSet<u64>,
}

impl StandIns {
    /// Takes the line of a row that may stand for the decision; an older one is in its place. `at`:
    /// where it is shown.
    pub(super) fn take(&mut self, event: &LoggedEvent, row: &TrailRow, at: Option<usize>) {
        let Some(message) = event.message().filter(|message| !self.decided.contains(&digest(message))) else {
            return;
        };
        let of_kind = match (event.is_redelivery(), event.is_of_outbox()) {
            (true, _) => &mut self.again,
            // Alerts and what operators release are about no message.
            (_, true) if !event.recipient.is_empty() => &mut self.outbox,
            _ => return,
        };
        let one = at.map_or_else(|| StandIn::LeftOut(Box::new(row.clone())), StandIn::Shown);
        of_kind.insert(message.to_owned(), one);
    }

    /// The line of the decision about a message was met.
    pub(super) fn forget(&mut self, message: &str) {
        self.again.remove(message);
        self.outbox.remove(message);
        if self.decided.len() < MOST_DECIDED {
            self.decided.insert(digest(message));
        }
    }

    /// Whether older lines are wanted to find decisions. Those of steps that were done later are
    /// not worth it.
    pub(super) fn are_waiting(&self) -> bool {
        !self.again.is_empty()
    }

    pub(super) fn has(&self, message: &str) -> bool {
        self.again.contains_key(message)
    }

    /// One for each message that needs one. `is_whole`: the log was read from its beginning.
    pub(super) fn into_needed(mut self, is_whole: bool) -> impl Iterator<Item = (String, StandIn)> {
        self.outbox.retain(|message, _| is_whole && !self.again.contains_key(message));
        self.again.into_iter().chain(self.outbox)
    }
}

fn digest(message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}
