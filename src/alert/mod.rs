//! Telling operators that something is not as it should be, and that it is again: rules on any statistic, once for each change.
//!
//! `readings` says what the values are, `state` what changes by them, `announcement` what is said; they are pure. Here they meet the
//! store and the index. Telling is a step of the journal like any other: tried again, on record, and done once. Invariant: no alert
//! is about alerts: not the mail they are told by, nor a step that could not tell one.

mod announcement;
mod readings;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use announcement::{shown, threshold, what};
pub(crate) use readings::{Circumstances, Reading};

use crate::clock::DAY_MS;
use crate::config::{self, Config, MailLog, Metric};
use crate::error::{Error, Result};
use crate::index::Index;
use crate::stats::{Figures, gather};
use crate::store::{AlertRecord, AlertState, Store};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Deliveries that were put off so long ago (milliseconds) have left every queue.
const QUEUE_MS: i64 = 10 * DAY_MS;

/// A change that is told.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Change {
    /// The rule.
    pub(crate) alert: String,
    /// The group; empty: all mail.
    pub(crate) subject: String,
    /// `firing` or `resolved`.
    pub(crate) state: &'static str,
}

/// What was looked at, and what is to be told.
#[derive(Debug, Default)]
pub(crate) struct Evaluation {
    /// What has changed.
    pub(crate) changes: Vec<Change>,
    /// The journal's keys of what is to be told.
    pub(crate) keys: Vec<String>,
    /// Rules that could not be looked at.
    pub(crate) problems: Vec<Error>,
}

/// How a rule stands for one group.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RuleState {
    /// The rule.
    pub(crate) alert: String,
    /// `quiet`, `pending`, `firing`.
    pub(crate) state: &'static str,
    /// What it looks at, in words.
    pub(crate) what: String,
    /// The group; empty: all mail.
    pub(crate) subject: String,
    /// None: nothing can be said.
    pub(crate) value: Option<f64>,
    /// The value in words.
    pub(crate) shown: String,
    /// The threshold in words.
    pub(crate) threshold: String,
    /// Since when it is pending or fires (RFC 3339).
    pub(crate) since: Option<String>,
    /// Whether somebody was told.
    pub(crate) told: bool,
}

/// Where rules are evaluated.
pub(crate) struct Desk<'a> {
    /// The config.
    pub(crate) config: &'a Config,
    /// The store.
    pub(crate) store: &'a Store,
    /// Now, in milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// The parts of the tick that failed.
    pub(crate) failed: &'a [String],
    /// Whether the logs were read to their end: if not, what is counted is not what happened.
    pub(crate) logs_complete: bool,
}

