//! What was counted in one interval: sums, delays and TLS levels by name, and reasons; and how it
//! is written.
//!
//! Not here: what counts (`delivery_counts`). Invariant: longer intervals are given classes, and
//! never replies, of which a stranger can send any number.

use super::counted_classes::CountedClasses;
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
    pub(crate) replies: FxHashMap<(ReasonKind, Name, u64), i64>,
    /// By kind, provider, and number of the class.
    reasons: FxHashMap<(ReasonKind, Name, u32), i64>,
}

/// What was counted under one name.
#[derive(Default)]
struct NameCount {
    sum: Sum,
    /// Deliveries by bucket of delay. There are few buckets.
    delays: Vec<(u8, u32)>,
    /// Sent deliveries by TLS level. There are few levels.
    tls: Vec<(Name, u32)>,
}

/// What is new of a delivery.
#[derive(Clone, Copy)]
pub(crate) struct News<'a> {
    pub(crate) sum: &'a Sum,
    /// The bucket of its delay, if it was sent.
    pub(crate) bucket: Option<u8>,
    /// Its TLS level, if it was sent and that was logged.
    pub(crate) level: Name,
}

impl NameCount {
    fn add(&mut self, news: News<'_>) {
        self.sum += news.sum;
        if let Some(bucket) = news.bucket {
            add(&mut self.delays, bucket, 1);
        }
        if news.level != NONE {
            add(&mut self.tls, news.level, 1);
        }
    }

    fn merge(&mut self, other: &NameCount) {
        self.sum += &other.sum;
        other.delays.iter().for_each(|(bucket, more)| add(&mut self.delays, *bucket, *more));
        other.tls.iter().for_each(|(level, more)| add(&mut self.tls, *level, *more));
    }
}

/// Adds to one of a few counts.
fn add<K: PartialEq>(counts: &mut Vec<(K, u32)>, key: K, more: u32) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, count)) => *count += more,
        None => counts.push((key, more)),
    }
}

/// Approximate bytes of a name with its counts, in a table that has room for more.
const NAMED: usize = size_of::<(Name, NameCount)>() * 3 / 2 + 32;
/// The same of a reply.
const REPLY: usize = size_of::<((ReasonKind, Name, u64), i64)>() * 3 / 2;

impl CountSlot {
    /// Approximate bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        let named: usize = self.named.iter().map(FxHashMap::len).sum();
        named * NAMED + self.replies.len() * REPLY
    }

    pub(crate) fn add(&mut self, news: News<'_>, names: &Names) {
        self.all.add(news);
        for ((counts, dimension), name) in self.named.iter_mut().zip(Dimension::NAMED).zip(names) {
            if *name != NONE {
                let only_sum = News { bucket: None, level: NONE, ..news };
                counts.entry(*name).or_default().add(if dimension.is_destination() {
                    news
                } else {
                    only_sum
                });
            }
        }
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
        let sum = if interval == Interval::Minute { Sum::default() } else { self.all.sum };
        let tls = levels(&self.all, numbers);
        let all = CountedSum { sum: &sum, delays: &self.all.delays, tls: &tls };
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
                let counted = CountedSum { sum: &count.sum, delays: &count.delays, tls: &tls };
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
            *of_source.entry(source).or_default() += &count.sum;
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
    count.tls.iter().map(|(level, deliveries)| (numbers.text(*level), *deliveries)).collect()
}
