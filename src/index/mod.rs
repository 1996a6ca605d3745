//! What the mail logs say: deliveries and statistics, in their own SQLite file, so that a long
//! import never delays a message.
//!
//! Not here: reading logs (`crate::maillog`, `crate::ingest`). Invariant: deliveries, the position
//! in the log and the messages under way are one transaction, so each line counts once, whatever
//! kills the process.

mod alias_members;
mod batch;
mod changed_deliveries;
mod client_addresses;
mod delivery_data;
mod delivery_match;
mod delivery_page;
mod delivery_query;
mod delivery_row;
mod expiry;
mod failing;
mod filter;
mod meaning;
mod pending_failures;
mod personal_rows;
mod index_schema;
mod log_health_rows;
mod quality;
mod queue_ids;
mod seen;
mod shelf;
mod stored_delivery;
mod stored_routes;
mod stretch;
mod sum_query;
mod sum_writer;
mod sums;
mod unclassified;
mod unwritten_rows;
mod waiting_deliveries;
#[cfg(test)]
mod tests;

pub(crate) use batch::Batch;
pub(crate) use delivery_data::DeliveryData;
pub(crate) use delivery_match::{DeliveryMatch, provider_of};
pub(crate) use delivery_page::{DeliveryPage, PageWanted};
pub(crate) use delivery_row::hash_of_row;
pub(crate) use failing::FailingDelivery;
pub(crate) use filter::{Filter, PlaceInTime};
pub(crate) use pending_failures::ACTED_ON_FOR_MS;
pub(crate) use personal_rows::{IndexErasure, MessageUnderWay};
pub(crate) use quality::DeliveryQuality;
pub(crate) use queue_ids::QueueIds;
pub(crate) use seen::Seen;
pub(crate) use shelf::Shelved;
pub(crate) use stored_delivery::StoredDelivery;
pub(crate) use stretch::Stretch;
pub(crate) use sum_writer::SumWriter;
pub(crate) use sums::{CountedSum, HOURS_MS, Interval, MINUTES_MS, RECENT_MS, ReasonCount, ReasonKind, Sum};
pub(crate) use unclassified::{UnclassifiedShape, UnknownReply};
pub(crate) use unwritten_rows::{UnwrittenRows, Work};
pub(crate) use waiting_deliveries::WaitingDelivery;

use crate::error::{Error, Result};
use crate::files::lock::{self, LockFile};
use crate::files::private;
use crate::store::{Database, encryption, free_pages, guard, inspection, migrations, read_only};
use rusqlite::{Connection, InterruptHandle, OpenFlags, OptionalExtension};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a reader waits for a writer.
const BUSY: Duration = Duration::from_secs(20);
/// The same for somebody who waits for an answer.
const BUSY_READER: Duration = Duration::from_secs(2);
/// Prepared statements that a reader keeps.
const STATEMENTS: usize = 64;
/// Bytes of a page; larger than usual, because that sorts faster.
const PAGE: i64 = 8192;
/// KiB of pages in memory.
const CACHE_KIB: i64 = 32 << 10;
/// The same while everything is sorted for the first time: pieces that fit the processor's cache
/// sort faster.
const SORT_KIB: i64 = 2 << 10;

pub(crate) struct Index {
    connection: Connection,
    path: PathBuf,
}

/// How far a log was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogProgress {
    pub(crate) id: i64,
    /// Where reading stopped, in the form of its source.
    pub(crate) position: Option<String>,
    /// What the source has to know to go on.
    pub(crate) state: Option<String>,
    /// When something was last read, milliseconds since 1970.
    pub(crate) read_ms: Option<i64>,
    /// Lines that were understood, ever.
    pub(crate) understood: i64,
}

/// Ends the question that a reader is at; it is answered with an error.
pub(crate) struct Interrupter(InterruptHandle);

impl Interrupter {
    pub(crate) fn interrupt(&self) {
        self.0.interrupt();
    }
}

