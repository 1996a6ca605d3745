//! What was removed from an SQLite file long ago is overwritten.
//!
//! SQLite leaves freed pages as they are until it needs them; within a page, `secure_delete = FAST`
//! overwrites what is removed. So all free pages are filled with zeros, in a table that is dropped
//! again. Not here: what is removed (`erasure_rows`). Invariant: a kill at any time leaves a table
//! of zeros at most, which the next call drops.

use super::write_ahead_log::WriteAheadLog;
use rusqlite::Connection;

/// What every connection sets: removed bytes of a page are overwritten where that takes no more
/// writes.
pub(crate) const OVERWRITE_REMOVED: &str = "PRAGMA secure_delete = FAST";

/// Bytes of one row of zeros, each in a transaction of its own.
const ZEROS: i64 = 16 << 20;
/// Free pages that cannot be filled: the last row of zeros would need others beside them.
const ENOUGH: i64 = 4;

/// Overwrites the free pages, and moves the write-ahead log, which has older pages, into the file.
/// It takes as long as writing all of them does.
pub(crate) fn overwrite(db: &Connection) -> rusqlite::Result<()> {
    let number = |pragma: &str| db.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let page = number("PRAGMA page_size")?;
    db.execute_batch("DROP TABLE IF EXISTS zeros; CREATE TABLE zeros (bytes BLOB NOT NULL)")?;
    loop {
        let free = number("PRAGMA freelist_count")?;
        if free <= ENOUGH {
            break;
        }
        let bytes = ZEROS.min((free - ENOUGH / 2) * (page - 4));
        db.execute("INSERT INTO zeros (bytes) VALUES (zeroblob(?1))", [bytes])?;
    }
    // A page each for those that are left.
    for _ in 0..=ENOUGH {
        db.execute("INSERT INTO zeros (bytes) VALUES (zeroblob(?1))", [page])?;
    }
    db.execute_batch("DROP TABLE zeros")?;
    // Readers may keep a part of the log; the next process to end moves that.
    WriteAheadLog::empty(db)
}
