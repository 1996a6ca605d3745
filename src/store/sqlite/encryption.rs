//! Encrypted databases, in a carom that is built with the feature `sqlcipher`.
//!
//! The key belongs to the process: every database that it opens is encrypted with it. Not here:
//! where the key is read from (`config`). Invariant: with a key, no page is written in the clear; a
//! carom that cannot encrypt refuses to run with a key.

use crate::digest::sha256_hex;
use crate::error::{Error, Result};
use rusqlite::Connection;
use std::sync::OnceLock;

/// Octets of a key at least: it is not stretched.
const SHORTEST: usize = 32;

/// In hexadecimal digits; an error if this process cannot have it.
static KEY: OnceLock<Result<String>> = OnceLock::new();

/// The key for every database that this process opens from now on. Without it, none is opened.
pub(crate) fn use_key(key: Result<String>) -> Result<()> {
    let key = match key {
        Ok(key) => key,
        Err(error) => {
            let _ = KEY.set(Err(error));
            return Ok(());
        }
    };
    if !cfg!(feature = "sqlcipher") {
        return Err(Error::new("[store] key: this carom cannot encrypt its databases")
            .remedy("build carom with --features sqlcipher, or remove the key"));
    }
    if key.len() < SHORTEST {
        return Err(Error::new(format_args!("[store] key: it has less than {SHORTEST} octets"))
            .remedy("make one with: carom secret new"));
    }
    let _ = KEY.set(Ok(sha256_hex(&[key.as_bytes()], 64)));
    Ok(())
}

/// Whether databases are encrypted.
pub(crate) fn is_used() -> bool {
    KEY.get().is_some()
}

/// Error: there is a key, and this process cannot have it.
pub(crate) fn require_key() -> Result<()> {
    KEY.get().map_or(Ok(()), |key| key.as_ref().map(drop).map_err(Error::clone))
}

/// The key. Error: there is one, and this process cannot have it.
pub(super) fn held_key() -> rusqlite::Result<Option<&'static str>> {
    let Err(error) = require_key() else { return Ok(KEY.get().and_then(|key| key.as_deref().ok())) };
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_AUTH);
    Err(rusqlite::Error::SqliteFailure(code, Some(error.text().to_owned())))
}

/// Gives the key to a connection, before anything else is done with it.
pub(crate) fn unlock(connection: &Connection) -> rusqlite::Result<()> {
    let Some(key) = held_key()? else { return Ok(()) };
    // What SQLCipher logs would be read by the mail server.
    connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
    // 32 bytes are used as they are: a passphrase would be stretched at each start, for 0.3 s.
    connection.execute_batch(&format!("PRAGMA key = \"x'{key}'\""))?;
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
