//! One connection to the SQLite file, shared by the threads of a process, and group commit.
//!
//! The file is opened when it is first read or written: most messages need neither. A write waits
//! for the disk. While one thread waits, others queue their writes, and the next to get the
//! connection commits the whole queue as one transaction. Not here: how the log reaches the disk
//! (`write_ahead_log`). Invariant: `write` returns `Ok` only after a commit that has.

use super::database_fault::{Database, guard};
use super::holder::Holders;
use super::unsettled_steps::UnsettledSteps;
use super::write_ahead_log::WriteAheadLog;
use super::{encryption, free_pages, migrations, read_only, store_schema, write_turn};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::files::{changed, private};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long a write waits for other processes.
const BUSY: Duration = Duration::from_secs(10);
/// The same for somebody who only wants to know whether a write would be possible.
const GLANCE: Duration = Duration::from_secs(3);
/// The same where a mail server waits for the answer, and has a time limit: two of them in a row
/// are short.
const SOON: Duration = Duration::from_secs(1);
/// Time between two tries where SQLite does not wait by itself.
const RETRY: Duration = Duration::from_millis(20);
/// Statements that are kept ready: more than one transaction of any kind needs.
const STATEMENTS: usize = 48;

/// For work on very many rows: KiB of pages in memory, and pages of the log after which it is moved
/// into the file. A page that many transactions change is moved once.
const MANY_KIB: i64 = 16 << 10;
const MANY_LOGGED: i64 = 4096;

/// Work to do within a transaction.
type Operation = Box<dyn FnOnce(&Connection) -> rusqlite::Result<()> + Send>;

struct Queued {
    operation: Operation,
    done: SyncSender<Result<(), Arc<rusqlite::Error>>>,
}

pub(crate) struct SharedConnection {
    path: PathBuf,
    /// `None`: not opened yet.
    connection: Mutex<Option<Connection>>,
    /// Device and inode of the file that was opened first.
    file: OnceLock<(u64, u64)>,
    queue: Mutex<Vec<Queued>>,
    holders: Arc<Holders>,
    unsettled: Arc<UnsettledSteps>,
    log: WriteAheadLog,
    /// How long it waits for other processes.
    patience: Duration,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedConnection {
    /// Opens the file when it is first needed; creates or migrates it then, if that is needed too.
    pub(crate) fn lazy(path: &Path) -> SharedConnection {
        let (connection, queue) = (Mutex::default(), Mutex::default());
        let (holders, unsettled) = (Arc::new(Holders::of(path)), Arc::new(UnsettledSteps::of(path)));
        let log = WriteAheadLog::of(path);
        let (path, file) = (path.to_owned(), OnceLock::new());
        SharedConnection { path, connection, file, queue, holders, unsettled, log, patience: BUSY }
    }

    /// The same for somebody whose client waits for a moment only.
    pub(crate) fn impatient(path: &Path) -> SharedConnection {
        let mut shared = SharedConnection::lazy(path);
        shared.patience = SOON;
        shared
    }

    /// Opens the file now.
    pub(crate) fn open(path: &Path) -> Result<SharedConnection> {
        let shared = SharedConnection::lazy(path);
        shared.with(|_| ())?;
        Ok(shared)
    }

    /// Opens the file to read it only: every write fails. It must be there, and of this version.
    pub(crate) fn look(path: &Path) -> Result<SharedConnection> {
        let shared = SharedConnection::lazy(path);
        let on_full_disk = |error| shared.of_this_version(read_only::on_full_disk(path)).map_err(|_| error);
        let reader = shared.reader().or_else(on_full_disk)?;
        *lock(&shared.connection) = Some(reader);
        Ok(shared)
    }

    /// An empty store in memory, in place of a file that is missing.
    pub(crate) fn in_memory(path: &Path) -> Result<SharedConnection> {
        let shared = SharedConnection::lazy(path);
        let made = Connection::open_in_memory().and_then(|mut connection| {
            keep_plans(&connection)?;
            store_schema::migrate(&mut connection)?;
            Ok(connection)
        });
        *lock(&shared.connection) = Some(made.map_err(|error| shared.fault(&error))?);
        Ok(shared)
    }

    /// Another connection to the file, for reading only.
    pub(super) fn reader(&self) -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = guard(&self.path).and_then(|()| Connection::open_with_flags(&self.path, flags));
        self.of_this_version(opened.and_then(|connection| {
            connection.busy_timeout(self.patience)?;
            encryption::unlock(&connection)?;
            keep_plans(&connection)?;
            Ok(connection)
        }))
    }

