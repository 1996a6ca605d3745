//! Whether a database is damaged: its pages are read, as far as there is time.
//!
//! Not here: what is done about it (`crate::check`). Invariant: a fault in what was read is found,
//! and what was not read is said to be that.

use rusqlite::{Connection, ErrorCode, ffi};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{self, Builder};
use std::time::Duration;

/// Reads the pages of a database. `within`: time for it; returns whether it was enough for all.
/// Error: it is damaged.
pub(crate) fn read_pages(db: &Connection, within: Option<Duration>) -> rusqlite::Result<bool> {
    let found = match within {
        None => quick_check(db),
        Some(within) => interrupted_after(db, within, || quick_check(db)),
    };
    match found {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => Ok(false),
        Ok(damage) if damage != "ok" => {
            let code = ffi::Error::new(ffi::SQLITE_CORRUPT);
            Err(rusqlite::Error::SqliteFailure(code, Some(damage)))
        }
        found => found.map(|_| true),
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
