//! Verbs of the store for operators: alerts, what they take off the suppression list, and the
//! record of what they do. A part of the seam.
//!
//! Not here: SQL (`sqlite/alert_rows`, `sqlite/audit_rows`, `sqlite/removed_rows`), when an alert
//! fires (`crate::alert`), and the actions (`crate::serve`).

use super::Store;
use super::audited::{AuditEntry, AuditFilter, Removal};
use super::observed::AlertRecord;
use super::sqlite::{alert_rows, audit_rows, removed_rows};
use super::suppressed::Suppressed;
use crate::error::Result;
use crate::mailbox_syntax::{in_a_labels, normal_domain};
use crate::plan::Plan;
use serde_json::Value;

impl Store {
    /// Puts an action on record that is about to begin; returns its number.
    pub(crate) fn begin_action(&self, entry: &AuditEntry) -> Result<i64> {
        audit_rows::begin(&self.db, entry)
    }

    /// Records what an action has changed.
    pub(crate) fn end_action(&self, id: i64, after: &Value) -> Result<()> {
        audit_rows::end(&self.db, id, after)
    }

    pub(crate) fn actions(&self, filter: &AuditFilter) -> Result<Vec<AuditEntry>> {
        audit_rows::entries(&self.db, filter)
    }

    /// An operator lets an address get mail again, and its soft bounces are forgotten: what was
    /// reported by then suppresses it no more. Puts that on record under the name `by`, if there is
    /// one. Returns whether the address was suppressed.
    pub(crate) fn unsuppress(
        &self,
        address: &str,
        sender_domain: Option<&str>,
        now_ms: i64,
        by: Option<&str>,
    ) -> Result<bool> {
        let (address, sender_domain) = (in_a_labels(address), sender_domain.map(normal_domain));
        removed_rows::remove(&self.db, &address, sender_domain.as_deref(), now_ms, by)
    }

    /// Who has put an operator's entry on the suppression list, if that is on record.
    pub(crate) fn who_added(&self, entry: &Suppressed) -> Result<Option<String>> {
        audit_rows::who_added(&self.db, entry)
    }

    /// Who has taken an address, or what covers it, off the suppression list: the newest first.
    pub(crate) fn removals_of(&self, address: &str) -> Result<Vec<Removal>> {
        let address = in_a_labels(address);
        let actions = audit_rows::removals(&self.db, &address)?;
        Ok(actions.iter().filter_map(|action| action.removal_of(&address)).collect())
    }

    /// Every alert that is not quiet, or was not a short time ago.
    pub(crate) fn alerts(&self) -> Result<Vec<AlertRecord>> {
        alert_rows::alerts(&self.db)
    }

    /// Replaces all alerts of a rule, and promises the plan (key, plan, time) that reports the
    /// changes, in one transaction: a change is reported once, whatever kills the process.
    pub(crate) fn put_alerts(
        &self,
        rule: &str,
        alerts: &[AlertRecord],
        report: Option<(&str, &Plan, i64)>,
    ) -> Result<()> {
        alert_rows::put_alerts(&self.db, rule, alerts, report)
    }

    /// Nobody is alerted by a rule until this time.
    pub(crate) fn silence(&self, rule: &str, until_ms: i64) -> Result<()> {
        self.mark(&silence_of(rule), &until_ms.to_string())
    }

    /// Until when nobody is alerted by a rule.
    pub(crate) fn silent_until(&self, rule: &str) -> Result<Option<i64>> {
        Ok(self.marked(&silence_of(rule))?.and_then(|text| text.parse().ok()))
    }
}

fn silence_of(rule: &str) -> String {
    format!("silence {rule}")
}
