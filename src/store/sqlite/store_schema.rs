//! The tables of the store. They can be read with the `sqlite3` shell.
//!
//! Invariant: a released migration never changes; a new one is appended.

use super::{migrations, noted_changes, sender_spellings};
use rusqlite::Connection;

/// One entry for each version: a file of version N has had the first N.
const STORE_MIGRATIONS: &[&str] = &[
    include_str!("store_1.sql"),
    include_str!("store_2.sql"),
    include_str!("store_3.sql"),
    include_str!("store_4.sql"),
    include_str!("store_5.sql"),
    include_str!("store_6.sql"),
    include_str!("store_7.sql"),
    include_str!("store_8.sql"),
    include_str!("store_9.sql"),
    include_str!("store_10.sql"),
    include_str!("store_11.sql"),
    include_str!("store_12.sql"),
    include_str!("store_13.sql"),
];

/// The version this carom writes.
pub(crate) const VERSION: i64 = STORE_MIGRATIONS.len() as i64;

/// Creates or updates the tables.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    migrations::apply(connection, STORE_MIGRATIONS, |db| {
        noted_changes::go_on(db)?;
        sender_spellings::make_one(db)?;
        sender_spellings::digest_senders(db)
    })
}
