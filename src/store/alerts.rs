//! How alerts stand, and the promise to tell of a change.
//!
//! Not here: what the states mean (`crate::alert`). Invariant: that something was told, and the journal's promise to tell it, are one
//! transaction: it is promised once, whatever kills the process.

use super::Store;
use super::journal::{Written, insert};
use crate::envelope::Envelope;
use crate::error::{Context, Result};
use crate::plan::Plan;
use rusqlite::{Row, params};

/// How an alert stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertState {
    /// Beyond the threshold, but not for long enough.
    Pending,
    /// Beyond the threshold.
    Firing,
    /// It was beyond the threshold, and is no more.
    Resolved,
}

impl AlertState {
    /// The word in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Resolved => "resolved",
        }
    }

    fn of(name: &str) -> Option<AlertState> {
        let all = [AlertState::Pending, AlertState::Firing, AlertState::Resolved];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// A rule and a group that it fires for, or did.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alert {
    /// The name of the rule.
    pub(crate) rule: String,
    /// The group; empty for all mail.
    pub(crate) subject: String,
    /// How it stands.
    pub(crate) state: AlertState,
    /// Since when, in milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// The last value.
    pub(crate) value: Option<f64>,
    /// What was told last.
    pub(crate) told: Option<AlertState>,
    /// When that was.
    pub(crate) told_ms: i64,
    /// When it was told last that it fires.
    pub(crate) fired_ms: i64,
}

impl Store {
    /// Every alert that does not stand as it should, or did not a short time ago.
    pub(crate) fn alerts(&self) -> Result<Vec<Alert>> {
        self.shared.read(|db| {
            let mut select = db.prepare("SELECT * FROM alerts ORDER BY rule, subject")?;
            let rows = select.query_map([], row)?;
            rows.collect()
        })
    }

    /// Puts these in the place of all alerts of a rule, and promises the plan that tells of what has changed.
    pub(crate) fn put_alerts(
        &self,
        rule: &str,
        alerts: &[Alert],
        tell: Option<(&str, &Plan, i64)>,
    ) -> Result<()> {
        let (rule, alerts) = (rule.to_owned(), alerts.to_vec());
        let promise = match tell {
            None => None,
            Some((key, plan, at_ms)) => Some((
                key.to_owned(),
                plan.clone(),
                at_ms,
                Written {
                    policy: String::new(),
                    seed: "0".into(),
                    envelope: serde_json::to_string(&Envelope::default()).context("envelope")?,
                    plan: serde_json::to_string(plan).context("plan")?,
                    owner: None,
                },
            )),
        };
        self.shared.write(move |db| {
            db.execute("DELETE FROM alerts WHERE rule = ?1", [&rule])?;
            let mut put = db.prepare_cached("INSERT INTO alerts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
            for alert in &alerts {
                let told = alert.told.map_or("", AlertState::name);
                let Alert { subject, state, since_ms, value, told_ms, fired_ms, .. } = alert;
                put.execute(params![rule, subject, state.name(), since_ms, value, told, told_ms, fired_ms])?;
            }
            match promise {
                Some((key, plan, at_ms, written)) => insert(db, &key, at_ms, &written, &plan, b"", 0),
                None => Ok(()),
            }
        })
    }

    /// Steps that were tried in vain and are owed, and what was to be told and was parked or given up since `since_ms`. Alerts do not
    /// count: none is made by another.
    pub(crate) fn troubles(&self, since_ms: i64) -> Result<u64> {
        const OWED: &str =
            "SELECT count(*) FROM steps WHERE state = 'pending' AND attempts > 0 AND action <> 'alert'";
        const PARKED: &str = "SELECT count(*) FROM journal JOIN steps USING (key)
            WHERE at_ms >= ?1 AND steps.state IN ('failed', 'parked') AND action = 'notify'";
        self.shared.read(|db| {
            let owed: i64 = db.query_row(OWED, [], |row| row.get(0))?;
            let parked: i64 = db.query_row(PARKED, [since_ms], |row| row.get(0))?;
            Ok(owed.saturating_add(parked).max(0) as u64)
        })
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<Alert> {
    let (state, told): (String, String) = (row.get(2)?, row.get(5)?);
    Ok(Alert {
        rule: row.get(0)?,
        subject: row.get(1)?,
        state: AlertState::of(&state).unwrap_or(AlertState::Resolved),
        since_ms: row.get(3)?,
        value: row.get(4)?,
        told: AlertState::of(&told),
        told_ms: row.get(6)?,
        fired_ms: row.get(7)?,
    })
}
