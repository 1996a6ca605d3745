//! Where rules are evaluated: values come in, changes and promises to tell them go out.
//!
//! Not here: what the values are, and what changes. Invariant: a change and the promise to tell it
//! are stored together.

use super::lookups::Lookups;
use super::{announcement, state};
use crate::config::{AlertRule, Config, Metric};
use crate::error::{Error, Result};
use crate::store::{AlertRecord, Store};
use serde::Serialize;
use std::collections::BTreeMap;

pub(crate) struct Desk<'a> {
    pub(crate) config: &'a Config,
    pub(crate) store: &'a Store,
    /// In milliseconds since 1970.
    pub(crate) now_ms: i64,
    /// The parts of the tick that failed.
    pub(crate) failed: &'a [String],
    /// Whether the logs were read to their end: if not, counts are lower than what happened.
    pub(crate) logs_complete: bool,
}

/// A change that is announced.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Change {
    /// The rule.
    pub(crate) alert: String,
    /// The group; empty: all mail.
    pub(crate) subject: String,
    /// `firing` or `resolved`.
    pub(crate) state: &'static str,
}

/// What came of all rules.
#[derive(Debug, Default)]
pub(crate) struct Evaluation {
    pub(crate) changes: Vec<Change>,
    /// The journal's keys of the announcements.
    pub(crate) keys: Vec<String>,
    /// Rules that could not be evaluated.
    pub(crate) problems: Vec<Error>,
}

impl Desk<'_> {
    /// Evaluates every rule, and promises to tell what has changed.
    pub(crate) fn evaluate(&self) -> Result<Evaluation> {
        let mut evaluation = Evaluation::default();
        let mut before = self.before()?;
        let mut lookups = self.lookups();
        for rule in &self.config.alerting.get()?.rules {
            let was = before.remove(&rule.name).unwrap_or_default();
            if !self.logs_complete && (rule.when.is_of_deliveries() || rule.when == Metric::Queue) {
                continue;
            }
            match lookups.readings(rule) {
                Ok(readings) => {
                    let after = state::next(rule, was.clone(), &readings, self.now_ms);
                    if after != was {
                        self.put(rule, &after, &mut evaluation)?;
                    }
                }
                // Its state stays as it was; other rules can still be evaluated.
                Err(error) => {
                    evaluation.problems.push(error.within(format_args!("[[alert]] {}", rule.name)));
                }
            }
        }
        // Rules that were removed from the config.
        for rule in before.keys() {
            self.store.put_alerts(rule, &[], None)?;
        }
        Ok(evaluation)
    }

    fn put(&self, rule: &AlertRule, after: &[AlertRecord], evaluation: &mut Evaluation) -> Result<()> {
        let is_told_now = |alert: &&AlertRecord| alert.told.is_some() && alert.told_ms == self.now_ms;
        let changed: Vec<&AlertRecord> = after.iter().filter(is_told_now).collect();
        let is_silent = self.store.silent_until(&rule.name)?.is_some_and(|until| until > self.now_ms);
        let heard: &[&AlertRecord] = if is_silent { &[] } else { &changed };
        let promise = announcement::promise(rule, heard, self.config, self.now_ms);
        let tell = promise.as_ref().map(|(key, plan)| (key.as_str(), plan, self.now_ms));
        self.store.put_alerts(&rule.name, after, tell)?;
        evaluation.changes.extend(changed.iter().map(|alert| Change {
            alert: alert.rule.clone(),
            subject: alert.subject.clone(),
            state: alert.state.name(),
        }));
        evaluation.keys.extend(promise.map(|(key, _)| key));
        Ok(())
    }

    pub(super) fn lookups(&self) -> Lookups<'_> {
        Lookups::new(self.config, self.store, self.now_ms, self.failed)
    }

    /// The stored state of each rule.
    pub(super) fn before(&self) -> Result<BTreeMap<String, Vec<AlertRecord>>> {
        let mut before: BTreeMap<String, Vec<AlertRecord>> = BTreeMap::new();
        for alert in self.store.alerts()? {
            before.entry(alert.rule.clone()).or_default().push(alert);
        }
        Ok(before)
    }
}
