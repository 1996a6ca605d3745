//! Figures counted from deliveries one by one: for some mail, of which no statistics are kept.
//!
//! Not here: which deliveries. Invariant: the period of the figures is the one that was counted, in
//! whole steps, so that each step of the series has all of its deliveries.

use super::figures::{Figures, GroupFigures, Reason};
use super::outcomes::{Outcomes, STATUSES};
use super::period::{self, Period};
use super::series::{Point, Resolution};
use super::top::top;
use super::waiting::NAMES;
use crate::clock::{self, DAY_MS, HOUR_MS};
use crate::dimension::domain::of_address;
use crate::dimension::names::{PROVIDER, Parties};
use crate::index::{Interval, StoredDelivery};
use jiff::Timestamp;
use std::collections::BTreeMap;

pub(crate) struct CountedDeliveries {
    period: Period,
    step: (Resolution, Interval),
    totals: Outcomes,
    points: BTreeMap<i64, Outcomes>,
    reasons: BTreeMap<(String, String), u64>,
    domains: BTreeMap<String, Outcomes>,
    providers: BTreeMap<String, Outcomes>,
    bytes: u64,
}

impl CountedDeliveries {
    /// Of a period, and the rest of the steps that it begins and ends with.
    pub(crate) fn around((from, to): Period) -> CountedDeliveries {
        let step = step_of((from, to));
        CountedDeliveries {
            period: period::in_steps((from, to), step.1, clock::now_ms()),
            step,
            totals: Outcomes::default(),
            points: BTreeMap::new(),
            reasons: BTreeMap::new(),
            domains: BTreeMap::new(),
            providers: BTreeMap::new(),
            bytes: 0,
        }
    }

    pub(crate) fn period(&self) -> Period {
        self.period
    }

    pub(crate) fn add(&mut self, delivery: &StoredDelivery) {
        let status = STATUSES.into_iter().find(|status| status.name() == delivery.status);
        let Some(outcome) = status.map(Outcomes::of_status) else { return };
        self.totals += outcome;
        *self.points.entry(self.step.1.start(delivery.last_seen)).or_default() += outcome;
        if delivery.status == "sent" {
            self.bytes += delivery.size.unwrap_or(0);
        } else if let Some(reason) = &delivery.reason {
            let category = delivery.category.clone().unwrap_or_default();
            *self.reasons.entry((reason.clone(), category)).or_default() += 1;
        }
        let domain = delivery.recipient.as_deref().map(of_address).unwrap_or_default().to_ascii_lowercase();
        let (recipient, relay) = (delivery.recipient.as_deref(), delivery.relay.as_deref());
        let names = Parties { recipient, relay, ..Parties::default() }.names();
        if let Some(provider) = &names[PROVIDER] {
            *self.providers.entry(provider.to_string()).or_default() += outcome;
        }
        *self.domains.entry(domain).or_default() += outcome;
    }

    /// What was counted of the period from a time on.
    pub(crate) fn figures(self, from_ms: i64) -> Figures {
        let to_ms = self.period.1;
        let at = Timestamp::from_millisecond(from_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let reason =
            |((reason, category), count)| Reason { reason, category, count, severity: String::new() };
        let mut reasons: Vec<Reason> = self.reasons.into_iter().map(reason).collect();
        reasons.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        Figures {
            from_ms,
            to_ms,
            utc_offset: clock::local_zone().to_offset(at).seconds(),
            zone: Some(clock::local_zone()),
            step: self.step.0,
            totals: self.totals,
            series: self.points.into_iter().map(|(at_ms, outcomes)| Point { at_ms, outcomes }).collect(),
            reasons,
            recipient_domains: groups(self.domains),
            providers: groups(self.providers),
            bytes: self.bytes,
            of_some_mail: true,
            ..Figures::default()
        }
    }
}

fn step_of((from, to): Period) -> (Resolution, Interval) {
    match to.saturating_sub(from) {
        length if length <= 3 * HOUR_MS => (Resolution::Minute, Interval::Minute),
        length if length <= 9 * DAY_MS => (Resolution::Hour, Interval::Hour),
        _ => (Resolution::Day, Interval::Day),
    }
}

fn groups(named: BTreeMap<String, Outcomes>) -> Vec<GroupFigures> {
    let group = |(name, outcomes)| GroupFigures { name, outcomes, ..GroupFigures::default() };
    let (mut kept, rest) = top(&named.into_iter().map(group).collect::<Vec<_>>(), NAMES);
    kept.extend(rest);
    kept
}
