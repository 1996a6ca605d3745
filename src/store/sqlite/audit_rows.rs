//! Actions of people: who did what when, and what it changed.
//!
//! Not here: the actions (`crate::serve`). Invariant: an action is on record before it begins.

use super::connection::SharedConnection;
use crate::clock::MINUTE_MS;
use crate::error::Result;
use crate::store::audited::{AuditEntry, AuditFilter};
use crate::store::suppressed::Suppressed;
use crate::store::suppression_target::forms;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde_json::Value;

const COLUMNS: &str = "id, at_ms, who, action, what, before, after";

/// Puts an action on record that is about to begin; returns its number.
pub(crate) fn begin(shared: &SharedConnection, entry: &AuditEntry) -> Result<i64> {
    let entry = entry.clone();
    shared.write(move |db| put(db, &entry))
}

/// The same within a transaction, also of an action that is done in it.
pub(super) fn put(db: &Connection, entry: &AuditEntry) -> rusqlite::Result<i64> {
    let AuditEntry { at_ms, who, action, what, before, after, .. } = entry;
    let put = "INSERT INTO audit (at_ms, who, action, what, before, after) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(put)?.execute(params![at_ms, who, action, what, text(before), text(after)])?;
    Ok(db.last_insert_rowid())
}

pub(crate) fn end(shared: &SharedConnection, id: i64, after: &Value) -> Result<()> {
    let after = text(after);
    shared.write(move |db| {
        db.prepare_cached("UPDATE audit SET after = ?2 WHERE id = ?1")?.execute(params![id, after]).map(drop)
    })
}

/// Actions that have taken something off the suppression list, and name the address, a domain of it
/// or a pattern of its domain: the newest first.
pub(crate) fn removals(shared: &SharedConnection, address: &str) -> Result<Vec<AuditEntry>> {
    let quoted = |text: &str| Value::from(text).to_string();
    let named: Vec<String> = forms(address).iter().map(|form| quoted(form)).collect();
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let of_domain = quoted(&format!("@{domain}")).split_off(1);
    let names = vec!["instr(before, ?)"; named.len()].join(" OR ");
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE action IN ('release', 'undo')
         AND ({names} OR instr(before, '*') AND instr(before, ?)) ORDER BY at_ms DESC, id DESC"
    );
    shared.read(|db| {
        db.prepare(&sql)?.query_map(params_from_iter(named.iter().chain([&of_domain])), row)?.collect()
    })
}

/// Who has put an entry on the suppression list; `None`: nobody, or that is not on record any more.
pub(crate) fn who_added(shared: &SharedConnection, entry: &Suppressed) -> Result<Option<String>> {
    const WHO: &str = "SELECT who FROM audit WHERE action = 'suppress' AND what = ?1 AND abs(at_ms - ?2) < ?3
        ORDER BY abs(at_ms - ?2) LIMIT 1";
    shared.read(|db| {
        let of_it = params![entry.address, entry.added_ms, MINUTE_MS];
        db.prepare_cached(WHO)?.query_row(of_it, |row| row.get(0)).optional()
    })
}

pub(crate) fn entries(shared: &SharedConnection, filter: &AuditFilter) -> Result<Vec<AuditEntry>> {
    let AuditFilter { before_id, since_ms, who, action, most } = filter;
    shared.read(|db| {
        let sql = format!(
            "SELECT {COLUMNS} FROM audit WHERE id < ?1 AND at_ms >= ?2 AND (?3 IS NULL OR who = ?3)
             AND (?4 IS NULL OR action = ?4) ORDER BY id DESC LIMIT ?5"
        );
        let before = before_id.unwrap_or(i64::MAX);
        let since = since_ms.unwrap_or(i64::MIN);
        let mut select = db.prepare_cached(&sql)?;
        let rows = select.query_map(params![before, since, who, action, *most as i64], row)?;
        rows.collect()
    })
}

fn text(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

fn row(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    let value = |at: usize| {
        let text: Option<String> = row.get(at)?;
        Ok::<_, rusqlite::Error>(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    };
    Ok(AuditEntry {
        id: row.get(0)?,
        at_ms: row.get(1)?,
        who: row.get(2)?,
        action: row.get(3)?,
        what: row.get(4)?,
        before: value(5)?,
        after: value(6)?,
    })
}
