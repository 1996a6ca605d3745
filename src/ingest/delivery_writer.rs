//! What becomes of a delivery: it is counted, written as a row with its reason if that is known,
//! and work that it causes is noted.
//!
//! Not here: reasons that are not known yet (`classifier`) and what is counted (`delivery_counts`).
//! Invariant: a delivery is written and counted whether or not the policy answers.

use super::classifier::Classifier;
use super::delivery_counts::DeliveryCounts;
use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::index::{ACTED_ON_FOR_MS, Batch, PendingWork};
use crate::maillog::{Delivery, LoggedStatus};
use std::cmp::Ordering;
use std::sync::Arc;

pub(crate) struct DeliveryWriter {
    pub(crate) classifier: Classifier,
    counts: DeliveryCounts,
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
            may_repeat: false,
            only_counted: !config.index.deliveries,
            // While [export] is wrong, events are kept until it is right.
            exports_events: config.export.get().map_or(true, |export| export.events.is_some()),
            handles_failures: config.index.act && !config.index.policy.is_empty(),
            now_ms: clock::now_ms(),
        }
    }

    pub(crate) fn write(&mut self, batch: &mut Batch<'_>, delivery: &Delivery<'_>) -> Result<()> {
        let reply = self.classifier.reply(delivery);
        let key = reply.map(|(key, _)| key);
        match if self.may_repeat { batch.known(delivery)? } else { Ordering::Less } {
            Ordering::Less => self.counts.count(delivery, key, self.now_ms),
            Ordering::Equal => {}
            Ordering::Greater => return Ok(()),
        }
        let mut row = None;
        if !self.only_counted && !delivery.superseded {
            let written = batch.put(delivery, key.and_then(|key| self.classifier.known(key)))?;
            self.note_work(batch, delivery, written)?;
            row = Some(written);
        }
        self.classifier.expect(row, reply);
        Ok(())
    }

    fn note_work(&self, batch: &mut Batch<'_>, delivery: &Delivery<'_>, row: i64) -> Result<()> {
        if self.exports_events {
            batch.add_work(PendingWork::Event, row)?;
        }
        if self.handles_failures
            && delivery.last_seen > self.now_ms - ACTED_ON_FOR_MS
            && is_new_failure(delivery)
        {
            batch.add_work(PendingWork::Failure, row)?;
        }
        Ok(())
    }

    /// Empties what has grown too large in memory.
    pub(crate) fn keep_bounded(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        if self.counts.is_full() {
            self.finish(batch)
        } else if self.classifier.has_many() {
            self.classifier.classify(batch)
        } else {
            Ok(())
        }
    }

    /// Writes reasons and counts: nothing of the transaction is left in memory.
    pub(crate) fn finish(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        self.classifier.classify(batch)?;
        let classifier = &self.classifier;
        self.counts.flush(batch, |batch, key| classifier.class(batch, key))
    }
}

/// Whether this is news of a final failure, and there is a sender to notify.
fn is_new_failure(delivery: &Delivery<'_>) -> bool {
    matches!(delivery.status, LoggedStatus::Bounced | LoggedStatus::Expired)
        && delivery.before.is_none_or(|before| before.status != delivery.status)
        && delivery.recipient.is_some()
        && delivery.sender.is_some_and(|sender| !sender.is_empty())
}
