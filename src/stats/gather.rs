//! The figures of a period, out of the index: what was counted, and what still waits.
//!
//! Names are counted by the hour, so a period of the past begins and ends with an hour; the figures
//! say which it was. Not here: counting (`ingest`) and showing. Invariant: only rows of the period
//! are read.

use super::delays::delays;
use super::domains_beside::DomainsBeside;
use super::figures::{Figures, GroupFigures, LineCounts, ProviderReason, Reason, StoreFigures, UnknownText};
use super::groups::{count, groups, outcomes, outcomes_of};
use super::hour_change::{HourChange, hours};
use super::period::{Period, in_steps};
use super::series::{Point, Resolution};
use super::waiting::Waiting;
use crate::clock::{self, DAY_MS, HOUR_MS};
use crate::dimension::Dimension;
use crate::dimension::domain::NULL_SENDER;
use crate::error::Result;
use crate::index::{
    DeliveryQuality, Filter, HOURS_MS, Index, Interval, MINUTES_MS, RECENT_MS, ReasonCount, ReasonKind,
    Stretch, Sum,
};
use crate::maillog::{Lines, Whose};
use crate::store::Store;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Shapes of unknown texts.
const SHAPES: u64 = 50;

/// The figures of a period with the name of this host; empty without an index.
pub(crate) fn of_host(index: Option<&Index>, host: String, period: Period) -> Result<Figures> {
    let empty = || Figures { from_ms: period.0, to_ms: period.1, ..Figures::default() };
    let figures = index.map(|index| figures(index, period, clock::now_ms())).transpose()?;
    let unreadable = index.map(Index::unreadable_logs).transpose()?.unwrap_or_default();
    Ok(Figures { host, unreadable, ..figures.unwrap_or_else(empty) })
}

pub(crate) fn figures(index: &Index, period: Period, now_ms: i64) -> Result<Figures> {
    let newest_ms = index.newest(now_ms)?.unwrap_or(now_ms);
    let (step, period) = steps(period, now_ms, newest_ms);
    let ((from, to), stretches) = (period, index.stretches(step, period)?);
    let (step, course) = match to - from {
        length if length <= 3 * HOUR_MS && from >= newest_ms - MINUTES_MS => {
            (Resolution::Minute, Interval::Minute)
        }
        length if length <= 9 * DAY_MS && from >= newest_ms - HOURS_MS => (Resolution::Hour, Interval::Hour),
        _ => (Resolution::Day, Interval::Day),
    };
    std::thread::scope(|scope| {
        let domains = DomainsBeside::begin(scope, index, &stretches);
        let mut waiting = Waiting::default();
        index.waiting(period, |one| waiting.count(&one, course))?;
        let waiting = Arc::new(waiting);
        domains.tell(&waiting);
        let mut points = waiting.points.clone();
        for (at, sum) in index.course(course, period)? {
            *points.entry(at).or_default() += outcomes(&sum);
        }
        Ok(Figures {
            step,
            series: points.into_iter().map(|(at_ms, outcomes)| Point { at_ms, outcomes }).collect(),
            lines: counts(index.lines(period)?),
            unknown: unknown(index, period)?,
            ..gathered(index, &stretches, period, &waiting, || domains.end(&waiting))?
        })
    })
}

/// Less of a period, which is read in less time: totals, why deliveries failed, providers and
/// recipient domains, without delays and TLS levels.
pub(crate) fn outcomes_alone(index: &Index, period: Period, now_ms: i64) -> Result<Figures> {
    let newest_ms = index.newest(now_ms)?.unwrap_or(now_ms);
    let (step, period) = steps(period, now_ms, newest_ms);
    let (stretches, mut waiting) = (index.stretches(step, period)?, Waiting::default());
    index.waiting(period, |one| waiting.count(&one, step))?;
    let (mut totals, counted) = (outcomes(&total(index, &stretches)?), index.reasons(&stretches)?);
    totals += waiting.all;
    let groups = |dimension| outcomes_of(index, &stretches, dimension, &waiting);
    Ok(Figures {
        from_ms: period.0,
        to_ms: period.1,
        totals,
        recipient_domains: groups(Dimension::RecipientDomain)?,
        providers: groups(Dimension::Provider)?,
        reasons: reasons(&counted, ReasonKind::Failed, waiting.reasons()),
        ..Figures::default()
    })
}

