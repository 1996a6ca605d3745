//! The figures of a period, out of the index: what was counted, and what waits still.
//!
//! Not here: counting (`ingest`) and showing. Names are known by the hour, so a period of the past begins and ends with one; the
//! figures say which it was. Invariant: nothing is read but rows of the period.

use super::figures::{
    Figures, GroupFigures, LineCounts, OTHER, Outcomes, Percentiles, Point, ProviderReason, Reason,
    Resolution, UnknownText, top,
};
use super::period::Period;
use crate::clock::{self, DAY_MS, HOUR_MS};
use crate::dimension::Dimension;
use crate::dimension::names::{PROVIDER, Parties};
use crate::error::Result;
use crate::index::{Filter, HOURS_MS, Index, MINUTES_MS, RECENT_MS, ReasonKind, Sum, WaitingDelivery};
use crate::index::{Interval, ReasonCount};
use crate::maillog::Lines;
use jiff::Timestamp;

use std::collections::BTreeMap;

/// Names of each dimension that are told apart.
const NAMES: usize = 1000;
/// Shapes of unknown texts.
const SHAPES: u64 = 50;

/// The figures of a period, with the name of this host; without an index, none.
pub(crate) fn of_host(index: Option<&Index>, host: String, period: Period) -> Result<Figures> {
    let empty = || Figures { from_ms: period.0, to_ms: period.1, ..Figures::default() };
    let figures = index.map(|index| figures(index, period, clock::now_ms())).transpose()?;
    Ok(Figures { host, ..figures.unwrap_or_else(empty) })
}

/// The figures from one time (milliseconds since 1970) until before another.
pub(crate) fn figures(index: &Index, (from_ms, to_ms): Period, now_ms: i64) -> Result<Figures> {
    let newest_ms = index.newest(now_ms)?.unwrap_or(now_ms);
    let (kept, from, to) = steps(from_ms, to_ms, now_ms, newest_ms);
    let (step, course) = match to - from {
        length if length <= 3 * HOUR_MS && from >= newest_ms - MINUTES_MS => {
            (Resolution::Minute, Interval::Minute)
        }
        length if length <= 9 * DAY_MS && from >= newest_ms - HOURS_MS => (Resolution::Hour, Interval::Hour),
        _ => (Resolution::Day, Interval::Day),
    };
    let mut waits = Waits::default();
    index.waiting((from, to), |one| waits.count(one, course))?;
    for (at, sum) in index.course(course, (from, to))? {
        *waits.points.entry(at).or_default() += outcomes(&sum);
    }
    let series = std::mem::take(&mut waits.points).into_iter();
    Ok(Figures {
        step,
        series: series.map(|(at_ms, outcomes)| Point { at_ms, outcomes }).collect(),
        lines: counts(index.lines((from, to))?),
        unknown: unknown(index, from, to)?,
        ..gathered(index, kept, (from, to), waits, &index.reasons(kept, (from, to))?)?
    })
}

/// Everything since carom began to count: outcomes, providers and reasons, which never shrink.
pub(crate) fn lifelong(index: &Index) -> Result<Figures> {
    let whys = index.reasons(Interval::Ever, (0, 1))?;
    let mut figures = gathered(index, Interval::Ever, (0, 1), Waits::default(), &whys)?;
    (figures.totals.deferred, figures.totals.held) = index.waiting_count()?;
    figures.lines = counts(index.all_lines()?);
    Ok(figures)
}

/// Which steps make up a period, and where the first begins and the last ends; of what is long ago only days are known.
fn steps(from: i64, to: i64, now: i64, newest: i64) -> (Interval, i64, i64) {
    let whole = |step: i64| from.rem_euclid(step) == 0 && to.rem_euclid(step) == 0;
    let around = |step: Interval| (step, step.start(from), step.start(to - 1) + step.ms());
    if whole(DAY_MS) {
        (Interval::Day, from, to)
    } else if from < newest - HOURS_MS {
        around(Interval::Day)
    } else if whole(HOUR_MS) {
        (Interval::Hour, from, to)
    } else if from > now - RECENT_MS + 60_000 {
        around(Interval::Minute)
    } else {
        around(Interval::Hour)
    }
}

