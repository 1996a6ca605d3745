//! TLS by destination: which destinations were sent mail without it.
//!
//! Not here: how it looks (`render`). Invariant: a destination is listed only where the log says
//! the level of its deliveries.

use super::figures::GroupFigures;
use std::cmp::Reverse;

/// The level of a session without TLS, as Postfix logs it.
pub(crate) const WITHOUT: &str = "none";

/// Sent deliveries of a destination by how they were encrypted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TlsDestination<'a> {
    pub(crate) group: &'a GroupFigures,
    /// Without TLS.
    pub(crate) without: u64,
    /// With a known level.
    pub(crate) all: u64,
}

impl TlsDestination<'_> {
    /// The levels with TLS: `dane 20, may 3`.
    pub(crate) fn levels(&self) -> String {
        let mut levels: Vec<(&String, &u64)> =
            self.group.tls.iter().filter(|(level, _)| *level != WITHOUT).collect();
        levels.sort_by_key(|(level, deliveries)| (Reverse(**deliveries), *level));
        let levels: Vec<String> =
            levels.iter().map(|(level, deliveries)| format!("{level} {deliveries}")).collect();
        levels.join(", ")
    }
}

/// The destinations with a known level, most deliveries without TLS first.
pub(crate) fn by_destination(groups: &[GroupFigures]) -> Vec<TlsDestination<'_>> {
    let with_level = groups.iter().filter(|group| !group.tls.is_empty());
    let mut all: Vec<TlsDestination<'_>> = with_level
        .map(|group| TlsDestination {
            group,
            without: group.tls.get(WITHOUT).copied().unwrap_or(0),
            all: group.tls.values().sum(),
        })
        .collect();
    all.sort_by_key(|one| (Reverse(one.without), Reverse(one.all), &one.group.name));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_without_tls_come_first() {
        let group = |name: &str, tls: &[(&str, u64)]| GroupFigures {
            name: name.into(),
            tls: tls.iter().map(|(level, deliveries)| ((*level).to_owned(), *deliveries)).collect(),
            ..GroupFigures::default()
        };
        let groups = [
            group("a.example", &[("may", 9), ("dane", 20)]),
            group("b.example", &[("none", 2), ("may", 1)]),
            group("c.example", &[]),
        ];
        let found: Vec<_> = by_destination(&groups)
            .iter()
            .map(|one| (one.group.name.clone(), one.without, one.all, one.levels()))
            .collect();
        let want = [("b.example", 2, 3, "may 1"), ("a.example", 0, 29, "dane 20, may 9")];
        assert_eq!(
            found,
            want.map(|(name, without, all, levels)| (name.into(), without, all, levels.into()))
        );
    }
}