/// What a page shows beside the figures of its period.
#[derive(Debug)]
pub(crate) struct PresentFigures {
    pub(crate) change: HourChange,
    pub(crate) quality: DeliveryQuality,
}

pub(crate) fn present(index: &Index, now_ms: i64) -> Result<PresentFigures> {
    let [now, before] = hours(now_ms).map(|hour| outcomes_alone(index, hour, now_ms));
    Ok(PresentFigures { change: HourChange::between(now?, before?), quality: index.quality()? })
}

/// What is in the store now; `None` if there is none yet.
pub(crate) fn of_store(store: &Store, now_ms: i64) -> Result<Option<StoreFigures>> {
    if !store.exists() {
        return Ok(None);
    }
    let ((pending, parked), suppressed) = (store.step_counts()?, store.suppressed_count(now_ms)?);
    let paused = store.paused_steps()?;
    Ok(Some(StoreFigures { pending, paused, parked, suppressed }))
}

/// Everything since carom began to count: outcomes, providers and reasons, which never shrink.
pub(crate) fn lifelong(index: &Index) -> Result<Figures> {
    let period = (0, 1);
    let ever = Stretch::of(Interval::Ever, period);
    let nothing = Waiting::default();
    // Of names that strangers choose, nothing is kept for ever.
    let mut figures = gathered(index, &ever, period, &nothing, || Ok(Vec::new()))?;
    let [own, others, carom] = index.waiting_count()?;
    let waiting = [(&mut figures.totals, own), (&mut figures.others, others), (&mut figures.carom, carom)];
    for (outcomes, (deferred, held)) in waiting {
        (outcomes.deferred, outcomes.held) = (deferred, held);
    }
    figures.lines = counts(index.all_lines()?);
    Ok(figures)
}

/// The steps that make up a period, and where the first begins and the last ends. The distant past
/// is known by the day only.
fn steps((from, to): Period, now: i64, newest: i64) -> (Interval, Period) {
    let is_whole = from.rem_euclid(HOUR_MS) == 0 && to.rem_euclid(HOUR_MS) == 0;
    let around = |step: Interval| (step, in_steps((from, to), step, now));
    if from < newest - HOURS_MS {
        around(Interval::Day)
    } else if is_whole {
        (Interval::Hour, (from, to))
    } else if from > now - RECENT_MS + 60_000 {
        around(Interval::Minute)
    } else {
        around(Interval::Hour)
    }
}

fn gathered(
    index: &Index,
    stretches: &[Stretch],
    period: Period,
    waiting: &Waiting,
    recipient_domains: impl FnOnce() -> Result<Vec<GroupFigures>>,
) -> Result<Figures> {
    let at = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let (all, counted) = (total(index, stretches)?, &index.reasons(stretches)?);
    let mut totals = outcomes(&all);
    totals += waiting.all;
    let [mut others, mut carom] = waiting.apart;
    for (name, sum) in index.sums(stretches, Dimension::Whose)? {
        match Whose::of_name(&name) {
            Whose::Others => others += outcomes(&sum),
            Whose::Carom => carom += outcomes(&sum),
            Whose::Own => {}
        }
    }
    let groups = |dimension| groups(index, stretches, dimension, waiting);
    Ok(Figures {
        from_ms: period.0,
        to_ms: period.1,
        utc_offset: clock::local_zone().to_offset(at(period.0)).seconds(),
        zone: Some(clock::local_zone()),
        totals,
        null_sender: outcomes(&index.sum(stretches, Dimension::SenderDomain, NULL_SENDER)?),
        others,
        carom,
        deferrals: count(all.deferrals),
        unclassified: count(counted.iter().filter(|one| one.unknown).map(|one| one.number).sum()),
        bytes: count(all.bytes),
        delay: delays(index, stretches, Dimension::All, &[""])?.pop().flatten(),
        oldest_deferred_ms: waiting.oldest_deferred_ms,
        reasons: judged(index, reasons(counted, ReasonKind::Failed, waiting.reasons()))?,
        rejects: reasons(counted, ReasonKind::Rejected, BTreeMap::new()),
        providers: groups(Dimension::Provider)?,
        sender_domains: groups(Dimension::SenderDomain)?,
        clients: groups(Dimension::Client)?,
        relays: groups(Dimension::Relay)?,
        sources: groups(Dimension::Source)?,
        tls: tls(index, stretches)?,
        provider_reasons: provider_reasons(counted, waiting.provider_reasons()),
        recipient_domains: recipient_domains()?,
        ..Figures::default()
    })
}

