//! Where values come from: the index, the store, and the tick itself.
//!
//! Not here: which value a rule looks at (`readings`). Invariant: each window is counted once, and
//! what no rule asks for is not looked up.

use super::readings::{self, Circumstances, Reading};
use crate::clock::DAY_MS;
use crate::config::{AlertRule, Config, GroupBy, MailLog, Metric, Of};
use crate::error::Result;
use crate::index::Index;
use crate::stats::outcomes::Outcomes;
use crate::stats::{Figures, gather};
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// Deliveries that were deferred longer ago than this have left every queue.
const QUEUE_MS: i64 = 10 * DAY_MS;

pub(super) struct Lookups<'a> {
    config: &'a Config,
    store: &'a Store,
    now_ms: i64,
    /// The parts of the tick that failed.
    failed: &'a [String],
    /// None: not opened yet. The inner one: no log was ever read.
    index: Option<Option<Index>>,
    /// By window.
    figures: BTreeMap<i64, Figures>,
}

impl<'a> Lookups<'a> {
    pub(super) fn new(
        config: &'a Config,
        store: &'a Store,
        now_ms: i64,
        failed: &'a [String],
    ) -> Lookups<'a> {
        Lookups { config, store, now_ms, failed, index: None, figures: BTreeMap::new() }
    }

    pub(super) fn readings(&mut self, rule: &AlertRule) -> Result<Vec<Reading>> {
        let (now_ms, window_ms) = (self.now_ms, rule.window.ms());
        let mut around = Circumstances { now_ms, ..Circumstances::default() };
        match rule.when {
            Metric::TickFailed => around.failed = self.failed.to_vec(),
            Metric::Outbox => around.failing_steps = self.store.failing_steps(now_ms - window_ms)?,
            Metric::ComplaintUnmatched => {
                around.unmatched = self.store.unmatched((now_ms - window_ms, i64::MAX))?
            }
            Metric::Queue => {
                let index = self.index()?;
                around.deferred = index.map_or(Ok(0), |index| index.deferred_since(now_ms - QUEUE_MS))?;
            }
            Metric::LogSilent => around.logs = self.logs()?,
            Metric::LogUnreadable => {
                around.logs = self.logs()?;
                around.unreadable = self.index()?.map_or(Ok(Vec::new()), Index::unreadable_logs)?;
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
        Ok(readings::readings(rule, self.figures.get(&window_ms).unwrap_or(&none), &around))
    }

    /// Deliveries of the window that a rule on each provider does not see, after its readings.
    pub(super) fn without_provider(&self, rule: &AlertRule) -> u64 {
        let is_each = |of: &Of| of.group == GroupBy::Provider && of.name.is_none();
        let figures = self.figures.get(&rule.window.ms()).filter(|_| rule.of.as_ref().is_some_and(is_each));
        let queued = |of: &Outcomes| of.total().saturating_sub(of.rejected);
        figures.map_or(0, |figures| {
            let known = figures.providers.iter().map(|provider| queued(&provider.outcomes)).sum();
            queued(&figures.totals).saturating_sub(known)
        })
    }

    /// The logs of the config, and when something was last read from each.
    fn logs(&mut self) -> Result<Vec<(String, Option<i64>)>> {
        let read = self.index()?.map_or(Ok(Vec::new()), Index::last_read)?;
        let read: BTreeMap<String, Option<i64>> = read.into_iter().collect();
        let logs = self.config.mail_logs.get()?;
        let names: BTreeSet<String> = logs.iter().map(MailLog::name).collect();
        let last = |name: String| (name.clone(), read.get(&name).copied().flatten());
        Ok(names.into_iter().map(last).collect())
    }

    fn index(&mut self) -> Result<Option<&Index>> {
        if self.index.is_none() {
            self.index = Some(Index::to_read(&self.config.index_path())?);
        }
        Ok(self.index.as_ref().and_then(Option::as_ref))
    }
}
