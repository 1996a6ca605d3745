//! A database that is only read, by somebody who makes no file beside it: because nothing is to be
//! created, or because nothing can be.
//!
//! Not here: reading and writing (`connection`, `index`). Invariant: what was committed is seen if
//! the write-ahead log has its index, or if nobody else has the database open.

use super::database_fault::guard;
use super::encryption;
use super::write_ahead_log::WriteAheadLog;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// How long a reader waits for a writer.
const BUSY: Duration = Duration::from_secs(10);

/// Whether there is no database yet. Of one that cannot be looked at, opening it says why.
pub(crate) fn is_missing(path: &Path) -> bool {
    path.metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Opens a database and makes nothing.
pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    guard(path)?;
    if !WriteAheadLog::is_complete(path) {
        return as_it_is(path);
    }
    unlocked(Connection::open_with_flags(path, READ | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

/// The same where nothing can be written, as on a full disk: what would be made is kept in memory.
pub(crate) fn on_full_disk(path: &Path) -> rusqlite::Result<Connection> {
    guard(path)?;
    if super::beside(path, "-wal").metadata().map_or(true, |log| log.len() == 0) {
        return as_it_is(path);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // The index of the log is in memory if nobody else can need it.
    connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(()))?;
    let connection = unlocked(connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

const READ: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY;

/// As a file that nobody changes: SQLite then makes no other files beside it.
fn as_it_is(path: &Path) -> rusqlite::Result<Connection> {
    let escaped = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = READ | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    unlocked(Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?)
}

fn unlocked(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY)?;
    encryption::unlock(&connection)?;
    Ok(connection)
}