impl Desk<'_> {
    /// Evaluates every rule, and promises to tell what has changed.
    pub(crate) fn look(&self) -> Result<Evaluation> {
        let mut looked = Evaluation::default();
        let mut before = self.before()?;
        let mut sources = Sources::new(self);
        for rule in &self.config.alerting.get()?.rules {
            let was = before.remove(&rule.name).unwrap_or_default();
            if !self.logs_complete && (rule.when.is_of_deliveries() || rule.when == Metric::Queue) {
                continue;
            }
            let readings = match sources.readings(rule) {
                Ok(readings) => readings,
                Err(error) => {
                    // What cannot be looked at stands as it stood; other rules can.
                    looked.problems.push(error.within(format_args!("[[alert]] {}", rule.name)));
                    continue;
                }
            };
            let after = state::next(rule, was.clone(), &readings, self.now_ms);
            if after == was {
                continue;
            }
            let changed: Vec<&AlertRecord> =
                after.iter().filter(|alert| alert.told.is_some() && alert.told_ms == self.now_ms).collect();
            let promise = announcement::promise(rule, &changed, self.config, self.now_ms);
            let tell = promise.as_ref().map(|(key, plan)| (key.as_str(), plan, self.now_ms));
            self.store.put_alerts(&rule.name, &after, tell)?;
            looked.changes.extend(changed.iter().map(|alert| Change {
                alert: alert.rule.clone(),
                subject: alert.subject.clone(),
                state: alert.state.name(),
            }));
            looked.keys.extend(promise.map(|(key, _)| key));
        }
        // Rules that are no more in the config.
        for rule in before.keys() {
            self.store.put_alerts(rule, &[], None)?;
        }
        Ok(looked)
    }

    /// How every rule stands: a line for each group that it fires for or soon may, and one for all others.
    pub(crate) fn states(&self) -> Result<Vec<RuleState>> {
        let mut before = self.before()?;
        let mut sources = Sources::new(self);
        let mut lines = Vec::new();
        for rule in &self.config.alerting.get()?.rules {
            let was = before.remove(&rule.name).unwrap_or_default();
            let mut readings = sources.readings(rule)?;
            // The biggest first: of very many only these are looked at.
            readings.sort_by_key(|reading| std::cmp::Reverse(reading.deliveries));
            let of = |subject: &str| readings.iter().find(|reading| reading.subject == subject);
            let standing = |subject: &str, value: Option<f64>, alert: Option<&AlertRecord>| RuleState {
                alert: rule.name.clone(),
                state: alert.map_or("quiet", |alert| alert.state.name()),
                what: what(rule, subject),
                subject: subject.to_owned(),
                value,
                shown: shown(&rule.when, value),
                threshold: threshold(rule),
                since: alert.map(|alert| crate::clock::rfc3339(alert.since_ms)),
                told: alert.is_some_and(|alert| alert.told == Some(alert.state)),
            };
            let open: Vec<&AlertRecord> =
                was.iter().filter(|alert| alert.state != AlertState::Resolved).collect();
            let is_open = |subject: &str| open.iter().any(|alert| alert.subject == subject);
            for alert in &open {
                let value = of(&alert.subject).map_or(alert.value, |reading| reading.value);
                lines.push(standing(&alert.subject, value, Some(alert)));
            }
            let quiet: Vec<&Reading> = readings.iter().filter(|one| !is_open(&one.subject)).collect();
            match quiet.as_slice() {
                [] if !open.is_empty() => {}
                [only] => lines.push(standing(&only.subject, only.value, None)),
                others => {
                    let counted = match others.len() {
                        0 => "there is none now".to_owned(),
                        many => format!("{many} others"),
                    };
                    lines.push(RuleState { shown: counted, ..standing("each", None, None) });
                }
            }
        }
        Ok(lines)
    }

    fn before(&self) -> Result<BTreeMap<String, Vec<AlertRecord>>> {
        let mut before: BTreeMap<String, Vec<AlertRecord>> = BTreeMap::new();
        for alert in self.store.alerts()? {
            before.entry(alert.rule.clone()).or_default().push(alert);
        }
        Ok(before)
    }
}

/// Where values come from; each window is counted once, and what no rule asks for is not looked up.
struct Sources<'a> {
    desk: &'a Desk<'a>,
    index: Option<Option<Index>>,
    figures: BTreeMap<i64, Figures>,
}

impl<'a> Sources<'a> {
    fn new(desk: &'a Desk<'a>) -> Sources<'a> {
        Sources { desk, index: None, figures: BTreeMap::new() }
    }

    fn readings(&mut self, rule: &config::AlertRule) -> Result<Vec<Reading>> {
        let (now_ms, window_ms) = (self.desk.now_ms, rule.window.ms());
        let mut facts = Circumstances { now_ms, ..Circumstances::default() };
        match rule.when {
            Metric::TickFailed => facts.failed = self.desk.failed.to_vec(),
            Metric::Outbox => facts.troubles = self.desk.store.failing_steps(now_ms - window_ms)?,
            Metric::Queue => {
                let index = self.index()?;
                facts.waiting = index.map_or(Ok(0), |index| index.deferred_since(now_ms - QUEUE_MS))?;
            }
            Metric::LogSilent => {
                let read = self.index()?.map_or(Ok(Vec::new()), Index::last_read)?;
                let read: BTreeMap<String, Option<i64>> = read.into_iter().collect();
                let logs = self.desk.config.mail_logs.get()?;
                let names: BTreeSet<String> = logs.iter().map(MailLog::name).collect();
                let last = |name: String| (name.clone(), read.get(&name).copied().flatten());
                facts.logs = names.into_iter().map(last).collect();
            }
            _ if !self.figures.contains_key(&window_ms) => {
                let figures = match self.index()? {
                    Some(index) => gather::figures(index, (now_ms - window_ms, now_ms), now_ms)?,
                    None => Figures::default(),
                };
                self.figures.insert(window_ms, figures);
            }
            _ => {}
        }
        let none = Figures::default();
        Ok(readings::readings(rule, self.figures.get(&window_ms).unwrap_or(&none), &facts))
    }

    /// None if no log was ever read.
    fn index(&mut self) -> Result<Option<&Index>> {
        if self.index.is_none() {
            self.index = Some(Index::look(&self.desk.config.index_path())?);
        }
        Ok(self.index.as_ref().and_then(Option::as_ref))
    }
}
