//! Deliveries that still wait, counted in every way that figures are.
//!
//! They change until they come to an end, so they are counted when figures are wanted, not when a
//! log is read. Invariant: no dimension has more than `NAMES` names here, however many there are.

use super::outcomes::Outcomes;
use super::top::OTHER;
use crate::dimension::Dimension;
use crate::dimension::names::{NONE, Name, Numbers, PROVIDER, Parties};
use crate::index::{Interval, WaitingDelivery};
use crate::maillog::{DeliveryRoute, Whose};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Names of each dimension that are counted one by one.
pub(crate) const NAMES: usize = 1000;
/// The place of the sources among the dimensions.
const SOURCES: usize = Dimension::NAMED.len() - 1;
/// Names that are not counted are forgotten when they take this many bytes.
const FULL: usize = 8 << 20;

#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) all: Outcomes,
    /// When the oldest of our own deliveries that are deferred was first seen.
    pub(crate) oldest_deferred_ms: Option<i64>,
    /// What is not our own mail, in the order of [`Whose::APART`]; it counts nowhere else.
    pub(crate) apart: [Outcomes; 2],
    pub(crate) points: BTreeMap<i64, Outcomes>,
    numbers: Numbers,
    /// Bytes of those that had to be kept.
    kept: usize,
    /// In the order of [`Dimension::NAMED`].
    named: [FxHashMap<Name, Outcomes>; 6],
    /// By reason and category.
    reasons: FxHashMap<(Name, Name), u64>,
    /// By provider and reason.
    provider_reasons: FxHashMap<(Name, Name), u64>,
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
        if self.numbers.weight() > FULL + 2 * self.kept {
            self.forget();
        }
        let WaitingDelivery { recipient, sender, client, relay, .. } = *one;
        let parties = Parties { recipient, sender, client, relay };
        let names = self.numbers.of(&parties, &DeliveryRoute::default());
        for (place, name) in names.into_iter().enumerate().filter(|(_, name)| *name != NONE) {
            self.add(place, name, outcomes);
        }
        for source in one.sources {
            let name = self.numbers.number(source);
            self.add(SOURCES, name, outcomes);
        }
        let Some(reason) = one.reason else { return };
        let reason = self.numbers.number(reason);
        if names[PROVIDER] != NONE {
            *self.provider_reasons.entry((names[PROVIDER], reason)).or_default() += 1;
        }
        let category = self.numbers.number(one.category.unwrap_or_default());
        *self.reasons.entry((reason, category)).or_default() += 1;
    }

    fn add(&mut self, place: usize, name: Name, outcomes: Outcomes) {
        let counts = &mut self.named[place];
        let has_room = counts.len() < NAMES || counts.contains_key(&name);
        let name = if has_room { name } else { self.numbers.number(OTHER) };
        *counts.entry(name).or_default() += outcomes;
    }

    /// Keeps the names that something was counted under.
    fn forget(&mut self) {
        let before = std::mem::take(&mut self.numbers);
        let numbers = &mut self.numbers;
        let mut kept = |name: Name| numbers.number(before.text(name));
        for counts in &mut self.named {
            *counts = counts.drain().map(|(name, outcomes)| (kept(name), outcomes)).collect();
        }
        for counts in [&mut self.reasons, &mut self.provider_reasons] {
            *counts = counts.drain().map(|((a, b), count)| ((kept(a), kept(b)), count)).collect();
        }
        self.kept = self.numbers.weight();
    }

    /// What waits under each name of a dimension.
    pub(crate) fn by(&self, dimension: Dimension) -> impl Iterator<Item = (&str, &Outcomes)> {
        let place = Dimension::NAMED.into_iter().position(|named| named == dimension);
        let counts = place.and_then(|place| self.named.get(place)).into_iter().flatten();
        counts.map(|(name, outcomes)| (self.numbers.text(*name), outcomes))
    }

    /// By reason and category.
    pub(crate) fn reasons(&self) -> BTreeMap<(String, String), u64> {
        self.texts(&self.reasons)
    }

    /// By provider and reason.
    pub(crate) fn provider_reasons(&self) -> BTreeMap<(String, String), u64> {
        self.texts(&self.provider_reasons)
    }

    fn texts(&self, counts: &FxHashMap<(Name, Name), u64>) -> BTreeMap<(String, String), u64> {
        let text = |name: Name| self.numbers.text(name).to_owned();
        counts.iter().map(|((a, b), count)| ((text(*a), text(*b)), *count)).collect()
    }
}
