//! All failures in the index, classified again: the rules have changed. Not here: new lines.

use super::Watch;
use super::classifier::IN_MEMORY;
use super::classifying_policy::{ClassifyingPolicy, REMEMBERED};
use crate::class::{BATCH, Class, DeliveryFailure};
use crate::config::{Config, EventKind};
use crate::error::{Error, Result};
use crate::index::{FailingDelivery, Index};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Returns how many failures were classified, and how many have another reason now. `None`: another
/// process uses the index.
pub(crate) fn reclassify(config: &Arc<Config>, watch: &Watch<'_>) -> Result<Option<(u64, u64)>> {
    let path = config.index_path();
    let Some(index) = Index::look(&path)? else { return Ok(Some((0, 0))) };
    let Some(_lock) = Index::lock(&path)? else { return Ok(None) };
    let Some(policy) = ClassifyingPolicy::open(config)? else {
        return Err(Error::new("no policy classifies").remedy("set [index] policy to one that does"));
    };
    let is_told = config.keeps_events(EventKind::Delivery);
    let total = index.count()?;
    let (mut after, mut looked, mut changed) = (i64::MIN, 0, 0);
    let mut known: FxHashMap<u64, Class> = FxHashMap::default();
    loop {
        let failing = index.failing(after, BATCH)?;
        let Some(last) = failing.last() else { break };
        after = last.row;
        changed += classify_again(&index, &policy, &failing, &mut known, is_told)?;
        looked += failing.len() as u64;
        (watch.progress)(looked, total.saturating_sub(looked));
        if watch.stopped() {
            break;
        }
    }
    Ok(Some((looked, changed)))
}

fn classify_again(
    index: &Index,
    policy: &ClassifyingPolicy,
    failing: &[FailingDelivery],
    known: &mut FxHashMap<u64, Class>,
    is_told: bool,
) -> Result<u64> {
    if known.len() > IN_MEMORY {
        known.clear();
    }
    let mut unknown: FxHashMap<u64, DeliveryFailure> = FxHashMap::default();
    for reply in
        failing.iter().map(FailingDelivery::logged_reply).filter(|reply| !known.contains_key(&reply.key()))
    {
        unknown.entry(reply.key()).or_insert_with(|| reply.failure());
    }
    let (keys, failures): (Vec<u64>, Vec<DeliveryFailure>) = unknown.into_iter().unzip();
    let classes = policy.classify(&failures).map_err(Error::new)?;
    let mut batch = index.begin()?;
    batch.keep_classes_of(policy.hash(), REMEMBERED)?;
    for (key, class) in keys.into_iter().zip(classes) {
        batch.learn(key, &class)?;
        known.insert(key, class);
    }
    let mut changed = 0;
    for one in failing {
        if let Some(class) = known.get(&one.logged_reply().key()).filter(|class| one.differs(class)) {
            batch.classify(one.row, class)?;
            if is_told {
                batch.note_change(one.row)?;
            }
            changed += 1;
        }
    }
    batch.commit(None)?;
    Ok(changed)
}
