//! The value that a rule looks at, for each group that it looks at: a pure function of figures and facts.
//!
//! Invariant: a value that would say nothing (a rate of nothing, or of fewer deliveries than the rule wants) is none.

use crate::config::{AlertRule, GroupBy, Metric};
use crate::stats::Figures;
use crate::stats::figures::GroupFigures;
use crate::stats::outcomes::Outcomes;
use crate::stats::top::OTHER;

/// What is known beside the figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circumstances {
    /// Now, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// The parts of the tick that failed.
    pub(crate) failed: Vec<String>,
    /// The logs of the config, and when something was last read of each; none: never.
    pub(crate) logs: Vec<(String, Option<i64>)>,
    /// Steps that were tried in vain and are owed, and what was parked or given up in the window.
    pub(crate) troubles: u64,
    /// Deliveries that are still put off.
    pub(crate) waiting: u64,
}

/// A value, now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// The group; empty: all mail.
    pub(crate) subject: String,
    /// None: nothing can be said.
    pub(crate) value: Option<f64>,
    /// Deliveries that it is counted from, where it is.
    pub(crate) deliveries: Option<u64>,
}

/// Every value that the rule looks at.
pub(crate) fn readings(rule: &AlertRule, figures: &Figures, facts: &Circumstances) -> Vec<Reading> {
    let plain = |value: f64| vec![Reading { subject: String::new(), value: Some(value), deliveries: None }];
    let of = rule.of.as_ref();
    match &rule.when {
        Metric::TickFailed => plain(facts.failed.len() as f64),
        Metric::Outbox => plain(facts.troubles as f64),
        Metric::Queue => plain(facts.waiting as f64),
        Metric::LogSilent => {
            facts.logs.iter().map(|(name, read)| silence(name, *read, facts.now_ms)).collect()
        }
        Metric::UnknownTexts => plain(figures.unclassified as f64),
        Metric::Reason(name) => match of {
            None => {
                let all = figures.reasons.iter().chain(&figures.rejects);
                plain(all.filter(|one| one.reason == *name).map(|one| one.count).sum::<u64>() as f64)
            }
            Some(of) => {
                let rows = figures.provider_reasons.iter().filter(|one| one.reason == *name);
                let counted = rows.map(|one| (one.provider.as_str(), one.count as f64));
                let reading = |(subject, value): (&str, f64)| Reading {
                    subject: subject.to_owned(),
                    value: Some(value),
                    deliveries: None,
                };
                named(counted.map(reading).collect(), of.name.as_deref(), Some(0.0))
            }
        },
        _ => {
            let Some(of) = of else {
                let line = GroupFigures {
                    outcomes: figures.totals,
                    deferrals: figures.deferrals,
                    delay: figures.delay,
                    ..GroupFigures::default()
                };
                return vec![of_line(rule, &line)];
            };
            let lines = match of.group {
                GroupBy::Provider => &figures.providers,
                GroupBy::RecipientDomain => &figures.recipient_domains,
                GroupBy::SenderDomain => &figures.sender_domains,
                GroupBy::Client => &figures.clients,
                GroupBy::Relay => &figures.relays,
            };
            let shown = lines.iter().filter(|line| line.name != OTHER && !line.name.is_empty());
            named(shown.map(|line| of_line(rule, line)).collect(), of.name.as_deref(), absent(rule))
        }
    }
}

/// The value of a group that no delivery is of.
pub(crate) fn absent(rule: &AlertRule) -> Option<f64> {
    matches!(rule.when, Metric::Volume | Metric::Reason(_)).then_some(0.0)
}

/// Of a group that is named only its own, also if there is nothing of it.
fn named(all: Vec<Reading>, name: Option<&str>, absent: Option<f64>) -> Vec<Reading> {
    let Some(name) = name else { return all };
    let found = all.into_iter().find(|one| one.subject.eq_ignore_ascii_case(name));
    let none = || Reading { subject: name.to_owned(), value: absent, deliveries: None };
    let subject = name.to_owned();
    vec![found.map_or_else(none, |reading| Reading { subject, ..reading })]
}

fn silence(name: &str, read_ms: Option<i64>, now_ms: i64) -> Reading {
    let minutes = |read_ms: i64| (now_ms.saturating_sub(read_ms).max(0) / 60_000) as f64;
    Reading {
        subject: name.to_owned(),
        value: Some(read_ms.map_or(f64::INFINITY, minutes)),
        deliveries: None,
    }
}

fn of_line(rule: &AlertRule, line: &GroupFigures) -> Reading {
    let Outcomes { bounced, expired, rejected, sent, .. } = line.outcomes;
    let (total, concluded) = (line.outcomes.total(), line.outcomes.concluded());
    let attempts = concluded.saturating_add(line.deferrals);
    let percent = |part: u64, whole: u64| (whole > 0).then(|| part as f64 * 100.0 / whole as f64);
    let (value, whole) = match rule.when {
        Metric::BounceRate => (percent(bounced.saturating_add(expired), concluded), concluded),
        Metric::DeferralRate => (percent(line.deferrals, attempts), attempts),
        Metric::RejectRate => (percent(rejected, total), total),
        Metric::Delay => (line.delay.map(|delay| delay.p90), sent),
        _ => (Some(total.saturating_sub(rejected) as f64), total.saturating_sub(rejected)),
    };
    let value = value.filter(|_| !rule.when.is_share() || whole >= rule.at_least);
    Reading { subject: line.name.clone(), value, deliveries: Some(whole) }
}