fn gathered(
    index: &Index,
    step: Interval,
    period: (i64, i64),
    waits: Waits,
    whys: &[ReasonCount],
) -> Result<Figures> {
    let at = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let all = index.sums(step, Dimension::All, period)?.pop().map(|(_, sum)| sum).unwrap_or_default();
    let mut totals = outcomes(&all);
    totals += waits.all;
    let mut named = Dimension::NAMED.into_iter().zip(waits.named);
    let mut lines = || match named.next() {
        Some((dimension, waits)) => lines(index, step, dimension, period, waits),
        None => Ok(Vec::new()),
    };
    Ok(Figures {
        from_ms: period.0,
        to_ms: period.1,
        utc_offset: clock::local_zone().to_offset(at(period.0)).seconds(),
        totals,
        deferrals: count(all.deferrals),
        unclassified: count(whys.iter().filter(|why| why.unknown).map(|why| why.number).sum()),
        bytes: count(all.bytes),
        delay: delays(index, step, Dimension::All, period)?.remove(""),
        reasons: reasons(whys, ReasonKind::Failed, waits.reasons),
        rejects: reasons(whys, ReasonKind::Rejected, BTreeMap::new()),
        // In the order of `Dimension::NAMED`.
        recipient_domains: lines()?,
        providers: lines()?,
        sender_domains: lines()?,
        clients: lines()?,
        relays: lines()?,
        provider_reasons: of_providers(whys, waits.of_providers),
        ..Figures::default()
    })
}

/// What waits still, counted.
#[derive(Default)]
struct Waits {
    all: Outcomes,
    points: BTreeMap<i64, Outcomes>,
    /// In the order of `Dimension::NAMED`.
    named: [BTreeMap<String, Outcomes>; 5],
    /// By reason and category.
    reasons: BTreeMap<(String, String), u64>,
    /// By provider and reason.
    of_providers: BTreeMap<(String, String), u64>,
}

impl Waits {
    fn count(&mut self, one: WaitingDelivery, step: Interval) {
        let (deferred, held) = if one.held { (0, 1) } else { (1, 0) };
        let outcomes = Outcomes { deferred, held, ..Outcomes::default() };
        self.all += outcomes;
        *self.points.entry(step.start(one.last_ms)).or_default() += outcomes;
        let WaitingDelivery { recipient, sender, client, relay, .. } = &one;
        let [recipient, sender, client, relay] = [recipient, sender, client, relay].map(Option::as_deref);
        let names = Parties { recipient, sender, client, relay }.names();
        let provider = names[PROVIDER].clone();
        for (known, name) in self.named.iter_mut().zip(names) {
            let Some(name) = name else { continue };
            let name = if known.len() < NAMES || known.contains_key(&*name) { &*name } else { OTHER };
            *known.entry(name.to_owned()).or_default() += outcomes;
        }
        let Some(reason) = &one.reason else { return };
        if let Some(provider) = provider {
            *self.of_providers.entry((provider.into(), reason.clone())).or_default() += 1;
        }
        let category = one.category.clone().unwrap_or_default();
        *self.reasons.entry((reason.clone(), category)).or_default() += 1;
    }
}

fn count(number: i64) -> u64 {
    number.try_into().unwrap_or(0)
}