    fn of_this_version(&self, opened: rusqlite::Result<Connection>) -> Result<Connection> {
        let looked = opened.and_then(|connection| Ok((migrations::version(&connection)?, connection)));
        match looked.map_err(|error| self.fault(&error))? {
            (store_schema::VERSION, connection) => Ok(connection),
            (other, _) => Err(Database::Store.of_version(&self.path, other, store_schema::VERSION)),
        }
    }

    /// Opens the file and creates nothing beside it. With its write-ahead log there, the lock for
    /// writing is taken and given back; without, the file is read as it is.
    pub(crate) fn glance(path: &Path) -> Result<SharedConnection> {
        let shared = SharedConnection::lazy(path);
        let connection = match WriteAheadLog::is_complete(path) {
            true => open_file(path, BUSY).and_then(|connection| {
                connection.busy_timeout(GLANCE)?;
                connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
                Ok(connection)
            }),
            false => read_only::open(path),
        };
        let connection = connection.map_err(|error| shared.fault(&error))?;
        match migrations::version(&connection) {
            Ok(version) if (0..=store_schema::VERSION).contains(&version) => {}
            Ok(_) => return Err(Database::Store.foreign(path)),
            Err(error) => return Err(shared.fault(&error)),
        }
        *lock(&shared.connection) = Some(connection);
        Ok(shared)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Which processes work on messages.
    pub(super) fn holders(&self) -> &Arc<Holders> {
        &self.holders
    }

    /// How steps ended that are not on record.
    pub(super) fn unsettled(&self) -> &Arc<UnsettledSteps> {
        &self.unsettled
    }

    /// Whether this process has opened the file.
    pub(crate) fn is_open(&self) -> bool {
        lock(&self.connection).is_some()
    }

    /// Whether the file that this process has opened is there no more, or another one has its name:
    /// what is written goes nowhere.
    pub(crate) fn is_replaced(&self) -> bool {
        self.file.get().is_some_and(|file| changed::identity(&self.path) != Some(*file))
    }

    pub(crate) fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.with(|connection| ask(connection))?.map_err(|error| self.fault(&error))
    }

    /// Very many rows will be read and written.
    pub(crate) fn expect_many(&self) -> Result<()> {
        self.read(|db| {
            db.pragma_update(None, "cache_size", -MANY_KIB)?;
            db.pragma_update_and_check(None, "wal_autocheckpoint", MANY_LOGGED, |_| Ok(()))
        })
    }

    /// Opens the file if it is not open, and keeps other threads from it meanwhile.
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> T) -> Result<T> {
        let mut connection = lock(&self.connection);
        let opened = match connection.take() {
            Some(opened) => opened,
            None => {
                let opened = opened(&self.path, self.patience)?;
                changed::identity(&self.path).map(|file| self.file.set(file));
                opened
            }
        };
        Ok(work(connection.insert(opened)))
    }

    /// Runs `operation` in one transaction with the queued writes of other threads; returns when it
    /// is on disk.
    pub(crate) fn write<T: Send + Sync + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.write_by(Deadline::after(self.patience), operation)
    }

    /// The same, waiting for other processes until `deadline` and no longer than usual.
    pub(super) fn write_by<T: Send + Sync + 'static>(
        &self,
        deadline: Deadline,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        // A write that fails must not wait in the queue of a file that opens later.
        self.with(|_| ())?;
        let answer = Arc::new(OnceLock::new());
        let (done, outcome) = sync_channel(1);
        let slot = answer.clone();
        let operation: Operation = Box::new(move |connection| {
            let _ = slot.set(operation(connection)?);
            Ok(())
        });
        lock(&self.queue).push(Queued { operation, done });
        self.with(|connection| {
            let group = std::mem::take(&mut *lock(&self.queue));
            commit(connection, group, deadline.left().min(self.patience), &self.log);
        })?;
        // This thread has just run the write, or an earlier holder of the connection has.
        match outcome.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(self.fault(&error)),
            Err(_) => return Err(self.wrong("a write was dropped")),
        }
        Arc::into_inner(answer)
            .and_then(OnceLock::into_inner)
            .ok_or_else(|| self.wrong("a write gave no answer"))
    }

    /// What is found is durable: a message can be answered because of it.
    pub(super) fn read_durably<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<Option<T>>,
    ) -> Result<Option<T>> {
        let found = self.read(ask)?;
        if found.is_some() {
            self.log.sync().map_err(|error| self.wrong(&error.to_string()))?;
        }
        Ok(found)
    }

    /// Moves a large write-ahead log into the file. The next process to end tries again.
    pub(crate) fn checkpoint(&self) {
        if let Some(connection) = &*lock(&self.connection) {
            let _ = self.log.move_into_file(connection);
            let _ = connection.busy_timeout(self.patience);
        }
    }

    /// This process works on no message any more.
    pub(crate) fn leave(&self) {
        self.holders.leave();
    }

    fn wrong(&self, text: &str) -> Error {
        Database::Store.error(&self.path, text)
    }

    fn fault(&self, error: &rusqlite::Error) -> Error {
        Database::Store.fault(&self.path, error)
    }
}

