//! The text format of Prometheus: families of samples.
//!
//! Not here: which families there are. Invariant: label values are escaped, and a family has no
//! more names than allowed: the rest is `other`.

use crate::maillog::LoggedStatus;
use crate::stats::figures::GroupFigures;
use crate::stats::outcomes::STATUSES;
use crate::stats::render::wording;
use crate::stats::top::{OTHER, top};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Characters of a label's value.
const LONGEST: usize = 128;
/// TLS levels of one name.
const LEVELS: usize = 10;

#[derive(Default)]
pub(crate) struct Families {
    text: String,
    family: &'static str,
}

/// The samples of a histogram.
pub(crate) struct Histogram {
    pub(crate) within: Vec<(f64, u64)>,
    pub(crate) beyond: u64,
    pub(crate) sum: f64,
}

impl Families {
    pub(crate) fn finish(self) -> String {
        self.text
    }

    pub(crate) fn counter(&mut self, name: &'static str, help: &str) {
        self.begin(name, "counter", help);
    }

    pub(crate) fn gauge(&mut self, name: &'static str, help: &str) {
        self.begin(name, "gauge", help);
    }

    /// Counts by upper limits, each without those below it, the count beyond the last, and the sum.
    pub(crate) fn histogram(&mut self, name: &'static str, help: &str, counts: &Histogram) {
        self.begin(name, "histogram", help);
        let mut below = 0;
        for (limit, count) in &counts.within {
            below += count;
            let _ = writeln!(self.text, "{name}_bucket{{le=\"{limit}\"}} {below}");
        }
        let all = below + counts.beyond;
        let _ = writeln!(self.text, "{name}_bucket{{le=\"+Inf\"}} {all}");
        let _ = writeln!(self.text, "{name}_sum {}\n{name}_count {all}", counts.sum);
    }

    fn begin(&mut self, name: &'static str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self.family = name;
    }

    /// A sample of the family that was begun last.
    pub(crate) fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(self.family);
        for (at, (name, value)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{open}{name}=\"{value}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// A sample for each name and status. Statuses without deliveries are left out, except `sent`.
    pub(crate) fn groups(
        &mut self,
        label: &'static str,
        groups: &[GroupFigures],
        most: usize,
        shown: impl Fn(LoggedStatus) -> bool,
    ) {
        let clean = |group: &GroupFigures| GroupFigures { name: clean(&group.name), ..group.clone() };
        let (kept, rest) = top(&groups.iter().map(clean).collect::<Vec<_>>(), most);
        for group in kept.iter().chain(&rest) {
            for status in STATUSES.into_iter().filter(|status| shown(*status)) {
                let count = group.outcomes.of(status);
                if count > 0 || status == LoggedStatus::Sent {
                    self.sample(&[(label, &group.name), ("status", status.name())], count as f64);
                }
            }
        }
    }

    /// A sample for each name and TLS level.
    pub(crate) fn tls(&mut self, label: &'static str, groups: &[GroupFigures], most: usize) {
        let clean = |group: &GroupFigures| GroupFigures { name: clean(&group.name), ..group.clone() };
        let with_level = groups.iter().filter(|group| !group.tls.is_empty());
        let (kept, rest) = top(&with_level.map(clean).collect::<Vec<_>>(), most);
        for group in kept.iter().chain(&rest) {
            self.levels(&[(label, &group.name)], &group.tls);
        }
    }

    /// A sample for each TLS level.
    pub(crate) fn levels(&mut self, labels: &[(&str, &str)], tls: &BTreeMap<String, u64>) {
        let mut counts = BTreeMap::new();
        for (level, deliveries) in tls {
            *counts.entry(self::clean(level)).or_insert(0) += deliveries;
        }
        for (level, deliveries) in bounded(counts, LEVELS, OTHER.to_owned()) {
            self.sample(&[labels, &[("tls", &level)]].concat(), deliveries as f64);
        }
    }
}

pub(crate) fn clean(name: &str) -> String {
    wording::clean(name, LONGEST)
}

/// The biggest counts, and the others together.
pub(crate) fn bounded<K: Ord + Clone>(counts: BTreeMap<K, u64>, most: usize, other: K) -> Vec<(K, u64)> {
    let mut sorted: Vec<(K, u64)> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| Reverse(*count));
    let mut rest = 0u64;
    let mut kept = Vec::new();
    for (key, count) in sorted {
        if key == other || kept.len() == most {
            rest = rest.saturating_add(count);
        } else {
            kept.push((key, count));
        }
    }
    if rest > 0 {
        kept.push((other, rest));
    }
    kept
}