impl Index {
    /// Opens the file; creates or updates it if necessary.
    pub(crate) fn open(path: &Path) -> Result<Index> {
        encryption::require_key()?;
        // SQLite gives its other files the permissions of this one.
        let made = path.parent().map_or(Ok(()), private::make_directory);
        made.and_then(|()| private::make_file(path)).map_err(|error| unwritable(path, &error))?;
        let mut connection =
            connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| wrong(path, &error))?;
        let prepared: rusqlite::Result<bool> = (|| {
            let last = index_schema::MIGRATIONS.len() as i64;
            match migrations::version(&connection)? {
                version if version == last => {}
                0 => {
                    // SQLCipher opens no file with pages of another size than its own.
                    if !encryption::is_used() {
                        connection.pragma_update(None, "page_size", PAGE)?;
                    }
                    let routes = |db: &Connection| db.execute_batch(index_schema::INDEX_OF_ROUTES);
                    migrations::apply(&mut connection, index_schema::MIGRATIONS, routes)?;
                }
                version if (0..last).contains(&version) => {
                    migrations::apply(&mut connection, index_schema::MIGRATIONS, meaning::complete)?;
                }
                _ => return Ok(false),
            }
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
            Ok(true)
        })();
        match prepared {
            Ok(true) => Ok(Index { connection, path: path.to_owned() }),
            Ok(false) => Err(Database::Index.foreign(path)),
            Err(error) => Err(wrong(path, &error)),
        }
    }

    /// Opens the file for questions; `None` if no log was ever read.
    pub(crate) fn look(path: &Path) -> Result<Option<Index>> {
        if read_only::is_missing(path) {
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

    /// Opens the file for questions of somebody who never writes it; `None` if no log was ever
    /// read. A file of another version is an error.
    pub(crate) fn read_only(path: &Path) -> Result<Option<Index>> {
        if read_only::is_missing(path) {
            return Ok(None);
        }
        let opened = reader(path).and_then(|reader| Ok((migrations::version(&reader)?, reader)));
        let ours = index_schema::MIGRATIONS.len() as i64;
        match opened.map_err(|error| wrong(path, &error))? {
            (version, connection) if version == ours => Ok(Some(Index { connection, path: path.to_owned() })),
            (other, _) => Err(Database::Index.of_version(path, other, ours)),
        }
    }

    /// Another reader of the same file, for another thread; an error where it cannot be read twice,
    /// as on a full disk.
    pub(crate) fn beside(&self) -> Result<Index> {
        let opened = reader(&self.path).and_then(|reader| migrations::version(&reader).map(|_| reader));
        Ok(Index { connection: self.checked(opened)?, path: self.path.clone() })
    }

    /// Opens the file for questions alone; where the disk is full, as it is.
    pub(crate) fn to_read(path: &Path) -> Result<Option<Index>> {
        Index::look(path).or_else(|error| {
            let connection = read_only::on_full_disk(path).map_err(|error| wrong(path, &error));
            connection.and_then(|connection| Index::of_this_version(connection, path)).map_err(|_| error)
        })
    }

    /// Opens the file for `carom check`, which creates nothing; `None` if no log was ever read, or
    /// the file is of another version.
    pub(crate) fn glance(path: &Path) -> Result<Option<Index>> {
        // A pipe would wait for its other end.
        if !path.is_file() {
            return Ok(None);
        }
        Index::of_this_version(read_only::open(path).map_err(|error| wrong(path, &error))?, path)
    }

    fn of_this_version(connection: Connection, path: &Path) -> Result<Option<Index>> {
        let version = migrations::version(&connection).map_err(|error| wrong(path, &error))?;
        let is_ours = version == index_schema::MIGRATIONS.len() as i64;
        Ok(is_ours.then(|| Index { connection, path: path.to_owned() }))
    }

    /// Reads its pages for so long; returns whether that was enough for all. Error: one is damaged.
    pub(crate) fn inspect(&self, within: Duration) -> Result<bool> {
        self.checked(inspection::read_pages(&self.connection, Some(within)))
    }

    /// What ends a question of this reader from another thread.
    pub(crate) fn interrupter(&self) -> Interrupter {
        Interrupter(self.connection.get_interrupt_handle())
    }

    /// Keeps other ticks out until the lock is dropped. `None`: another process has it.
    pub(crate) fn lock(path: &Path) -> Result<Option<LockFile>> {
        let mut name = path.as_os_str().to_owned();
        name.push(".lock");
        if let Some(directory) = path.parent() {
            // Whether that worked is seen when the file is opened.
            let _ = private::make_directory(directory);
        }
        lock::try_take(Path::new(&name)).map_err(|error| unwritable(path, &error))
    }

    /// How far a log was read; a new one gets a number.
    pub(crate) fn log(&self, name: &str) -> Result<LogProgress> {
        let found = self.connection.query_row(
            "SELECT id, position, state, read_ms, events + ignored FROM logs WHERE name = ?1",
            [name],
            |row| {
                let (id, position, state) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(LogProgress { id, position, state, read_ms: row.get(3)?, understood: row.get(4)? })
            },
        );
        match self.checked(found.optional())? {
            Some(log) => Ok(log),
            None => {
                self.checked(self.connection.execute("INSERT INTO logs (name) VALUES (?1)", [name]))?;
                Ok(LogProgress { id: self.connection.last_insert_rowid(), ..LogProgress::default() })
            }
        }
    }

    /// Each log, and when something was last read of it, in milliseconds since 1970.
    pub(crate) fn last_read(&self) -> Result<Vec<(String, Option<i64>)>> {
        self.checked((|| {
            let mut select = self.connection.prepare("SELECT name, read_ms FROM logs ORDER BY name")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })())
    }

    /// Whether nothing was read yet, or the first reading is not complete.
    pub(crate) fn is_first_reading(&self) -> Result<bool> {
        Ok(self.remembered("indexed")?.is_none())
    }

    /// Whether there are no deliveries.
    pub(crate) fn is_empty(&self) -> Result<bool> {
        let one = self.connection.query_row("SELECT 1 FROM deliveries LIMIT 1", [], |_| Ok(()));
        Ok(self.checked(one.optional())?.is_none())
    }

    pub(crate) fn begin(&self) -> Result<Batch<'_>> {
        Batch::begin(self)
    }

    /// A remembered value.
    pub(crate) fn remembered(&self, name: &str) -> Result<Option<String>> {
        let found =
            self.connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0));
        self.checked(found.optional())
    }

    pub(crate) fn remember(&self, name: &str, value: &str) -> Result<()> {
        let put =
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
        self.checked(self.connection.execute(put, [name, value])).map(drop)
    }

    /// Ends the first import: builds the dense indexes, and lets readers and a writer work at the
    /// same time from now on. Until then each page is written once, without a write-ahead log, and
    /// readers wait for the end of a transaction.
    pub(crate) fn complete(&self) -> Result<()> {
        let db = &self.connection;
        // A file of an earlier release gets what it lacks here, where nobody waits.
        self.checked(db.execute_batch(index_schema::INDEX_OF_ROUTES))?;
        if self.remembered("indexed")?.is_some() {
            return self.checked(db.execute_batch(index_schema::INDEXES));
        }
        if self.is_empty()? {
            // The first import is still to come.
            return Ok(());
        }
        self.checked(db.pragma_update(None, "cache_size", -SORT_KIB))?;
        self.checked(db.execute_batch(&format!(
            "BEGIN IMMEDIATE; {} INSERT OR REPLACE INTO meta (name, value) VALUES ('indexed', '1'); COMMIT;",
            index_schema::INDEXES
        )))?;
        self.checked(db.pragma_update(None, "cache_size", -CACHE_KIB))?;
        self.checked(db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())))
    }

    fn checked<T>(&self, result: rusqlite::Result<T>) -> Result<T> {
        result.map_err(|error| wrong(&self.path, &error))
    }
}

fn wrong(path: &Path, error: &rusqlite::Error) -> Error {
    Database::Index.fault(path, error)
}

fn unwritable(path: &Path, error: &io::Error) -> Error {
    let fix = "let the user that runs carom write there, free the disk, or set [index] path";
    Database::Index.error(path, &error.to_string()).remedy(fix)
}

fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_READER)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    guard(path)?;
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    encryption::unlock(&connection)?;
    connection.execute_batch(free_pages::OVERWRITE_REMOVED)?;
    Ok(connection)
}
