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

pub(crate) struct DeliveryCounter {
    pub(crate) counts: DeliveryCounts,
    /// Replies matter, as a policy classifies them.
    classifies: bool,
    pub(crate) now_ms: i64,
}

impl DeliveryCounter {
    pub(crate) fn new(config: &Config) -> DeliveryCounter {
        let classifies = !config.index.policy.is_empty();
        DeliveryCounter { counts: DeliveryCounts::default(), classifies, now_ms: clock::now_ms() }
    }

    /// A counter for more of the same, without what this one has counted.
    pub(crate) fn emptied(&self) -> DeliveryCounter {
        DeliveryCounter { counts: DeliveryCounts::default(), ..*self }
    }

    /// The reply that is the reason for a delivery's state, and its key.
    pub(crate) fn reply<'d>(&self, delivery: &Delivery<'d>) -> Option<(u64, LoggedReply<'d>)> {
        let reply = reason(delivery).filter(|_| self.classifies)?;
        Some((reply.key(), reply))
    }

    /// Counts what is new of each; returns the keys of their replies.
    pub(crate) fn count(&mut self, deliveries: &PackedDeliveries) -> Vec<Option<u64>> {
        let count = |delivery: Delivery<'_>| {
            let reply = self.reply(&delivery).map(|(key, _)| key);
            self.counts.count(&delivery, reply, self.now_ms);
            reply
        };
        deliveries.iter().map(count).collect()
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
