//! The value that a rule looks at, for each of its groups: a pure function of figures and
//! circumstances.
//!
//! Invariant: a value that would say nothing (a rate of nothing, or of fewer deliveries than the
//! rule wants) is none.

use crate::config::{AlertRule, GroupBy, Metric};
use crate::maillog::log_health::UnreadableLog;
use crate::stats::Figures;
use crate::stats::figures::GroupFigures;
use crate::stats::outcomes::Outcomes;
use crate::stats::top::OTHER;

/// What is known besides the figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Circumstances {
    /// In milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// The parts of the tick that failed.
    pub(crate) failed: Vec<String>,
    /// The logs of the config, and when something was last read from each; none: never.
    pub(crate) logs: Vec<(String, Option<i64>)>,
    /// Logs that cannot be read.
    pub(crate) unreadable: Vec<UnreadableLog>,
    /// Pending steps that have failed before, and steps that were parked or given up in the window.
    pub(crate) failing_steps: u64,
    /// Deliveries that are deferred now.
    pub(crate) deferred: u64,
    /// Complaints in the window that match nobody.
    pub(crate) unmatched: u64,
}

/// A value, now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reading {
    /// The group; empty: all mail.
    pub(crate) subject: String,
    /// None: not enough data.
    pub(crate) value: Option<f64>,
    /// Deliveries that it is counted from, where it is counted from deliveries.
    pub(crate) deliveries: Option<u64>,
}

impl Reading {
    fn of(subject: &str, value: f64) -> Reading {
        Reading { subject: subject.to_owned(), value: Some(value), deliveries: None }
    }
}

/// Every value that the rule looks at.
pub(crate) fn readings(rule: &AlertRule, figures: &Figures, around: &Circumstances) -> Vec<Reading> {
    let of_all = |value: f64| vec![Reading::of("", value)];
    match &rule.when {
        Metric::TickFailed => of_all(around.failed.len() as f64),
        Metric::Outbox => of_all(around.failing_steps as f64),
        Metric::Queue => of_all(around.deferred as f64),
        Metric::ComplaintUnmatched => of_all(around.unmatched as f64),
        Metric::LogSilent => {
            around.logs.iter().map(|(name, read)| silence(name, *read, around.now_ms)).collect()
        }
        Metric::LogUnreadable => {
            let is_unreadable = |name: &str| around.unreadable.iter().any(|log| log.log == name);
            let read = |(name, _): &(String, _)| Reading::of(name, f64::from(u8::from(is_unreadable(name))));
            around.logs.iter().map(read).collect()
        }
        Metric::UnknownTexts => of_all(figures.unclassified as f64),
        Metric::Reason(reason) => of_reason(rule, reason, figures),
        _ => of_groups(rule, figures),
    }
}

fn of_reason(rule: &AlertRule, reason: &str, figures: &Figures) -> Vec<Reading> {
    let Some(of) = &rule.of else {
        let all = figures.reasons.iter().chain(&figures.rejects).filter(|one| one.reason == reason);
        return vec![Reading::of("", all.map(|one| one.count).sum::<u64>() as f64)];
    };
    let rows = figures.provider_reasons.iter().filter(|one| one.reason == reason);
    let all = rows.map(|one| Reading::of(&one.provider, one.count as f64)).collect();
    only_named(all, of.name.as_deref(), Some(0.0))
}

fn of_groups(rule: &AlertRule, figures: &Figures) -> Vec<Reading> {
    let Some(of) = &rule.of else {
        let all = GroupFigures {
            outcomes: if rule.when == Metric::BounceRate { figures.rated() } else { figures.totals },
            deferrals: figures.deferrals,
            delay: figures.delay,
            ..GroupFigures::default()
        };
        return vec![of_group(rule, &all)];
    };
    let groups = match of.group {
        GroupBy::Provider => &figures.providers,
        GroupBy::RecipientDomain => &figures.recipient_domains,
        GroupBy::SenderDomain => &figures.sender_domains,
        GroupBy::Client => &figures.clients,
        GroupBy::Relay => &figures.relays,
        GroupBy::Source => &figures.sources,
    };
    let named = groups.iter().filter(|group| group.name != OTHER && !group.name.is_empty());
    let all: Vec<Reading> = named.map(|group| of_group(rule, group)).collect();
    let name = of.name.as_deref().map(|name| with_kind(of.group, name, &all));
    only_named(all, name.as_deref(), absent(rule))
}

/// A source may be named without its kind.
fn with_kind(group: GroupBy, name: &str, all: &[Reading]) -> String {
    let is_it =
        |one: &&Reading| one.subject.split_once('/').is_some_and(|(_, bare)| bare.eq_ignore_ascii_case(name));
    let found = all.iter().find(is_it).filter(|_| group == GroupBy::Source);
    found.map_or_else(|| name.to_owned(), |one| one.subject.clone())
}

/// The value of a group without deliveries.
pub(crate) fn absent(rule: &AlertRule) -> Option<f64> {
    matches!(rule.when, Metric::Volume | Metric::Reason(_)).then_some(0.0)
}

/// All groups; if the rule names one, only that one, even if it has no deliveries.
fn only_named(all: Vec<Reading>, name: Option<&str>, absent: Option<f64>) -> Vec<Reading> {
    let Some(name) = name else { return all };
    let found = all.into_iter().find(|one| one.subject.eq_ignore_ascii_case(name));
    let none = || Reading { subject: name.to_owned(), value: absent, deliveries: None };
    let subject = name.to_owned();
    vec![found.map_or_else(none, |reading| Reading { subject, ..reading })]
}

/// Minutes since a log was last read.
fn silence(name: &str, read_ms: Option<i64>, now_ms: i64) -> Reading {
    let minutes = |read_ms: i64| (now_ms.saturating_sub(read_ms).max(0) / 60_000) as f64;
    Reading::of(name, read_ms.map_or(f64::INFINITY, minutes))
}

fn of_group(rule: &AlertRule, group: &GroupFigures) -> Reading {
    let Outcomes { bounced, expired, rejected, sent, .. } = group.outcomes;
    let (total, concluded) = (group.outcomes.total(), group.outcomes.concluded());
    let attempts = concluded.saturating_add(group.deferrals);
    let percent = |part: u64, whole: u64| (whole > 0).then(|| part as f64 * 100.0 / whole as f64);
    let (value, whole) = match rule.when {
        Metric::BounceRate => (percent(bounced.saturating_add(expired), concluded), concluded),
        Metric::DeferralRate => (percent(group.deferrals, attempts), attempts),
        Metric::RejectRate => (percent(rejected, total), total),
        Metric::Delay => (group.delay.map(|delay| delay.p90), sent),
        _ => (Some(total.saturating_sub(rejected) as f64), total.saturating_sub(rejected)),
    };
    let value = value.filter(|_| !rule.when.is_share() || whole >= rule.at_least);
    Reading { subject: group.name.clone(), value, deliveries: Some(whole) }
}
