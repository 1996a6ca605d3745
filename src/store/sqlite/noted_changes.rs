//! Triggers that note each change of a row in the transaction that makes it: for other hosts, for
//! events, and for who remembers the suppression list.
//!
//! They are there only while somebody wants the changes: without them a change costs nothing, and
//! whoever opens the store reads a schema of half the size. Not here: what is done with the changes
//! (`shared_rows`, `suppression_changes`, `new_suppressions`). Invariant: the transaction that
//! begins to note makes them, and the one that ends it removes them.

use rusqlite::Connection;

/// The triggers of one purpose, and the views that they need.
pub(super) struct NotedChanges {
    make: &'static str,
    /// How their names begin.
    names: &'static str,
}

/// What hosts share.
pub(super) const SHARED: NotedChanges =
    NotedChanges { make: include_str!("shared_changes.sql"), names: "shared_" };
/// What events tell of the suppression list.
pub(super) const TOLD: NotedChanges = NotedChanges { make: include_str!("told_changes.sql"), names: "told_" };
/// Which addresses are new on the suppression list.
pub(super) const NEW: NotedChanges =
    NotedChanges { make: include_str!("new_suppressions.sql"), names: "new_suppression_" };

impl NotedChanges {
    /// From now on changes are noted.
    pub(super) fn begin(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute_batch(self.make)
    }

    /// Changes are noted no more.
    pub(super) fn end(&self, db: &Connection) -> rusqlite::Result<()> {
        // Triggers first, because a view takes its own along.
        let ours = "SELECT 'DROP ' || type || ' IF EXISTS ' || name FROM sqlite_schema
            WHERE type IN ('trigger', 'view') AND name GLOB ?1 || '*' ORDER BY type";
        let mut select = db.prepare(ours)?;
        let drops = select.query_map([self.names], |row| row.get(0))?;
        let drops = drops.collect::<rusqlite::Result<Vec<String>>>()?;
        drops.iter().try_for_each(|drop| db.execute_batch(drop))
    }
}

/// In a file of an older version, what hosts share is noted as it is now, or not at all.
pub(super) fn go_on(db: &Connection) -> rusqlite::Result<()> {
    SHARED.end(db)?;
    match db.query_row("SELECT is_on FROM shared_self", [], |row| row.get(0))? {
        true => SHARED.begin(db),
        false => Ok(()),
    }
}
