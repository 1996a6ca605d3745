//! Deliveries that still wait, counted in every way that figures are.
//!
//! They change until they come to an end, so they are counted when figures are wanted, not when a
//! log is read. Invariant: no dimension has more than `NAMES` names here, however many there are.

use super::outcomes::Outcomes;
use super::top::OTHER;
use crate::dimension::Dimension;
use crate::dimension::names::{PROVIDER, Parties};
use crate::index::{Interval, WaitingDelivery};
use crate::maillog::Whose;
use std::collections::BTreeMap;

/// Names of each dimension that are counted one by one.
pub(crate) const NAMES: usize = 1000;

#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) all: Outcomes,
    /// When the oldest of our own deliveries that are deferred was first seen.
    pub(crate) oldest_deferred_ms: Option<i64>,
    /// What is not our own mail, in the order of [`Whose::APART`]; it counts nowhere else.
    pub(crate) apart: [Outcomes; 2],
    pub(crate) points: BTreeMap<i64, Outcomes>,
    named: BTreeMap<Dimension, BTreeMap<String, Outcomes>>,
    /// By reason and category.
    pub(crate) reasons: BTreeMap<(String, String), u64>,
    /// By provider and reason.
    pub(crate) provider_reasons: BTreeMap<(String, String), u64>,
}

impl Waiting {
    pub(crate) fn count(&mut self, one: &WaitingDelivery<'_>, step: Interval) {
        let (deferred, held) = if one.held { (0, 1) } else { (1, 0) };
        let outcomes = Outcomes { deferred, held, ..Outcomes::default() };
        if let Some(at) = Whose::APART.into_iter().position(|whose| whose == one.whose) {
            self.apart[at] += outcomes;
            return;
        }
        self.all += outcomes;
        if !one.held {
            let oldest = self.oldest_deferred_ms.unwrap_or(i64::MAX);
            self.oldest_deferred_ms = Some(oldest.min(one.first_ms));
        }
        *self.points.entry(step.start(one.last_ms)).or_default() += outcomes;
        let WaitingDelivery { recipient, sender, client, relay, .. } = *one;
        let names = Parties { recipient, sender, client, relay }.names();
        let provider = names[PROVIDER].clone();
        for (dimension, name) in Dimension::NAMED.into_iter().zip(names) {
            if let Some(name) = name {
                self.add(dimension, &name, outcomes);
            }
        }
        for source in one.sources {
            self.add(Dimension::Source, source, outcomes);
        }
        let Some(reason) = one.reason else { return };
        if let Some(provider) = provider {
            *self.provider_reasons.entry((provider.into(), reason.to_owned())).or_default() += 1;
        }
        let category = one.category.unwrap_or_default().to_owned();
        *self.reasons.entry((reason.to_owned(), category)).or_default() += 1;
    }

    fn add(&mut self, dimension: Dimension, name: &str, outcomes: Outcomes) {
        let known = self.named.entry(dimension).or_default();
        if let Some(counted) = known.get_mut(name) {
            *counted += outcomes;
            return;
        }
        let name = if known.len() < NAMES { name } else { OTHER };
        *known.entry(name.to_owned()).or_default() += outcomes;
    }

    /// What waits under each name of a dimension.
    pub(crate) fn by(&self, dimension: Dimension) -> impl Iterator<Item = (&String, &Outcomes)> {
        self.named.get(&dimension).into_iter().flatten()
    }
}
