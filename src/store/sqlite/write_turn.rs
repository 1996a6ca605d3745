//! Waiting for the lock of the store: whoever waits long tries about as often as whoever has just
//! come.
//!
//! SQLite's own waiting sleeps longer after each try, up to 100 ms: in a crowd the lock is free
//! while most sleep, and whoever has waited long is passed by all others. Not here: what is written
//! (`connection`). Invariant: nobody waits longer than its patience.

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time between two tries, at first and in the end: others hold the lock for about as long, and a
/// try costs microseconds.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(5)];

/// Begins to write when no other process does.
pub(super) fn begin(db: &Connection, patience: Duration) -> rusqlite::Result<Transaction<'_>> {
    let (began, [shortest, longest]) = (Instant::now(), PAUSES);
    db.busy_timeout(Duration::ZERO)?;
    let begun = loop {
        match Transaction::new_unchecked(db, TransactionBehavior::Immediate) {
            Err(error) if is_busy(&error) && began.elapsed() < patience => {
                sleep((began.elapsed() / 8).clamp(shortest, longest));
            }
            begun => break begun?,
        }
    };
    db.busy_timeout(patience)?;
    Ok(begun)
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
