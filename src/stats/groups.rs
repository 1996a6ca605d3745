//! Deliveries by a name that they have in common, out of the index: the biggest groups one by one,
//! and the rest as one.
//!
//! Not here: what still waits (`waiting`). Invariant: delays and TLS levels are read of the names
//! that are kept, however many there are.

use super::delays::delays;
use super::figures::GroupFigures;
use super::outcomes::Outcomes;
use super::top::{OTHER, top};
use super::waiting::{NAMES, Waiting};
use crate::dimension::Dimension;
use crate::dimension::names::ByName;
use crate::error::Result;
use crate::index::{Index, Stretch, Sum};

/// Outcomes, deferrals and bytes of each.
pub(crate) fn outcomes_of(
    index: &Index,
    stretches: &[Stretch],
    dimension: Dimension,
    waiting: &Waiting,
) -> Result<Vec<GroupFigures>> {
    let mut groups: ByName<GroupFigures> = ByName::default();
    for (name, sum) in index.sums(stretches, dimension)? {
        let (outcomes, deferrals, bytes) = (outcomes(&sum), count(sum.deferrals), count(sum.bytes));
        let group =
            GroupFigures { name: name.clone(), outcomes, deferrals, bytes, ..GroupFigures::default() };
        groups.insert(name, group);
    }
    for (name, outcomes) in waiting.by(dimension) {
        let empty = || GroupFigures { name: name.clone(), ..GroupFigures::default() };
        groups.entry(name.clone()).or_insert_with(empty).outcomes += *outcomes;
    }
    let groups: Vec<GroupFigures> = groups.into_values().collect();
    let (mut kept, rest) = top(&groups, NAMES);
    kept.extend(rest);
    Ok(kept)
}

/// The same with delays and TLS levels.
pub(crate) fn groups(
    index: &Index,
    stretches: &[Stretch],
    dimension: Dimension,
    waiting: &Waiting,
) -> Result<Vec<GroupFigures>> {
    let mut groups = outcomes_of(index, stretches, dimension, waiting)?;
    let place = |(at, group): (usize, &GroupFigures)| (group.name.clone(), at);
    let places: ByName<usize> = groups.iter().enumerate().map(place).collect();
    let place = |name: &str| places.get(name).copied().filter(|_| name != OTHER);
    let delays = delays(index, stretches, dimension, groups.len(), place)?;
    groups.iter_mut().zip(delays).for_each(|(group, delay)| group.delay = delay);
    let rest = places.get(OTHER);
    index.tls_levels(stretches, dimension, |name, level, deliveries| {
        if let Some(group) = places.get(name).or(rest).and_then(|at| groups.get_mut(*at)) {
            *group.tls.entry(level.to_owned()).or_default() += deliveries;
        }
    })?;
    Ok(groups)
}

pub(super) fn count(number: i64) -> u64 {
    number.try_into().unwrap_or(0)
}

pub(super) fn outcomes(sum: &Sum) -> Outcomes {
    Outcomes {
        sent: count(sum.sent),
        bounced: count(sum.bounced),
        deferred: 0,
        expired: count(sum.expired),
        rejected: count(sum.rejected),
        held: 0,
        deleted: count(sum.deleted),
        discarded: count(sum.discarded),
    }
}
