//! SQLite's write-ahead log: synced after each transaction, and moved into the file in time.
//!
//! Other processes wait for the lock of the store and not for the disk: SQLite writes the log
//! (synchronous=NORMAL), and once the lock is free the log is synced here, so that many processes
//! wait for the disk together. Not here: transactions (`connection`). Invariant: what has left the
//! log is durable, because SQLite syncs the file before it begins the log again.

use rusqlite::Connection;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

/// Closing the store moves a log of more bytes than this into the file. A process that opens the
/// file alone reads the log from its start, and moving it waits for the disk twice, as beginning it
/// again does: with this limit a message with a side effect, which adds 70 KB, costs the least CPU
/// time.
const LIMIT: u64 = 400 << 10;
/// A process that is alone never leaves a log of more bytes than this.
const CROWDED: u64 = 2 * LIMIT;
/// In a crowd the log is moved no more often than this: moving it waits for the disk twice.
const MOVE_EVERY: Duration = Duration::from_secs(1);
/// A log that grew beyond this while others wrote is moved while they wait.
const MOST: u64 = 4 << 20;

/// Bytes of the shortest index of a log.
const SHORTEST_INDEX: u64 = 32 << 10;

pub(super) struct WriteAheadLog {
    store: PathBuf,
    path: PathBuf,
    file: OnceLock<File>,
}

impl WriteAheadLog {
    /// The log of the SQLite file at `path`.
    pub(super) fn of(path: &Path) -> WriteAheadLog {
        WriteAheadLog { store: path.to_owned(), path: super::beside(path, "-wal"), file: OnceLock::new() }
    }

    /// Whether the log of the SQLite file at `path` and its index are there, so that opening the
    /// file makes neither. An index that is shorter was begun on a full disk.
    pub(super) fn is_complete(path: &Path) -> bool {
        let index = super::beside(path, "-shm").metadata();
        super::beside(path, "-wal").is_file() && index.is_ok_and(|index| index.len() >= SHORTEST_INDEX)
    }

    /// Opens the log, so that only the disk can keep what is committed from being durable.
    pub(super) fn open(&self) -> io::Result<()> {
        if self.file.get().is_none() {
            match File::open(&self.path) {
                Ok(file) => drop(self.file.set(file)),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Makes what was committed durable, by whichever process.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.open()?;
        self.file.get().map_or(Ok(()), File::sync_data)
    }

    /// Moves a large log into the file. While others write, what they have just written stays, and
    /// the next process to end tries again.
    pub(super) fn move_into_file(&self, connection: &Connection) -> rusqlite::Result<()> {
        let length = std::fs::metadata(&self.path).map_or(0, |log| log.len());
        if length <= LIMIT || (length > CROWDED && self.was_just_moved()) {
            return Ok(());
        }
        connection.busy_timeout(Duration::ZERO)?;
        let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let (logged, moved) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], pages)?;
        if logged == moved || length > MOST {
            WriteAheadLog::empty(connection)?;
        }
        Ok(())
    }

    /// Moves all of the log into the file, as far as no reader needs it.
    pub(super) fn empty(connection: &Connection) -> rusqlite::Result<()> {
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
    }

    /// Moves new tables from the log into the file, unless others use it now: each process that
    /// opens the file alone would read them from the log.
    pub(super) fn move_tables(connection: &Connection) -> rusqlite::Result<()> {
        connection.busy_timeout(Duration::ZERO)?;
        WriteAheadLog::empty(connection)
    }

    /// Whether the file, which only moving changes, is younger than `MOVE_EVERY`.
    fn was_just_moved(&self) -> bool {
        let moved = std::fs::metadata(&self.store).and_then(|store| store.modified());
        moved.is_ok_and(|moved| moved.elapsed().is_ok_and(|since| since < MOVE_EVERY))
    }
}
