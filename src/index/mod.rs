//! What the mail logs say, in a SQLite file of its own, so that a long reading never holds up a message.
//!
//! Not here: reading logs (`logs`) and driving it (`ingest`). Invariant: deliveries, the position in the log and what is under
//! way are one transaction, so that each line counts once, whatever kills the process.

mod batch;
mod counted;
mod expiry;
mod meaning;
mod pending_work;
mod pulse;
mod query;
mod index_schema;
mod shelf;
mod sums;
#[cfg(test)]
mod tests;

pub(crate) use batch::Batch;
pub(crate) use counted::WaitingDelivery;
pub(crate) use pending_work::{ACTED_ON_FOR_MS, PendingWork};
pub(crate) use query::{FailingDelivery, Filter, StoredDelivery, UnclassifiedShape};
pub(crate) use shelf::Shelved;
pub(crate) use sums::{HOURS_MS, Interval, MINUTES_MS, RECENT_MS, ReasonCount, ReasonKind, Sum, SumWriter};

use crate::error::{Error, Result};
use crate::files::lock::{self, LockFile};
use crate::store::migrations;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long reading waits for whoever writes.
const BUSY: Duration = Duration::from_secs(20);
/// Bytes of a page. With fewer and larger ones than usual sorting is faster.
const PAGE: i64 = 8192;
/// KiB of pages in memory.
const CACHE_KIB: i64 = 32 << 10;
/// The same while everything is sorted for the first time: pieces that the processor's cache holds are sorted faster.
const SORT_KIB: i64 = 2 << 10;

/// The index.
pub(crate) struct Index {
    connection: Connection,
    path: PathBuf,
}

/// A log, as far as it was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogProgress {
    /// Its number.
    pub(crate) id: i64,
    /// Where reading stopped.
    pub(crate) position: Option<String>,
    /// What the reader has to know to go on.
    pub(crate) state: Option<String>,
}

impl Index {
    /// Opens the file; makes or migrates it where that is needed.
    pub(crate) fn open(path: &Path) -> Result<Index> {
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            let made = std::fs::create_dir_all(directory);
            made.map_err(|error| wrong(path, &error))?;
        }
        let mut connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
            .map_err(|error| wrong(path, &error))?;
        let prepared: rusqlite::Result<bool> = (|| {
            let last = index_schema::MIGRATIONS.len() as i64;
            match migrations::version(&connection)? {
                version if version == last => {}
                0 => {
                    connection.pragma_update(None, "page_size", PAGE)?;
                    migrations::apply(&mut connection, index_schema::MIGRATIONS)?
                }
                version if (0..last).contains(&version) => {
                    migrations::apply(&mut connection, index_schema::MIGRATIONS)?
                }
                _ => return Ok(false),
            }
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
            Ok(true)
        })();
        match prepared {
            Ok(true) => Ok(Index { connection, path: path.to_owned() }),
            Ok(false) => Err(Error::new(format_args!(
                "index {}: written by a newer carom, or by another program",
                path.display()
            ))
            .remedy("install that version again, or set [index] path to another file")),
            Err(error) => Err(wrong(path, &error)),
        }
    }

    /// Opens the file to look things up; none if nothing was ever read.
    pub(crate) fn look(path: &Path) -> Result<Option<Index>> {
        if !path.exists() {
            return Ok(None);
        }
        let connection =
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| wrong(path, &error))?;
        match migrations::version(&connection) {
            Ok(version) if version == index_schema::MIGRATIONS.len() as i64 => {
                Ok(Some(Index { connection, path: path.to_owned() }))
            }
            Ok(_) => Index::open(path).map(Some),
            Err(error) => Err(wrong(path, &error)),
        }
    }

    /// Keeps all other ticks out as long as the file is held. None: another one is at it.
    pub(crate) fn lock(path: &Path) -> Result<Option<LockFile>> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        if let Some(directory) = path.parent() {
            // Whether that worked is seen when the file is opened.
            let _ = std::fs::create_dir_all(directory);
        }
        lock::try_take(Path::new(&name)).map_err(|error| wrong(path, &error))
    }

    /// How far a log was read.
    pub(crate) fn log(&self, name: &str) -> Result<LogProgress> {
        let found = self.connection.query_row(
            "SELECT id, position, state FROM logs WHERE name = ?1",
            [name],
            |row| Ok(LogProgress { id: row.get(0)?, position: row.get(1)?, state: row.get(2)? }),
        );
        match self.told(found.optional())? {
            Some(log) => Ok(log),
            None => {
                self.told(self.connection.execute("INSERT INTO logs (name) VALUES (?1)", [name]))?;
                Ok(LogProgress { id: self.connection.last_insert_rowid(), ..LogProgress::default() })
            }
        }
    }

    /// Are there no deliveries?
    pub(crate) fn is_empty(&self) -> Result<bool> {
        let one = self.connection.query_row("SELECT 1 FROM deliveries LIMIT 1", [], |_| Ok(()));
        Ok(self.told(one.optional())?.is_none())
    }

    /// Starts a transaction.
    pub(crate) fn begin(&self) -> Result<Batch<'_>> {
        Batch::begin(self)
    }

    /// A remembered word.
    pub(crate) fn remembered(&self, name: &str) -> Result<Option<String>> {
        let found =
            self.connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0));
        self.told(found.optional())
    }

    /// Remembers a word.
    pub(crate) fn remember(&self, name: &str, value: &str) -> Result<()> {
        let put = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.told(self.connection.execute(put, [name, value])).map(drop)
    }

    /// Ends the first reading: makes the indexes, and lets readers and a writer be there at once from now on. Until then each page is
    /// written once, without a write-ahead log, and who wants to read waits for the end of a transaction.
    pub(crate) fn complete(&self) -> Result<()> {
        if self.remembered("indexed")?.is_some() {
            return Ok(());
        }
        let db = &self.connection;
        if self.is_empty()? {
            // The first reading is still to come.
            return Ok(());
        }
        self.told(db.pragma_update(None, "cache_size", -SORT_KIB))?;
        self.told(db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {} INSERT OR REPLACE INTO meta VALUES ('indexed', '1'); COMMIT;",
            index_schema::INDEXES
        )))?;
        self.told(db.pragma_update(None, "cache_size", -CACHE_KIB))?;
        self.told(db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())))
    }

    fn told<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|error| wrong(&self.path, &error))
    }
}

fn wrong(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::new(format_args!("index {}: {error}", path.display())).remedy(
        "let the user that runs carom write the file and its directory, free the disk, or set [index] path",
    )
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    Ok(connection)
}
