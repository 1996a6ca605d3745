//! Changes of the suppression list that are noted for events.
//!
//! Not here: what notes them (`noted_changes`), and the list (`suppression_rows`). Invariant: a
//! change is noted in its own transaction, and stays until it is in the queue of events.

use super::connection::SharedConnection;
use super::noted_changes::TOLD;
use crate::error::Result;
use crate::store::SuppressionChange;
use rusqlite::{Connection, params};

pub(crate) fn watch(shared: &SharedConnection, watch: bool) -> Result<()> {
    if shared.read(is_watched)? == watch {
        return Ok(());
    }
    shared.write(move |db| match watch {
        true => TOLD.begin(db),
        false => {
            TOLD.end(db)?;
            db.execute_batch("DROP TABLE IF EXISTS suppression_changes")
        }
    })
}

fn is_watched(db: &Connection) -> rusqlite::Result<bool> {
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'suppression_changes'";
    db.prepare_cached(table)?.exists([])
}

pub(crate) fn first(shared: &SharedConnection, most: usize) -> Result<Vec<SuppressionChange>> {
    shared.read(|db| {
        if !is_watched(db)? {
            return Ok(Vec::new());
        }
        let sql = "SELECT number, at_ms, entry FROM suppression_changes ORDER BY number LIMIT ?1";
        let change = |row: &rusqlite::Row<'_>| {
            Ok(SuppressionChange { number: row.get(0)?, at_ms: row.get(1)?, entry: row.get(2)? })
        };
        db.prepare(sql)?.query_map(params![most as i64], change)?.collect()
    })
}

pub(crate) fn forget(shared: &SharedConnection, number: i64) -> Result<()> {
    let forget = "DELETE FROM suppression_changes WHERE number <= ?1";
    shared.write(move |db| db.execute(forget, [number]).map(drop))
}
