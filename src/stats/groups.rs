//! Deliveries by a name that they have in common, out of the index: the biggest groups one by one,
//! and the rest as one.
//!
//! Not here: what still waits (`waiting`). Invariant: delays and TLS levels are read of the names
//! that are kept, however many there are.

use super::delays::delays;
use super::figures::GroupFigures;
use super::outcomes::Outcomes;
use super::top::{OTHER, biggest};
use super::waiting::{NAMES, Waiting};
use crate::dimension::Dimension;
use crate::dimension::names::ByName;
use crate::error::Result;
use crate::index::{Index, Stretch, Sum};

/// Outcomes, deferrals and bytes of each; the rest, if there is one, is the last.
pub(crate) fn outcomes_of(
    index: &Index,
    stretches: &[Stretch],
    dimension: Dimension,
    waiting: &Waiting,
) -> Result<Vec<GroupFigures>> {
    Ok(outcomes_with(index.sums(stretches, dimension)?, dimension, waiting))
}

fn outcomes_with(mut sums: ByName<Sum>, dimension: Dimension, waiting: &Waiting) -> Vec<GroupFigures> {
    let mut groups: Vec<GroupFigures> = Vec::with_capacity(sums.len());
    for (name, waits) in waiting.by(dimension) {
        let mut group = group(name.to_owned(), &sums.remove(name).unwrap_or_default());
        group.outcomes += *waits;
        groups.push(group);
    }
    groups.extend(sums.into_iter().map(|(name, sum)| group(name, &sum)));
    biggest(groups, NAMES)
}

/// The same with delays and TLS levels.
pub(crate) fn groups(
    index: &Index,
    stretches: &[Stretch],
    dimension: Dimension,
    waiting: &Waiting,
) -> Result<Vec<GroupFigures>> {
    groups_with(index, stretches, dimension, index.sums(stretches, dimension)?, waiting)
}

/// The same, of sums that were read before.
pub(crate) fn groups_with(
    index: &Index,
    stretches: &[Stretch],
    dimension: Dimension,
    sums: ByName<Sum>,
    waiting: &Waiting,
) -> Result<Vec<GroupFigures>> {
    let mut groups = outcomes_with(sums, dimension, waiting);
    if !dimension.is_destination() {
        return Ok(groups);
    }
    let names: Vec<&str> = groups.iter().map(|group| &*group.name).filter(|name| *name != OTHER).collect();
    let delays = delays(index, stretches, dimension, &names)?;
    let places: ByName<usize> = names.iter().enumerate().map(|(at, name)| ((*name).to_owned(), at)).collect();
    let rest = groups.iter().position(|group| group.name == OTHER);
    groups.iter_mut().zip(delays).for_each(|(group, delay)| group.delay = delay);
    index.tls_levels(stretches, dimension, |name, level, deliveries| {
        let Some(group) = places.get(name).copied().or(rest).and_then(|at| groups.get_mut(at)) else {
            return;
        };
        match group.tls.get_mut(level) {
            Some(known) => *known += deliveries,
            None => _ = group.tls.insert(level.to_owned(), deliveries),
        }
    })?;
    Ok(groups)
}

fn group(name: String, sum: &Sum) -> GroupFigures {
    let (outcomes, deferrals, bytes) = (outcomes(sum), count(sum.deferrals), count(sum.bytes));
    GroupFigures { name, outcomes, deferrals, bytes, ..GroupFigures::default() }
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
