//! The failures of the period, classified with the drafts: what each draft would decide.
//!
//! Invariant: memory is bounded by a piece of the failures, and by the hashes of the addresses of
//! the deliveries that drafts decide.

use super::draft_rule::DraftRule;
use crate::class::{BATCH, Class, DeliveryFailure, Severity};
use crate::error::{Error, Result};
use crate::index::{FailingDelivery, Index};
use crate::ingest::{ClassifyingPolicy, Watch};
use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet};
use std::hash::BuildHasher;

pub(super) struct BackTest<'a> {
    policy: &'a ClassifyingPolicy,
    /// By rule: hashes of addresses.
    addresses: FxHashMap<String, FxHashSet<u64>>,
}

impl<'a> BackTest<'a> {
    pub(super) fn new(policy: &'a ClassifyingPolicy) -> BackTest<'a> {
        BackTest { policy, addresses: FxHashMap::default() }
    }

    /// Counts what the drafts would change since a time.
    pub(super) fn run(
        mut self,
        index: &Index,
        since_ms: i64,
        drafts: &mut [DraftRule],
        watch: &Watch<'_>,
    ) -> Result<()> {
        let (mut after, mut looked) = (i64::MIN, 0);
        loop {
            let failing = index.failing_since(since_ms, after, BATCH)?;
            let Some(last) = failing.last() else { break };
            after = last.row;
            self.add(&failing, drafts)?;
            looked += failing.len() as u64;
            (watch.progress)(looked, 0);
            if watch.stopped() {
                return Err(Error::new("stopped before the end").remedy("run it again"));
            }
        }
        for draft in drafts {
            draft.changes.addresses = self.addresses.get(&draft.name).map_or(0, |all| all.len() as u64);
        }
        Ok(())
    }

    fn add(&mut self, failing: &[FailingDelivery], drafts: &mut [DraftRule]) -> Result<()> {
        let mut replies: FxHashMap<u64, DeliveryFailure> = FxHashMap::default();
        for one in failing {
            let reply = one.logged_reply();
            replies.entry(reply.key()).or_insert_with(|| reply.failure());
        }
        let (keys, failures): (Vec<u64>, Vec<DeliveryFailure>) = replies.into_iter().unzip();
        let classes = self.policy.classify(&failures).map_err(Error::new)?;
        let classes: FxHashMap<u64, Class> = keys.into_iter().zip(classes).collect();
        for one in failing {
            let class = classes.get(&one.logged_reply().key());
            let Some(class) = class.filter(|class| !class.rule.is_empty()) else { continue };
            if let Some(draft) = drafts.iter_mut().find(|draft| draft.name == class.rule) {
                draft.changes.deliveries += 1;
                draft.changes.known += u64::from(one.is_known());
                draft.changes.hard += u64::from(class.severity == Severity::Hard && !one.is_hard());
                let address = one.recipient.as_ref().map(|address| address.to_ascii_lowercase());
                let addresses = self.addresses.entry(class.rule.clone()).or_default();
                addresses.extend(address.map(|address| FxBuildHasher.hash_one(address)));
            }
        }
        Ok(())
    }
}
