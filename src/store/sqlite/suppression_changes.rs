//! Changes of the suppression list that are noted for events.
//!
//! Not here: what notes them (`noted_changes`), and the list (`suppression_rows`). Invariant: a
//! change is noted in its own transaction, and stays until every sink of events has it.

use super::connection::SharedConnection;
use super::mark_rows;
use super::noted_changes::TOLD;
use crate::error::Result;
use crate::store::SuppressionChange;
use rusqlite::{Connection, params};

/// The mark that says up to which number they were collected.
const COLLECTED: &str = "event changes";
const IS_ANY: &str = "SELECT EXISTS (SELECT 1 FROM suppression_changes WHERE number <= ?1)";

pub(crate) fn watch(shared: &SharedConnection, watch: bool) -> Result<()> {
    if shared.read(is_watched)? == watch {
        return Ok(());
    }
    shared.write(move |db| match watch {
        true => TOLD.begin(db),
        false => {
            TOLD.end(db)?;
            mark_rows::put(db, COLLECTED, "0")?;
            db.execute_batch("DROP TABLE IF EXISTS suppression_changes")
        }
    })
}

fn is_watched(db: &Connection) -> rusqlite::Result<bool> {
    let table = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'suppression_changes'";
    db.prepare_cached(table)?.exists([])
}

/// Those that were not collected.
pub(crate) fn first(shared: &SharedConnection, most: usize) -> Result<Vec<SuppressionChange>> {
    shared.read(|db| {
        if !is_watched(db)? {
            return Ok(Vec::new());
        }
        let sql =
            "SELECT number, at_ms, entry FROM suppression_changes WHERE number > ?1 ORDER BY number LIMIT ?2";
        let change = |row: &rusqlite::Row<'_>| {
            Ok(SuppressionChange { number: row.get(0)?, at_ms: row.get(1)?, entry: row.get(2)? })
        };
        db.prepare(sql)?.query_map(params![collected(db)?, most as i64], change)?.collect()
    })
}

fn collected(db: &Connection) -> rusqlite::Result<i64> {
    Ok(mark_rows::value(db, COLLECTED)?.and_then(|number| number.parse().ok()).unwrap_or(0))
}

/// Those up to this number are in the queue; 0: none.
pub(crate) fn are_collected(shared: &SharedConnection, number: i64) -> Result<()> {
    shared.write(move |db| mark_rows::put(db, COLLECTED, &number.to_string()))
}

/// Those that were collected have reached every sink.
pub(crate) fn are_delivered(shared: &SharedConnection) -> Result<()> {
    let collected = shared.read(|db| if is_watched(db)? { collected(db) } else { Ok(0) })?;
    let forget = "DELETE FROM suppression_changes WHERE number <= ?1";
    let is_any = |db: &Connection| db.query_row(IS_ANY, [collected], |row| row.get::<_, bool>(0));
    if collected == 0 || !shared.read(is_any)? {
        return Ok(());
    }
    shared.write(move |db| db.execute(forget, [collected]).map(drop))
}
