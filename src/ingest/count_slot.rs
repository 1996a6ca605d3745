//! What was counted in one interval: sums, delays and TLS levels by name, and reasons; and how it
//! is written.
//!
//! Not here: what counts (`delivery_counts`), and the counts of one name (`name_count`). Invariant:
//! longer intervals are given classes, and never replies, of which a stranger can send any number.

use super::counted_classes::CountedClasses;
use super::name_count::{NameCount, News};
use crate::dimension::Dimension;
use crate::dimension::names::{NONE, Name, Names, Numbers};
use crate::error::Result;
use crate::index::{CountedSum, Interval, ReasonCount, ReasonKind, Sum, SumWriter};
use crate::maillog::Whose;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

#[derive(Default)]
pub(crate) struct CountSlot {
    all: NameCount,
    /// In the order of [`Dimension::NAMED`].
    named: [FxHashMap<Name, NameCount>; 6],
    /// What is not our own mail, in the order of [`Whose::APART`].
    apart: [Sum; 2],
    /// By kind, provider, and key of the reply.
    replies: FxHashMap<(ReasonKind, Name, u64), i64>,
    /// By kind, provider, and number of the class.
    reasons: FxHashMap<(ReasonKind, Name, u32), i64>,
}

/// Approximate bytes of a reply, in a table that has room for more.
const REPLY: usize = size_of::<((ReasonKind, Name, u64), i64)>() * 3 / 2;

impl CountSlot {
    /// Returns how many bytes of memory that takes, about.
    pub(crate) fn add(&mut self, news: News<'_>, names: &Names) -> usize {
        self.all.add(news);
        let mut weight = 0;
        for ((counts, dimension), name) in self.named.iter_mut().zip(Dimension::NAMED).zip(names) {
            if *name != NONE {
                let only_sum = News { bucket: None, level: NONE, ..news };
                let news = if dimension.is_destination() { news } else { only_sum };
                let known = counts.len();
                weight += counts.entry(*name).or_default().add(news);
                weight += (counts.len() - known) * NameCount::WEIGHT;
            }
        }
        weight
    }

    /// Adds to a reply; returns how many bytes of memory that takes, about.
    pub(crate) fn add_reply(&mut self, kind: ReasonKind, provider: Name, reply: u64, times: i64) -> usize {
        let known = self.replies.len();
        *self.replies.entry((kind, provider, reply)).or_default() += times;
        (self.replies.len() - known) * REPLY
    }

    /// Adds what is not our own mail.
    pub(crate) fn add_apart(&mut self, whose: Whose, more: &Sum) {
        for (sum, apart) in self.apart.iter_mut().zip(Whose::APART) {
            if apart == whose {
                *sum += more;
            }
        }
    }

    /// Counts by class what was counted by reply. Replies without a class have no reason.
    pub(crate) fn classify(&mut self, class: &mut impl FnMut(u64) -> Result<Option<u32>>) -> Result<()> {
        for ((kind, provider, reply), times) in std::mem::take(&mut self.replies) {
            if let Some(class) = class(reply)? {
                *self.reasons.entry((kind, provider, class)).or_default() += times;
            }
        }
        Ok(())
    }

    /// Adds what was classified.
    pub(crate) fn merge(&mut self, other: &CountSlot) {
        self.all.merge(&other.all);
        self.apart.iter_mut().zip(&other.apart).for_each(|(sum, more)| *sum += more);
        for (into, from) in self.named.iter_mut().zip(&other.named) {
            for (name, count) in from {
                into.entry(*name).or_default().merge(count);
            }
        }
        for (key, times) in &other.reasons {
            *self.reasons.entry(*key).or_default() += times;
        }
    }

    pub(crate) fn write(
        &self,
        sums: &mut SumWriter<'_>,
        (interval, at): (Interval, i64),
        numbers: &Numbers,
        classes: &CountedClasses,
    ) -> Result<()> {
        // The sums of minutes were written with those of minutes that keep no names.
        let sum = if interval == Interval::Minute { Sum::default() } else { self.all.sum() };
        let tls = levels(&self.all, numbers);
        let all = CountedSum { sum: &sum, delays: &self.all.delays(), tls: &tls };
        sums.add((interval, Dimension::All, at), "", true, &all)?;
        for (sum, whose) in self.apart.iter().zip(Whose::APART).filter(|(sum, _)| **sum != Sum::default()) {
            let counted = CountedSum { sum, delays: &[], tls: &[] };
            sums.add((interval, Dimension::Whose, at), whose.name(), true, &counted)?;
        }
        for (counts, dimension) in self.named.iter().zip(Dimension::NAMED) {
            // Strangers choose most names, so only providers are kept for ever.
            if interval == Interval::Ever && dimension != Dimension::Provider {
                continue;
            }
            if dimension == Dimension::Source {
                write_sources(sums, (interval, at), counts, numbers)?;
                continue;
            }
            let room = sums.room(interval, dimension, at, counts.len())?;
            // In the order of the table, so that neighbors are written together.
            let mut sorted: Vec<(&str, &NameCount)> =
                counts.iter().map(|(name, count)| (numbers.text(*name), count)).collect();
            sorted.sort_unstable_by_key(|(name, _)| *name);
            for (name, count) in sorted {
                let tls = levels(count, numbers);
                let counted = CountedSum { sum: &count.sum(), delays: &count.delays(), tls: &tls };
                sums.add((interval, dimension, at), name, room, &counted)?;
            }
        }
        self.write_reasons(sums, (interval, at), numbers, classes)
    }

    /// Many classes have one reason.
    fn write_reasons(
        &self,
        sums: &mut SumWriter<'_>,
        (interval, at): (Interval, i64),
        numbers: &Numbers,
        classes: &CountedClasses,
    ) -> Result<()> {
        let mut reasons: FxHashMap<(ReasonKind, &str, &str, &str, bool), i64> = FxHashMap::default();
        for ((kind, provider, class), times) in &self.reasons {
            let (provider, class) = (numbers.text(*provider), classes.class(*class));
            let unknown = class.rule.is_empty();
            *reasons.entry((*kind, provider, &class.reason, &class.category, unknown)).or_default() += times;
        }
        for ((kind, provider, reason, category, unknown), number) in reasons {
            let (provider, reason, category) = (provider.into(), reason.into(), category.into());
            sums.add_reason(
                interval,
                at,
                &ReasonCount { kind, provider, reason, category, unknown, number },
            )?;
        }
        Ok(())
    }
}

/// Counts a delivery under each of its sources.
fn write_sources(
    sums: &mut SumWriter<'_>,
    (interval, at): (Interval, i64),
    counts: &FxHashMap<Name, NameCount>,
    numbers: &Numbers,
) -> Result<()> {
    let mut of_source: BTreeMap<&str, Sum> = BTreeMap::new();
    for (sources, count) in counts {
        for source in numbers.each_source(*sources) {
            *of_source.entry(source).or_default() += &count.sum();
        }
    }
    let room = sums.room(interval, Dimension::Source, at, of_source.len())?;
    for (source, sum) in &of_source {
        let counted = CountedSum { sum, delays: &[], tls: &[] };
        sums.add((interval, Dimension::Source, at), source, room, &counted)?;
    }
    Ok(())
}

fn levels<'n>(count: &NameCount, numbers: &'n Numbers) -> Vec<(&'n str, u32)> {
    count.levels().iter().map(|(level, deliveries)| (numbers.text(*level), *deliveries)).collect()
}
