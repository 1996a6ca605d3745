//! Encrypted databases, in a carom that is built with the feature `sqlcipher`.
//!
//! The key belongs to the process: every database that it opens is encrypted with it. Not here:
//! where the key is read from (`config`). Invariant: with a key, no page is written in the clear; a
//! carom that cannot encrypt refuses to run with a key.

use crate::error::{Error, Result};
use rusqlite::Connection;
use std::sync::OnceLock;

static KEY: OnceLock<String> = OnceLock::new();

/// The key for every database that this process opens from now on.
pub(crate) fn use_key(key: &str) -> Result<()> {
    if !cfg!(feature = "sqlcipher") {
        return Err(Error::new("[store] key: this carom cannot encrypt its databases")
            .remedy("build carom with --features sqlcipher, or remove the key"));
    }
    let _ = KEY.set(key.to_owned());
    Ok(())
}

/// Gives the key to a connection, before anything else is done with it.
pub(crate) fn unlock(connection: &Connection) -> rusqlite::Result<()> {
    let Some(key) = KEY.get() else { return Ok(()) };
    connection.pragma_update(None, "key", key)?;
    // The first page is read now, so that a wrong key is an error here.
    let read = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    read.map_err(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB),
            Some("not encrypted with the key in [store] key, or not encrypted".to_owned()),
        ),
        _ => error,
    })
}
