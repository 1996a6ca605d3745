//! What was counted in one interval: sums and delays by name, and reasons; and how it is written.
//!
//! Not here: what counts (`delivery_counts`).

use crate::class::Class;
use crate::dimension::Dimension;
use crate::dimension::names::{NONE, Name, Numbers};
use crate::error::Result;
use crate::index::{Interval, ReasonCount, ReasonKind, Sum, SumWriter};
use rustc_hash::FxHashMap;
use std::rc::Rc;

#[derive(Default)]
pub(crate) struct CountSlot {
    all: NameCount,
    /// In the order of [`Dimension::NAMED`].
    named: [FxHashMap<Name, NameCount>; 5],
    /// By kind, provider, and key of the reply.
    pub(crate) reasons: FxHashMap<(ReasonKind, Name, u64), i64>,
}

/// What was counted under one name.
#[derive(Default)]
struct NameCount {
    sum: Sum,
    /// Deliveries by bucket of delay. There are few buckets.
    delays: Vec<(u8, u32)>,
}

impl NameCount {
    fn add(&mut self, sum: &Sum, bucket: Option<u8>) {
        self.sum += sum;
        if let Some(bucket) = bucket {
            self.add_delays(bucket, 1);
        }
    }

    fn add_delays(&mut self, bucket: u8, more: u32) {
        match self.delays.iter_mut().find(|(known, _)| *known == bucket) {
            Some((_, deliveries)) => *deliveries += more,
            None => self.delays.push((bucket, more)),
        }
    }

    fn merge(&mut self, other: &NameCount) {
        self.sum += &other.sum;
        other.delays.iter().for_each(|(bucket, more)| self.add_delays(*bucket, *more));
    }
}

impl CountSlot {
    pub(crate) fn add(&mut self, sum: &Sum, bucket: Option<u8>, names: &[Name; 5]) {
        self.all.add(sum, bucket);
        for ((counts, dimension), name) in self.named.iter_mut().zip(Dimension::NAMED).zip(names) {
            if *name != NONE {
                let has_delays = matches!(dimension, Dimension::RecipientDomain | Dimension::Provider);
                counts.entry(*name).or_default().add(sum, bucket.filter(|_| has_delays));
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &CountSlot) {
        self.all.merge(&other.all);
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
        classes: &FxHashMap<u64, Option<Rc<Class>>>,
    ) -> Result<()> {
        // The sums of minutes were written with those of minutes that keep no names.
        let sum = if interval == Interval::Minute { Sum::default() } else { self.all.sum };
        sums.add((interval, Dimension::All, at), "", true, &sum, &self.all.delays)?;
        for (counts, dimension) in self.named.iter().zip(Dimension::NAMED) {
            // Strangers choose most names, so only providers are kept for ever.
            if interval == Interval::Ever && dimension != Dimension::Provider {
                continue;
            }
            let room = sums.room(interval, dimension, at, counts.len())?;
            for (name, count) in counts {
                let name = numbers.text(*name);
                sums.add((interval, dimension, at), name, room, &count.sum, &count.delays)?;
            }
        }
        self.write_reasons(sums, (interval, at), numbers, classes)
    }

    /// Many replies have one class.
    fn write_reasons(
        &self,
        sums: &mut SumWriter<'_>,
        (interval, at): (Interval, i64),
        numbers: &Numbers,
        classes: &FxHashMap<u64, Option<Rc<Class>>>,
    ) -> Result<()> {
        let mut reasons: FxHashMap<(ReasonKind, &str, &str, &str, bool), i64> = FxHashMap::default();
        for ((kind, provider, reply), times) in &self.reasons {
            if let Some(Some(class)) = classes.get(reply) {
                let (provider, unknown) = (numbers.text(*provider), class.rule.is_empty());
                *reasons.entry((*kind, provider, &class.reason, &class.category, unknown)).or_default() +=
                    times;
            }
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
