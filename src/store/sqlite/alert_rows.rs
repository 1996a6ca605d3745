//! The states of alerts, and the promise to report a change.
//!
//! Not here: what the states mean (`crate::alert`). Invariant: a change and the promise to report
//! it are one transaction.

use super::connection::SharedConnection;
use super::promise_rows::PromiseRows;
use crate::error::Result;
use crate::plan::Plan;
use crate::store::observed::{AlertRecord, AlertState};
use rusqlite::{Row, params};

pub(crate) fn alerts(shared: &SharedConnection) -> Result<Vec<AlertRecord>> {
    shared.read(|db| {
        let mut select = db.prepare(
            "SELECT rule, subject, state, since_ms, value, told, told_ms, fired_ms FROM alerts ORDER BY rule, subject",
        )?;
        let rows = select.query_map([], row)?;
        rows.collect()
    })
}

pub(crate) fn put_alerts(
    shared: &SharedConnection,
    rule: &str,
    alerts: &[AlertRecord],
    report: Option<(&str, &Plan, i64)>,
) -> Result<()> {
    let (rule, alerts) = (rule.to_owned(), alerts.to_vec());
    let promise = report.map(|(key, plan, at_ms)| PromiseRows::without_message(key, plan, at_ms));
    let promise = promise.transpose()?;
    shared.write(move |db| {
        db.execute("DELETE FROM alerts WHERE rule = ?1", [&rule])?;
        let mut put = db.prepare_cached(
            "INSERT INTO alerts (rule, subject, state, since_ms, value, told, told_ms, fired_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?;
        for alert in &alerts {
            let told = alert.told.map_or("", AlertState::name);
            let AlertRecord { subject, state, since_ms, value, told_ms, fired_ms, .. } = alert;
            put.execute(params![rule, subject, state.name(), since_ms, value, told, told_ms, fired_ms])?;
        }
        promise.map_or(Ok(()), |promise| promise.insert(db, None, 0))
    })
}

fn row(row: &Row<'_>) -> rusqlite::Result<AlertRecord> {
    let (state, told): (String, String) = (row.get(2)?, row.get(5)?);
    Ok(AlertRecord {
        rule: row.get(0)?,
        subject: row.get(1)?,
        state: AlertState::named(&state).unwrap_or(AlertState::Resolved),
        since_ms: row.get(3)?,
        value: row.get(4)?,
        told: AlertState::named(&told),
        told_ms: row.get(6)?,
        fired_ms: row.get(7)?,
    })
}
