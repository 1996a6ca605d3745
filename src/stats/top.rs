//! The biggest groups, and the rest as one.

use super::figures::GroupFigures;
use std::cmp::Reverse;
use std::collections::HashSet;

/// The name of all groups that are not shown one by one.
pub(crate) const OTHER: &str = "other";

/// The `most` biggest groups, and the others together. Names are unique, even if they came in
/// twice.
pub(crate) fn top(groups: &[GroupFigures], most: usize) -> (Vec<GroupFigures>, Option<GroupFigures>) {
    let mut sorted: Vec<&GroupFigures> = groups.iter().collect();
    sorted.sort_by_cached_key(|&group| (Reverse(group.outcomes.total()), &group.name));
    let mut seen = HashSet::new();
    let mut kept: Vec<GroupFigures> = Vec::new();
    let mut rest = None;
    for group in sorted {
        if group.name != OTHER && kept.len() < most && seen.insert(&group.name) {
            kept.push(group.clone());
            continue;
        }
        let same = seen.contains(&group.name).then(|| kept.iter_mut().find(|one| one.name == group.name));
        let into = match same.flatten() {
            Some(same) => same,
            None => rest.get_or_insert_with(|| GroupFigures { name: OTHER.into(), ..Default::default() }),
        };
        add(into, group);
    }
    (kept, rest)
}

/// The same of very many groups, whose names differ and whose delays are not known yet. The rest,
/// if there is one, is the last.
pub(crate) fn biggest(mut groups: Vec<GroupFigures>, most: usize) -> Vec<GroupFigures> {
    let by_size = |a: &GroupFigures, b: &GroupFigures| {
        (a.name == OTHER)
            .cmp(&(b.name == OTHER))
            .then_with(|| b.outcomes.total().cmp(&a.outcomes.total()).then_with(|| a.name.cmp(&b.name)))
    };
    let mut left = Vec::new();
    if groups.len() > most {
        groups.select_nth_unstable_by(most, by_size);
        left = groups.split_off(most);
    }
    groups.sort_unstable_by(by_size);
    if !left.is_empty() {
        let mut rest = GroupFigures { name: OTHER.into(), ..GroupFigures::default() };
        left.iter().for_each(|group| add(&mut rest, group));
        groups.push(rest);
    }
    groups
}

fn add(into: &mut GroupFigures, group: &GroupFigures) {
    into.outcomes += group.outcomes;
    into.deferrals += group.deferrals;
    into.bytes += group.bytes;
    for (level, deliveries) in &group.tls {
        *into.tls.entry(level.clone()).or_default() += deliveries;
    }
}
