//! Counting deliveries before anything is known of the database: what is new of each, and the reply
//! that is the reason for its state.
//!
//! Not here: what is counted (`delivery_counts`) and what replies mean (`classifier`). Invariant:
//! it touches no file, so that a thread that reads can count as well.

use super::delivery_counts::DeliveryCounts;
use crate::clock;
use crate::config::Config;
use crate::maillog::logged_reply::LoggedReply;
use crate::maillog::{Delivery, LoggedStatus, PackedDeliveries};
use rustc_hash::FxHashSet;

/// Keys of replies in memory.
const IN_MEMORY: usize = 200_000;

#[derive(Default)]
pub(crate) struct DeliveryCounter {
    pub(crate) counts: DeliveryCounts,
    /// Replies matter, as a policy classifies them.
    classifies: bool,
    /// Deliveries are counted only, and no rows are written.
    pub(crate) only_counted: bool,
    /// What the index has decides what counts, so the writer counts.
    pub(crate) counts_later: bool,
    now_ms: i64,
    /// States that were taken.
    taken: u64,
    /// The replies that were handed on already, where nothing else is.
    handed_on: FxHashSet<u64>,
}

/// States of deliveries on their way to the writer.
#[derive(Debug, Default)]
pub(crate) struct ChangedDeliveries {
    pub(crate) deliveries: PackedDeliveries,
    /// The key of the reply of each.
    pub(crate) replies: Vec<Option<u64>>,
}

impl DeliveryCounter {
    pub(crate) fn new(config: &Config) -> DeliveryCounter {
        DeliveryCounter {
            classifies: !config.index.policy.is_empty(),
            only_counted: !config.index.deliveries,
            now_ms: clock::now_ms(),
            ..DeliveryCounter::default()
        }
    }

    /// A counter that works like this one and has counted nothing.
    pub(crate) fn emptied(&self) -> DeliveryCounter {
        let DeliveryCounter { classifies, only_counted, counts_later, now_ms, .. } = *self;
        DeliveryCounter { classifies, only_counted, counts_later, now_ms, ..DeliveryCounter::default() }
    }

    /// Counts what is new of a delivery, unless that is done later, and adds it to what the writer
    /// gets, unless that has no use for it.
    pub(crate) fn take(&mut self, delivery: &Delivery<'_>, changed: &mut ChangedDeliveries) {
        self.taken += u64::from(!delivery.superseded);
        let reply = reason(delivery).filter(|_| self.classifies).map(|reply| reply.key());
        if !self.counts_later {
            self.counts.count(delivery, reply, self.now_ms);
            if self.only_counted && !reply.is_some_and(|key| self.is_new(key)) {
                return;
            }
        }
        changed.deliveries.push(delivery);
        changed.replies.push(reply);
    }

    /// Counts a delivery that was taken to be counted later.
    pub(crate) fn count(&mut self, delivery: &Delivery<'_>, reply: Option<u64>) {
        self.counts.count(delivery, reply, self.now_ms);
    }

    fn is_new(&mut self, reply: u64) -> bool {
        if self.handed_on.len() >= IN_MEMORY {
            self.handed_on.clear();
        }
        self.handed_on.insert(reply)
    }

    /// How many states were taken since the last call.
    pub(crate) fn taken(&mut self) -> u64 {
        std::mem::take(&mut self.taken)
    }
}

/// The reply that is the reason for a delivery's state. Where a failure was logged without a text,
/// the text is empty, and what its status says is the reason.
pub(crate) fn reason<'d>(delivery: &Delivery<'d>) -> Option<LoggedReply<'d>> {
    use LoggedStatus::{Bounced, Deferred, Expired, Rejected};
    if !matches!(delivery.status, Bounced | Deferred | Expired | Rejected) {
        return None;
    }
    let was_tried = delivery.attempts > 0 || delivery.status == Rejected;
    let text = delivery.reply.or(was_tried.then_some(""))?;
    let Delivery { dsn, relay, sender, recipient, .. } = *delivery;
    Some(LoggedReply { text, dsn, relay, sender, recipient })
}
