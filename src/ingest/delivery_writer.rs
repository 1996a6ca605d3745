//! What becomes of a delivery: it is counted, its row waits to be written with its reason, and work
//! that it causes is noted.
//!
//! Not here: reasons that are not known yet (`classifier`) and what is counted (`delivery_counts`).
//! Invariant: a delivery is written and counted whether or not the policy answers.

use super::classifier::Classifier;
use super::delivery_counts::DeliveryCounts;
use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::index::{ACTED_ON_FOR_MS, Batch, UnwrittenRows, Work};
use crate::maillog::{Delivery, LoggedStatus, PackedDeliveries};
use std::cmp::Ordering;
use std::sync::Arc;

/// Bytes of rows in memory.
const UNWRITTEN: usize = 96 << 20;

pub(crate) struct DeliveryWriter {
    pub(crate) classifier: Classifier,
    counts: DeliveryCounts,
    rows: UnwrittenRows,
    /// The index may have what is read now, for example from a second log with the same lines.
    pub(crate) may_repeat: bool,
    /// Deliveries are counted only, and no rows are written.
    only_counted: bool,
    /// Each state is also exported as an event.
    exports_events: bool,
    /// Failures are handled as reports are.
    handles_failures: bool,
    now_ms: i64,
}

impl DeliveryWriter {
    pub(crate) fn new(config: &Arc<Config>) -> DeliveryWriter {
        DeliveryWriter {
            classifier: Classifier::new(config),
            counts: DeliveryCounts::default(),
            rows: UnwrittenRows::default(),
            may_repeat: false,
            only_counted: !config.index.deliveries,
            // While [export] is wrong, events are kept until it is right.
            exports_events: config.export.get().map_or(true, |export| export.events.is_some()),
            handles_failures: config.index.act && !config.index.policy.is_empty(),
            now_ms: clock::now_ms(),
        }
    }

    pub(crate) fn write(&mut self, batch: &mut Batch<'_>, deliveries: PackedDeliveries) -> Result<()> {
        for (at, delivery) in deliveries.iter().enumerate() {
            self.take(batch, at, &delivery)?;
        }
        if !self.only_counted {
            self.rows.keep(deliveries);
        }
        self.keep_bounded(batch)
    }

    fn take(&mut self, batch: &mut Batch<'_>, at: usize, delivery: &Delivery<'_>) -> Result<()> {
        let reply = self.classifier.reply(delivery);
        let key = reply.map(|(key, _)| key);
        match if self.may_repeat { batch.known(delivery, &self.rows)? } else { Ordering::Less } {
            Ordering::Less => self.counts.count(delivery, key, self.now_ms),
            Ordering::Equal => {}
            Ordering::Greater => return Ok(()),
        }
        self.classifier.expect(reply);
        if !self.only_counted && !delivery.superseded {
            self.rows.expect(at, delivery, key, self.work(delivery));
            if self.may_repeat {
                self.rows.note_last(delivery);
            }
        }
        Ok(())
    }

    fn work(&self, delivery: &Delivery<'_>) -> Work {
        let is_recent = delivery.last_seen > self.now_ms - ACTED_ON_FOR_MS;
        let failure = self.handles_failures && is_recent && is_new_failure(delivery);
        Work { event: self.exports_events, failure }
    }

    /// Empties what has grown too large in memory.
    fn keep_bounded(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        if self.counts.is_full() || self.rows.weight() > UNWRITTEN {
            self.finish(batch)
        } else if self.classifier.has_many() {
            self.classifier.classify(batch)
        } else {
            Ok(())
        }
    }

    /// Writes rows and counts: nothing of the transaction is left in memory.
    pub(crate) fn finish(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        self.classifier.classify(batch)?;
        let classifier = &self.classifier;
        self.counts.flush(batch, |batch, key| classifier.class(batch, key))?;
        self.rows.write(batch, |batch, key| classifier.class(batch, key))
    }
}

/// Whether this is news of a final failure, and there is a sender to notify.
fn is_new_failure(delivery: &Delivery<'_>) -> bool {
    matches!(delivery.status, LoggedStatus::Bounced | LoggedStatus::Expired)
        && delivery.before.is_none_or(|before| before.status != delivery.status)
        && delivery.recipient.is_some()
        && delivery.sender.is_some_and(|sender| !sender.is_empty())
}
