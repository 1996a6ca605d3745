//! What changed: the last whole hour beside the same hour of last week.
//!
//! Not here: figures, and how it looks (`render`). Invariant: what is shown is what differs most
//! for its size, so that a small name that fails is not hidden by a large one that does well.

use super::figures::{Figures, GroupFigures, Reason};
use super::top::OTHER;
use crate::clock::{DAY_MS, HOUR_MS};
use std::collections::BTreeMap;

/// Reasons and destinations that are shown.
const MOST: usize = 8;
/// What differs by less is chance: in units of the deviation that counts have by themselves.
const NOTABLE: f64 = 3.0;

/// The last whole hour, and the same hour seven days before.
pub(crate) fn hours(now_ms: i64) -> [(i64, i64); 2] {
    let to = now_ms.div_euclid(HOUR_MS) * HOUR_MS;
    [(to - HOUR_MS, to), (to - HOUR_MS - 7 * DAY_MS, to - 7 * DAY_MS)]
}

/// One thing that was counted in both hours.
#[derive(Clone, Debug)]
pub(crate) struct ChangedCount {
    /// An option of `carom deliveries` and its value.
    pub(crate) choice: (&'static str, String),
    pub(crate) name: String,
    pub(crate) now: u64,
    pub(crate) before: u64,
}

#[derive(Debug)]
pub(crate) struct HourChange {
    pub(crate) now_ms: (i64, i64),
    pub(crate) before_ms: (i64, i64),
    /// Outcomes, always shown.
    pub(crate) outcomes: Vec<ChangedCount>,
    /// What differs most.
    pub(crate) notable: Vec<ChangedCount>,
}

impl HourChange {
    pub(crate) fn between(now: Figures, before: Figures) -> HourChange {
        let count = |name: &str, statuses: &str, of: fn(&Figures) -> u64| ChangedCount {
            choice: ("status", statuses.to_owned()),
            name: name.to_owned(),
            now: of(&now),
            before: of(&before),
        };
        let failed = |figures: &Figures| figures.totals.bounced.saturating_add(figures.totals.expired);
        let outcomes = vec![
            count("Delivered", "sent", |figures| figures.totals.sent),
            count("Failed", "bounced,expired", failed),
            count("Rejected", "rejected", |figures| figures.totals.rejected),
        ];
        let mut notable = both("reason", reasons(&now), reasons(&before));
        notable.extend(both("provider", failures(&now.providers), failures(&before.providers)));
        notable.extend(both("domain", failures(&now.recipient_domains), failures(&before.recipient_domains)));
        notable.retain(|one| one.weight() >= NOTABLE);
        notable.sort_by(|a, b| b.weight().total_cmp(&a.weight()).then_with(|| a.name.cmp(&b.name)));
        notable.truncate(MOST);
        let (now_ms, before_ms) = ((now.from_ms, now.to_ms), (before.from_ms, before.to_ms));
        HourChange { now_ms, before_ms, outcomes, notable }
    }
}

impl ChangedCount {
    /// How unlikely the difference is by chance: counts vary by their square root.
    fn weight(&self) -> f64 {
        let (now, before) = (self.now as f64, self.before as f64);
        (now - before).abs() / (now + before).sqrt().max(1.0)
    }
}

fn reasons(figures: &Figures) -> BTreeMap<String, u64> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for Reason { reason, count, .. } in &figures.reasons {
        *counts.entry(reason.clone()).or_default() += count;
    }
    counts
}

fn failures(groups: &[GroupFigures]) -> BTreeMap<String, u64> {
    let failed = |group: &GroupFigures| group.outcomes.bounced.saturating_add(group.outcomes.expired);
    let named = groups.iter().filter(|group| group.name != OTHER);
    named.map(|group| (group.name.clone(), failed(group))).collect()
}

fn both(
    option: &'static str,
    now: BTreeMap<String, u64>,
    mut before: BTreeMap<String, u64>,
) -> Vec<ChangedCount> {
    let of = |name: String, now: u64, before: u64| ChangedCount {
        choice: (option, name.clone()),
        name,
        now,
        before,
    };
    let mut all: Vec<ChangedCount> = Vec::new();
    for (name, count) in now {
        let was = before.remove(&name).unwrap_or(0);
        all.push(of(name, count, was));
    }
    all.extend(before.into_iter().map(|(name, was)| of(name, 0, was)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_chance_is_left_out() {
        let reason = |reason: &str, count| Reason { reason: reason.into(), count, ..Reason::default() };
        let now =
            Figures { reasons: vec![reason("rate-limit", 60), reason("full", 11)], ..Figures::default() };
        let before = Figures { reasons: vec![reason("full", 9), reason("gone", 40)], ..Figures::default() };
        let change = HourChange::between(now, before);
        let names: Vec<&str> = change.notable.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["rate-limit", "gone"]);
    }

    #[test]
    fn the_hours_are_whole_and_seven_days_apart() {
        let [(from, to), (was_from, was_to)] = hours(8 * DAY_MS + HOUR_MS + 5);
        assert_eq!((from, to), (8 * DAY_MS, 8 * DAY_MS + HOUR_MS));
        assert_eq!((was_from, was_to), (DAY_MS, DAY_MS + HOUR_MS));
    }
}
