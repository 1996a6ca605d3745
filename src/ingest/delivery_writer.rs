//! What becomes of a delivery: it is counted, its row waits to be written with its reason, and work
//! that it causes is noted.
//!
//! Not here: reasons that are not known yet (`classifier`) and what is counted (`delivery_counts`).
//! Invariant: a delivery is written and counted whether or not the policy answers.

use super::classifier::Classifier;
use super::delivery_counter::{ChangedDeliveries, DeliveryCounter, reason};
use crate::clock;
use crate::config::{Config, EventKind};
use crate::error::Result;
use crate::index::{ACTED_ON_FOR_MS, Batch, UnwrittenRows, Work};
use crate::maillog::{Delivery, LoggedStatus, PackedDeliveries, Whose};
use crate::memory;
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes of memory of rows that wait, of messages under way, and of what was counted, together.
const TOGETHER: u64 = 88 << 20;
/// Rows may always take this much of it.
const ROWS_AT_LEAST: u64 = 16 << 20;

pub(crate) struct DeliveryWriter {
    pub(crate) classifier: Classifier,
    pub(crate) counter: DeliveryCounter,
    rows: UnwrittenRows,
    /// The index may have what is read now, for example from a second log with the same lines.
    may_repeat: bool,
    /// Each state is also an event.
    exports_events: bool,
    /// Failures are handled as reports are.
    handles_failures: bool,
    now_ms: i64,
}

impl DeliveryWriter {
    pub(crate) fn new(config: &Arc<Config>) -> DeliveryWriter {
        DeliveryWriter {
            classifier: Classifier::new(config),
            counter: DeliveryCounter::new(config),
            rows: UnwrittenRows::default(),
            may_repeat: false,
            exports_events: config.keeps_events(EventKind::Delivery),
            handles_failures: config.index.act && !config.index.policy.is_empty(),
            now_ms: clock::now_ms(),
        }
    }

    /// Whether the index may have what is read now.
    pub(crate) fn set_may_repeat(&mut self, may_repeat: bool) {
        self.may_repeat = may_repeat;
        self.counter.counts_later = may_repeat;
    }

    /// Lets rows wait. Counts what the counter has left to be counted. Whoever reads takes `memory`
    /// bytes.
    pub(crate) fn write(
        &mut self,
        batch: &mut Batch<'_>,
        changed: ChangedDeliveries,
        memory: u64,
    ) -> Result<()> {
        let ChangedDeliveries { deliveries, replies } = changed;
        for (at, reply) in replies.into_iter().enumerate() {
            if !self.may_repeat {
                self.expect(at, &deliveries, reply);
                continue;
            }
            let delivery = deliveries.delivery(at);
            let order = batch.known(&delivery, self.rows.last(&delivery))?;
            if order == Ordering::Greater {
                continue;
            }
            if order == Ordering::Less {
                self.counter.count(&delivery, reply);
            }
            self.expect(at, &deliveries, reply);
            if !self.counter.only_counted && !delivery.superseded {
                self.rows.note_last(&delivery);
            }
        }
        if !self.counter.only_counted {
            self.rows.keep(deliveries);
        }
        let others = memory + self.counter.counts.weight() as u64;
        self.keep_bounded(batch, TOGETHER.saturating_sub(others).max(ROWS_AT_LEAST))
    }

    fn expect(&mut self, at: usize, deliveries: &PackedDeliveries, reply: Option<u64>) {
        if let Some(key) = reply {
            self.classifier.expect(key, || reason(&deliveries.delivery(at)).map(|reply| reply.failure()));
        }
        if !self.counter.only_counted && !deliveries.is_superseded(at) {
            let has_work = self.exports_events || self.handles_failures;
            let work = if has_work { self.work(&deliveries.delivery(at)) } else { Work::default() };
            self.rows.expect(at, deliveries, reply, work);
        }
    }

    fn work(&self, delivery: &Delivery<'_>) -> Work {
        let is_recent = delivery.last_seen > self.now_ms - ACTED_ON_FOR_MS;
        // The failures of others' mail are theirs to act on.
        let is_ours = delivery.route.whose() == Whose::Own;
        let failure = self.handles_failures && is_recent && is_ours && is_new_failure(delivery);
        Work { event: self.exports_events, failure }
    }

    /// Empties what has grown too large in memory.
    fn keep_bounded(&mut self, batch: &mut Batch<'_>, most: u64) -> Result<()> {
        if self.counter.counts.is_full() {
            return self.finish(batch);
        }
        let is_full = self.rows.weight() as u64 > most;
        if is_full || self.classifier.has_many() {
            self.classifier.classify(batch)?;
        }
        if is_full { self.write_rows(batch) } else { Ok(()) }
    }

    /// Writes rows and counts: nothing of the transaction is left in memory.
    pub(crate) fn finish(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        self.classifier.classify(batch)?;
        self.classifier.write(batch)?;
        // Their memory is free while counts are written, which takes more.
        self.write_rows(batch)?;
        let classifier = &self.classifier;
        self.counter.counts.flush(batch, |batch, key| classifier.class(batch, key))
    }

    fn write_rows(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        let (classifier, weight) = (&self.classifier, self.rows.weight() as u64);
        self.rows.write(batch, |batch, key| classifier.class(batch, key))?;
        // Others need it: messages under way grow, and what was counted is written.
        if weight >= ROWS_AT_LEAST {
            memory::give_small_blocks_back();
        }
        Ok(())
    }
}

/// Whether this is news of a final failure, and there is a sender to notify.
fn is_new_failure(delivery: &Delivery<'_>) -> bool {
    matches!(delivery.status, LoggedStatus::Bounced | LoggedStatus::Expired)
        && delivery.before.is_none_or(|before| before.status != delivery.status)
        && delivery.recipient.is_some()
        && delivery.sender.is_some_and(|sender| !sender.is_empty())
}