/// Of all mail.
fn total(index: &Index, stretches: &[Stretch]) -> Result<Sum> {
    index.sum(stretches, Dimension::All, "")
}

/// Sent deliveries by TLS level.
fn tls(index: &Index, stretches: &[Stretch]) -> Result<BTreeMap<String, u64>> {
    let mut levels = BTreeMap::new();
    index.tls_levels(stretches, Dimension::All, |_, level, deliveries| {
        *levels.entry(level.to_owned()).or_default() += deliveries;
    })?;
    Ok(levels)
}

fn counts(lines: Lines) -> LineCounts {
    LineCounts { parsed: lines.events, ignored: lines.ignored + lines.foreign, unknown: lines.unknown }
}

/// The most frequent first.
fn reasons(
    counted: &[ReasonCount],
    kind: ReasonKind,
    mut counts: BTreeMap<(String, String), u64>,
) -> Vec<Reason> {
    for one in counted.iter().filter(|one| one.kind == kind) {
        *counts.entry((one.reason.clone(), one.category.clone())).or_default() += count(one.number);
    }
    let reason = |((reason, category), count)| Reason { reason, category, count, severity: String::new() };
    let mut reasons: Vec<Reason> = counts.into_iter().map(reason).collect();
    reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    reasons
}

/// Each with its severity.
fn judged(index: &Index, mut reasons: Vec<Reason>) -> Result<Vec<Reason>> {
    let severities = index.severities()?;
    for one in &mut reasons {
        one.severity = match severities.get(&one.reason) {
            Some((true, true)) => "hard or soft",
            Some((true, false)) => "hard",
            Some((false, true)) => "soft",
            _ => "",
        }
        .to_owned();
    }
    Ok(reasons)
}

fn provider_reasons(
    counted: &[ReasonCount],
    mut counts: BTreeMap<(String, String), u64>,
) -> Vec<ProviderReason> {
    for one in counted.iter().filter(|one| one.kind == ReasonKind::Failed && !one.provider.is_empty()) {
        *counts.entry((one.provider.clone(), one.reason.clone())).or_default() += count(one.number);
    }
    let of = |((provider, reason), count)| ProviderReason { provider, reason, count };
    counts.into_iter().map(of).collect()
}

fn unknown(index: &Index, (from, to): Period) -> Result<Vec<UnknownText>> {
    let filter = Filter {
        since_ms: Some(from),
        until_ms: Some(to),
        own: Some(true),
        limit: Some(SHAPES),
        ..Filter::default()
    };
    let shapes = index.unclassified(&filter)?.into_iter();
    Ok(shapes.map(|one| UnknownText { shape: one.shape, count: one.count, example: one.example }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_of_the_past_has_whole_hours() {
        let now = 50 * DAY_MS + 5 * HOUR_MS;
        let steps = |from, to, now| steps((from, to), now, now);
        assert_eq!(steps(DAY_MS, 3 * DAY_MS, now), (Interval::Hour, (DAY_MS, 3 * DAY_MS)));
        assert_eq!(steps(HOUR_MS, DAY_MS, now), (Interval::Hour, (HOUR_MS, DAY_MS)));
        assert_eq!(steps(HOUR_MS + 5, 2 * HOUR_MS + 1, now), (Interval::Hour, (HOUR_MS, 3 * HOUR_MS)));
        let minute = 60_000;
        let ago = now - 15 * minute;
        assert_eq!(steps(ago + 1, now + 1, now), (Interval::Minute, (ago, now + minute)));
        let later = now + 101 * DAY_MS;
        let day = (Interval::Day, (DAY_MS, 3 * DAY_MS));
        assert_eq!(steps(DAY_MS + HOUR_MS, 2 * DAY_MS + HOUR_MS, later), day);
    }
}
