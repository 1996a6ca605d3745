//! Verbs of the store for operators: alerts, and the record of what they do. A part of the seam.
//!
//! Not here: SQL (`sqlite/alert_rows`, `sqlite/audit_rows`), when an alert fires (`crate::alert`),
//! and the actions (`crate::serve`).

use super::Store;
use super::audited::{AuditEntry, AuditFilter};
use super::observed::AlertRecord;
use super::sqlite::{alert_rows, audit_rows};
use crate::error::Result;
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
