//! The triggers that note each change of a shared row, in the transaction that makes it.
//!
//! They are there only while this host shares. Whoever opens the store reads the schema, and half
//! of that time would be for them. Not here: what is done with the changes (`shared_rows`).
//! Invariant: the transaction that begins to share makes them, and the one that ends it removes
//! them.

use rusqlite::Connection;

/// From now on changes are noted.
pub(super) fn begin(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(include_str!("noted_changes.sql"))
}

/// Changes are noted no more.
pub(super) fn end(db: &Connection) -> rusqlite::Result<()> {
    // Triggers first, because a view takes its own along.
    let ours = "SELECT 'DROP ' || type || ' IF EXISTS ' || name FROM sqlite_schema
        WHERE type IN ('trigger', 'view') AND name GLOB 'shared_*' ORDER BY type";
    let mut select = db.prepare(ours)?;
    let drops = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    drops.iter().try_for_each(|drop| db.execute_batch(drop))
}

/// The same in a file of an older version, if this host shares.
pub(super) fn go_on(db: &Connection) -> rusqlite::Result<()> {
    match db.query_row("SELECT is_on FROM shared_self", [], |row| row.get(0))? {
        true => begin(db),
        false => Ok(()),
    }
}