fn outcomes(sum: &Sum) -> Outcomes {
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

fn counts(lines: Lines) -> LineCounts {
    LineCounts { parsed: lines.events, ignored: lines.ignored + lines.foreign, unknown: lines.unknown }
}

fn lines(
    index: &Index,
    step: Interval,
    dimension: Dimension,
    period: (i64, i64),
    waits: BTreeMap<String, Outcomes>,
) -> Result<Vec<GroupFigures>> {
    let mut delays = delays(index, step, dimension, period)?;
    let mut lines: BTreeMap<String, GroupFigures> = BTreeMap::new();
    for (name, sum) in index.sums(step, dimension, period)? {
        let line = GroupFigures {
            outcomes: outcomes(&sum),
            deferrals: count(sum.deferrals),
            bytes: count(sum.bytes),
            delay: delays.remove(&name),
            name: name.clone(),
        };
        lines.insert(name, line);
    }
    for (name, outcomes) in waits {
        let line =
            lines.entry(name.clone()).or_insert_with(|| GroupFigures { name, ..GroupFigures::default() });
        line.outcomes += outcomes;
    }
    let lines: Vec<GroupFigures> = lines.into_values().collect();
    let (mut kept, rest) = top(&lines, NAMES);
    kept.extend(rest);
    Ok(kept)
}

/// Within how long deliveries were made, by name.
fn delays(
    index: &Index,
    step: Interval,
    dimension: Dimension,
    period: (i64, i64),
) -> Result<BTreeMap<String, Percentiles>> {
    let mut buckets: BTreeMap<String, Vec<(u8, u64)>> = BTreeMap::new();
    for (name, bucket, deliveries) in index.delays(step, dimension, period)? {
        buckets.entry(name).or_default().push((bucket, deliveries));
    }
    Ok(buckets.into_iter().map(|(name, buckets)| (name, percentiles(&buckets))).collect())
}

fn percentiles(buckets: &[(u8, u64)]) -> Percentiles {
    let all: u64 = buckets.iter().map(|(_, deliveries)| deliveries).sum();
    let within = |share: f64| {
        let wanted = share * all as f64;
        let mut before = 0.0;
        for (bucket, deliveries) in buckets {
            let here = *deliveries as f64;
            if before + here >= wanted {
                let part = ((wanted - before) / here.max(1.0)).clamp(0.0, 1.0);
                return 0.01 * 2f64.powf((f64::from(*bucket) - 0.5 + part) / 4.0);
            }
            before += here;
        }
        0.0
    };
    let rounded = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    Percentiles { p50: rounded(within(0.5)), p90: rounded(within(0.9)), p99: rounded(within(0.99)) }
}

/// The most frequent first.
fn reasons(
    whys: &[ReasonCount],
    kind: ReasonKind,
    mut counts: BTreeMap<(String, String), u64>,
) -> Vec<Reason> {
    for why in whys.iter().filter(|why| why.kind == kind) {
        *counts.entry((why.reason.clone(), why.category.clone())).or_default() += count(why.number);
    }
    let reason = |((reason, category), count)| Reason { reason, category, count };
    let mut reasons: Vec<Reason> = counts.into_iter().map(reason).collect();
    reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    reasons
}

fn of_providers(whys: &[ReasonCount], mut counts: BTreeMap<(String, String), u64>) -> Vec<ProviderReason> {
    for why in whys.iter().filter(|why| why.kind == ReasonKind::Failed && !why.provider.is_empty()) {
        *counts.entry((why.provider.clone(), why.reason.clone())).or_default() += count(why.number);
    }
    let of = |((provider, reason), count)| ProviderReason { provider, reason, count };
    counts.into_iter().map(of).collect()
}

fn unknown(index: &Index, from: i64, to: i64) -> Result<Vec<UnknownText>> {
    let filter =
        Filter { since_ms: Some(from), until_ms: Some(to), limit: Some(SHAPES), ..Filter::default() };
    let shapes = index.unclassified(&filter)?.into_iter();
    Ok(shapes.map(|one| UnknownText { shape: one.shape, count: one.count, example: one.example }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_within_their_bucket() {
        let one = percentiles(&[(28, 1)]);
        // Bucket 28 is 0.01 s times 2 to the 7: 1.28 s, give or take 9 %.
        assert!((1.17..1.40).contains(&one.p50) && one.p50 <= one.p99, "{one:?}");
        let many = percentiles(&[(0, 50), (28, 45), (60, 5)]);
        assert!(many.p50 < 0.012 && (1.1..1.4).contains(&many.p90) && many.p99 > 300.0, "{many:?}");
    }

    #[test]
    fn a_period_of_the_past_has_whole_hours() {
        let now = 50 * DAY_MS + 5 * HOUR_MS;
        let steps = |from, to, now| steps(from, to, now, now);
        assert_eq!(steps(DAY_MS, 3 * DAY_MS, now), (Interval::Day, DAY_MS, 3 * DAY_MS));
        assert_eq!(steps(HOUR_MS, DAY_MS, now), (Interval::Hour, HOUR_MS, DAY_MS));
        assert_eq!(steps(HOUR_MS + 5, 2 * HOUR_MS + 1, now), (Interval::Hour, HOUR_MS, 3 * HOUR_MS));
        let minute = 60_000;
        let ago = now - 15 * minute;
        assert_eq!(steps(ago + 1, now + 1, now), (Interval::Minute, ago, now + minute));
        let later = now + 101 * DAY_MS;
        assert_eq!(steps(DAY_MS + HOUR_MS, 2 * DAY_MS + HOUR_MS, later), (Interval::Day, DAY_MS, 3 * DAY_MS));
    }
}
