//! How an older SQLite file becomes a newer one. Not here: the tables (`store_schema`,
//! `crate::index`).
//!
//! Invariant: `user_version` is the number of migrations that a file has had; each is applied once,
//! in its own transaction.

use rusqlite::{Connection, TransactionBehavior};

/// The version of a file.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Applies what a file has not had yet, and with the last of it `complete`, for what depends on
/// its rows. Two processes may try: the second finds nothing left to do.
pub(crate) fn apply(
    connection: &mut Connection,
    migrations: &[&str],
    complete: impl Fn(&Connection) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    while (0..migrations.len() as i64).contains(&version(connection)?) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let had = version(&transaction)?;
        if let Some(migration) = usize::try_from(had).ok().and_then(|had| migrations.get(had)) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", had + 1)?;
            if had + 1 == migrations.len() as i64 {
                complete(&transaction)?;
            }
        }
        transaction.commit()?;
    }
    Ok(())
}
