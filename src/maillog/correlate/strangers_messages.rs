//! The last messages that strangers have handed in, known again when a content filter or a program
//! on this host hands them back: by Message-ID and sender together.
//!
//! Not here: what else links two messages (`related_message`). Invariant: bounded; being known here
//! makes no mail ours, it only keeps mail from being ours.

use super::queue_line::QueueLine;
use super::queue_table::Slot;
use super::queued_message::QueuedMessage;
use crate::maillog::whose::Submitter;
use rustc_hash::{FxHashSet, FxHasher};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::hash::Hasher;

/// Messages that are remembered: more than a filter has in work.
const RECENT: usize = 4096;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "VecDeque<u64>", into = "VecDeque<u64>")]
pub(crate) struct StrangersMessages {
    known: FxHashSet<u64>,
    order: VecDeque<u64>,
}

impl StrangersMessages {
    /// Who handed the message in is known by now, and its Message-ID and sender are.
    pub(crate) fn meet(&mut self, line: &mut QueueLine<'_, '_>, slot: Slot) {
        let message = line.table.message(slot);
        match message.submitter {
            Submitter::Stranger => self.note(key(message)),
            Submitter::Ours if key(message).is_some_and(|key| self.known.contains(&key)) => {
                message.submitter = Submitter::Stranger;
                line.table.touch_all(slot);
            }
            Submitter::Ours | Submitter::Unknown => {}
        }
    }

    fn note(&mut self, key: Option<u64>) {
        let Some(key) = key.filter(|key| !self.known.contains(key)) else { return };
        if self.order.len() == RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(key);
        self.order.push_back(key);
    }
}

fn key(message: &QueuedMessage) -> Option<u64> {
    let (id, sender) = (message.message_id()?, message.sender()?);
    let mut hasher = FxHasher::default();
    hasher.write(id.as_bytes());
    hasher.write(sender.as_bytes());
    Some(hasher.finish())
}

impl From<VecDeque<u64>> for StrangersMessages {
    fn from(order: VecDeque<u64>) -> StrangersMessages {
        StrangersMessages { known: order.iter().copied().collect(), order }
    }
}

impl From<StrangersMessages> for VecDeque<u64> {
    fn from(messages: StrangersMessages) -> VecDeque<u64> {
        messages.order
    }
}
