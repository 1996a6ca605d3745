//! Undoing what reports and the mail log did in a period, as far as it fits a filter.
//!
//! Not here: showing it (`cli/suppress_undo`). Invariant: what operators and imports put on the
//! list is left alone unless that source is named; an entry that replaced another one brings it
//! back.

use super::notice::{REPORT, release};
use crate::clock::{self, DAY_MS};
use crate::config::Config;
use crate::dimension::provider::provider_or_domain;
use crate::error::Result;
use crate::mailbox_syntax::normal_domain;
use crate::store::{Released, Store, Suppressed};
use serde::Serialize;
use std::ops::Range;

/// Entries of one transaction.
const TOGETHER: usize = 500;
/// A source for entries that the mail log made; on the list they are of `report`.
const LOG: &str = "log";

/// Where a period without an end ends: what hosts have added whose clocks are ahead is in it.
pub(crate) fn open_end(now_ms: i64) -> i64 {
    now_ms.saturating_add(DAY_MS)
}

/// What is undone. A filter that is `None` lets everything through.
#[derive(Clone, Debug, Default)]
pub(crate) struct UndoFilter {
    /// In milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// Not undone any more.
    pub(crate) until_ms: i64,
    pub(crate) rule: Option<String>,
    pub(crate) reason: Option<String>,
    /// `None`: reports and the mail log.
    pub(crate) source: Option<String>,
    pub(crate) provider: Option<String>,
    pub(crate) sender_domain: Option<String>,
}

impl UndoFilter {
    fn fits(&self, entry: &Suppressed) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(value))
        };
        let is_logged = entry.source == REPORT && entry.grounds.key.starts_with("log-");
        let of_source = match self.source.as_deref() {
            None => entry.source == REPORT,
            Some(source) if source.eq_ignore_ascii_case(LOG) => is_logged,
            Some(source) => entry.source.eq_ignore_ascii_case(source),
        };
        of_source
            && (self.since_ms..self.until_ms).contains(&entry.added_ms)
            && is(&self.rule, &entry.grounds.rule)
            && is(&self.reason, &entry.reason)
            && (is(&self.provider, &entry.grounds.provider) || self.names_a_host_of(&entry.grounds.provider))
            && self.sender_domain.as_ref().is_none_or(|domain| normal_domain(domain) == entry.sender_domain)
    }

    /// The period and the filters, for the record of actions.
    pub(crate) fn words(&self) -> String {
        let period = format!("{} to {}", clock::rfc3339(self.since_ms), clock::rfc3339(self.until_ms));
        let UndoFilter { rule, reason, source, provider, sender_domain, .. } = self;
        let filters = [("rule", rule), ("reason", reason), ("source", source), ("provider", provider)];
        let filters = filters.into_iter().chain([("sender_domain", sender_domain)]);
        let given = filters.filter_map(|(name, value)| Some(format!(", {name} {}", value.as_deref()?)));
        given.fold(period, |words, filter| words + &filter)
    }

    /// Whether the provider is given as the name of one of its mail servers or domains.
    fn names_a_host_of(&self, provider: &str) -> bool {
        let host = self.provider.as_deref().filter(|wanted| wanted.contains('.'));
        host.is_some_and(|host| provider_or_domain(host) == provider)
    }

    /// Whether all that reports did in the period is undone, at most of one sender domain.
    fn is_whole(&self) -> bool {
        let of_reports = self.source.as_deref().is_none_or(|source| source.eq_ignore_ascii_case(REPORT));
        of_reports && self.rule.is_none() && self.reason.is_none() && self.provider.is_none()
    }

    /// Whether only what an earlier version did not record keeps the entry out.
    fn would_fit(&self, entry: &Suppressed) -> bool {
        let filter = UndoFilter { rule: None, provider: None, ..self.clone() };
        entry.grounds.key.is_empty() && !self.fits(entry) && filter.fits(entry)
    }
}

/// What is to be undone.
pub(crate) struct Undo {
    pub(crate) releases: Vec<Released>,
    /// Entries that later ones have replaced: they do not come back.
    replaced: Vec<Suppressed>,
    /// The period and the sender domain whose soft bounces are forgotten, also of addresses that
    /// they have not suppressed.
    forgotten: Option<(Range<i64>, Option<String>)>,
    /// Entries of the period that have no rule and no provider on record.
    pub(crate) unrecorded: usize,
}

/// What was undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Undone {
    /// Addresses that get mail again.
    pub(crate) released: usize,
    /// Addresses that an earlier entry goes on suppressing.
    pub(crate) restored: usize,
    /// Applications that are notified.
    pub(crate) notified: usize,
}

impl Undo {
    /// Finds what fits. Nothing is changed.
    pub(crate) fn find(store: &Store, filter: &UndoFilter, config: &Config, now_ms: i64) -> Result<Undo> {
        let (current, earlier) = store.suppressed_between(filter.since_ms, filter.until_ms)?;
        let current: Vec<Suppressed> =
            current.into_iter().filter(|entry| !entry.has_expired(now_ms)).collect();
        let unrecorded = current.iter().filter(|entry| filter.would_fit(entry)).count();
        let mut releases = Vec::new();
        for entry in current.into_iter().filter(|entry| filter.fits(entry)) {
            let others = store.earlier_suppressions(&entry.address, &entry.sender_domain)?;
            let stays = |other: &Suppressed| !filter.fits(other) && !other.has_expired(now_ms);
            let restored = others.into_iter().find(stays);
            let mut undone = release(entry, "operator", filter.since_ms..filter.until_ms, config, now_ms);
            if restored.is_some() {
                undone.notice = None;
            }
            releases.push(Released { restored, ..undone });
        }
        let replaced = earlier.into_iter().filter(|entry| filter.fits(entry)).collect();
        let period = filter.since_ms..filter.until_ms;
        let forgotten = filter.is_whole().then(|| (period, filter.sender_domain.clone()));
        Ok(Undo { releases, replaced, forgotten, unrecorded })
    }

    /// What it amounts to.
    pub(crate) fn sum(&self) -> Undone {
        let restored = self.releases.iter().filter(|one| one.restored.is_some()).count();
        let notified = self.releases.iter().filter(|one| one.notice.is_some()).count();
        Undone { released: self.releases.len() - restored, restored, notified }
    }

    /// Does it, and returns the journal keys of the notifications.
    pub(crate) fn carry_out(self, store: &Store, now_ms: i64) -> Result<Vec<String>> {
        let keys = self.releases.iter().filter_map(|one| one.notice.as_ref()).map(|(key, _)| key.clone());
        let keys = keys.collect();
        for releases in self.releases.chunks(TOGETHER) {
            store.release_suppressions(releases, now_ms)?;
        }
        store.forget_replaced(&self.replaced)?;
        if let Some((period, sender_domain)) = &self.forgotten {
            store.forget_strikes(period.clone(), sender_domain.as_deref())?;
        }
        Ok(keys)
    }
}
