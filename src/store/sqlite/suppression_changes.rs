//! Changes of the suppression list, noted for events while somebody wants them.
//!
//! The table and its triggers are there only while `[[events]]` asks for such events: without them
//! a change costs nothing. Not here: the list (`suppression_rows`). Invariant: a change is noted in
//! its own transaction, and stays until it was told.

use super::connection::SharedConnection;
use crate::error::Result;
use crate::store::SuppressionChange;
use rusqlite::{Connection, params};

const TABLE: &str = "suppression_changes";

/// What is noted of an entry.
const FIELDS: [&str; 9] = [
    "address",
    "sender_domain",
    "reason",
    "source",
    "added_ms",
    "expires_ms",
    "rule",
    "provider",
    "soft_bounces",
];

pub(crate) fn watch(shared: &SharedConnection, watch: bool) -> Result<()> {
    if shared.read(is_watched)? == watch {
        return Ok(());
    }
    shared.write(move |db| match watch {
        true => db.execute_batch(&begin()),
        false => db.execute_batch(&format!(
            "DROP TRIGGER IF EXISTS told_suppression_added; DROP TRIGGER IF EXISTS told_suppression_changed;
             DROP TRIGGER IF EXISTS told_suppression_removed; DROP TABLE IF EXISTS {TABLE};"
        )),
    })
}

fn begin() -> String {
    let entry = |change: &str, of: &str| {
        let fields: Vec<String> = FIELDS.iter().map(|name| format!("'{name}', {of}.{name}")).collect();
        format!(
            "INSERT INTO {TABLE} (at_ms, entry) VALUES (CAST(unixepoch('subsec') * 1000 AS INTEGER),
             json_object('change', '{change}', {}));",
            fields.join(", ")
        )
    };
    format!(
        "CREATE TABLE {TABLE} (number INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, entry TEXT NOT NULL);
         CREATE TRIGGER told_suppression_added AFTER INSERT ON suppressions BEGIN {} END;
         CREATE TRIGGER told_suppression_changed AFTER UPDATE ON suppressions BEGIN {} END;
         CREATE TRIGGER told_suppression_removed AFTER DELETE ON suppressions BEGIN {} END;",
        entry("added", "NEW"),
        entry("changed", "NEW"),
        entry("removed", "OLD")
    )
}

fn is_watched(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?.exists([TABLE])
}

pub(crate) fn first(shared: &SharedConnection, most: usize) -> Result<Vec<SuppressionChange>> {
    shared.read(|db| {
        if !is_watched(db)? {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT number, at_ms, entry FROM {TABLE} ORDER BY number LIMIT ?1");
        let change = |row: &rusqlite::Row<'_>| {
            Ok(SuppressionChange { number: row.get(0)?, at_ms: row.get(1)?, entry: row.get(2)? })
        };
        db.prepare(&sql)?.query_map(params![most as i64], change)?.collect()
    })
}

pub(crate) fn forget(shared: &SharedConnection, number: i64) -> Result<()> {
    shared.write(move |db| db.execute(&format!("DELETE FROM {TABLE} WHERE number <= ?1"), [number]).map(drop))
}