/// Opens the file; creates or migrates it if needed.
fn opened(path: &Path, patience: Duration) -> Result<Connection> {
    let wrong = |error: rusqlite::Error| Database::Store.fault(path, &error);
    encryption::held_key().map_err(wrong)?;
    let opened = open_file(path, patience).or_else(|error| {
        // On the first start, there is no directory yet. Another process may create it at the same
        // time, so an existing one is not an error.
        let made =
            path.parent().map_or(Ok(()), private::make_directory).and_then(|()| private::make_file(path));
        made.map_err(|_| error)?;
        open_file(path, patience)
    });
    let mut connection = opened.map_err(wrong)?;
    match migrations::version(&connection) {
        Ok(store_schema::VERSION) => {}
        Ok(other) if !(0..store_schema::VERSION).contains(&other) => {
            return Err(Database::Store.foreign(path));
        }
        Ok(_) => migrate(&mut connection, patience).map_err(wrong)?,
        Err(error) => return Err(wrong(error)),
    }
    Ok(connection)
}

impl Drop for SharedConnection {
    fn drop(&mut self) {
        self.checkpoint();
    }
}

/// Commits a group, or none of it. Waits for other processes for at most `patience`.
fn commit(connection: &Connection, group: Vec<Queued>, patience: Duration, log: &WriteAheadLog) {
    if group.is_empty() {
        return;
    }
    let (operations, waiting): (Vec<_>, Vec<_>) =
        group.into_iter().map(|Queued { operation, done }| (operation, done)).unzip();
    let unsynced = |error: io::Error| {
        let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
        rusqlite::Error::SqliteFailure(failure, Some(error.to_string()))
    };
    let committed = (|| {
        let transaction = write_turn::begin(connection, patience)?;
        // Whoever hears of a failure tries again: then nothing may be committed.
        log.open().map_err(unsynced)?;
        operations.into_iter().try_for_each(|operation| operation(&transaction))?;
        transaction.commit()
    })();
    let outcome = committed.and_then(|()| log.sync().map_err(unsynced)).map_err(Arc::new);
    for done in waiting {
        let _ = done.send(outcome.clone());
    }
}

fn open_file(path: &Path, patience: Duration) -> rusqlite::Result<Connection> {
    // Do not create the file here: `private::make_file` gives it the right owner.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    guard(path)?;
    let connection = Connection::open_with_flags(path, flags)?;
    // Otherwise the last process to close moves and deletes the log, and the next creates it again.
    // First: whatever fails, the files stay as they were.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // SQLite falls back to read-only if it cannot open the file for writing, and also if the file
    // appears during the call.
    if connection.is_readonly("main")? {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
            Some("cannot be written".to_owned()),
        ));
    }
    connection.busy_timeout(patience)?;
    encryption::unlock(&connection)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(free_pages::OVERWRITE_REMOVED)?;
    keep_plans(&connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// A prepared statement keeps its plan, whatever values it gets. Otherwise SQLite compares them
/// with the conditions of partial indexes, and parses the statement again for each new value.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Retries, because SQLite does not wait for others when it changes the journal mode of a new file.
fn migrate(connection: &mut Connection, patience: Duration) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY;
    loop {
        match store_schema::migrate(connection) {
            Err(error) if write_turn::is_busy(&error) && Instant::now() < until => std::thread::sleep(RETRY),
            Err(error) => return Err(error),
            Ok(()) => {
                // If it fails, the tables are in the log.
                let _ = WriteAheadLog::move_tables(connection);
                return connection.busy_timeout(patience);
            }
        }
    }
}
