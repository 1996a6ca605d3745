//! Whether the file of the store is damaged: its pages are read, as far as there is time.
//!
//! Not here: what is done about it (`crate::check`). Invariant: a fault in what was read is found,
//! and what was not read is said to be that.

use super::connection::SharedConnection;
use super::database_fault::Database;
use crate::error::Result;
use rusqlite::{Connection, ErrorCode, ffi};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, Builder};
use std::time::Duration;

/// Error: the file is damaged. `within`: time for reading; returns whether it was enough for all.
pub(crate) fn inspect(shared: &SharedConnection, within: Option<Duration>) -> Result<bool> {
    let found = shared.read(|db| match within {
        None => quick_check(db).map(Some),
        Some(within) => match interrupted_after(db, within, || quick_check(db)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(None),
            found => found.map(Some),
        },
    })?;
    match found {
        Some(damage) if damage != "ok" => {
            let code = ffi::Error::new(ffi::SQLITE_CORRUPT);
            Err(Database::Store.fault(shared.path(), &rusqlite::Error::SqliteFailure(code, Some(damage))))
        }
        found => Ok(found.is_some()),
    }
}

/// `ok`, or the first fault.
fn quick_check(db: &Connection) -> rusqlite::Result<String> {
    db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}

/// Asks, and ends that with an error if it takes longer.
fn interrupted_after<T>(db: &Connection, within: Duration, ask: impl FnOnce() -> T) -> T {
    let (interrupt, (answered, waits)) = (db.get_interrupt_handle(), channel::<()>());
    thread::scope(|scope| {
        let end = move || {
            if waits.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
                interrupt.interrupt();
            }
        };
        // Without a thread it takes as long as it takes.
        let _ends = Builder::new().name("inspection".into()).spawn_scoped(scope, end);
        let answer = ask();
        drop(answered);
        answer
    })
}
