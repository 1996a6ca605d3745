//! One connection to the SQLite file, shared by the threads of a process, and the writing in
//! groups.
//!
//! A write waits for the disk. While one thread does, others queue what they have, and the next to
//! get the connection commits everything that is queued as one transaction. Invariant: `write`
//! returns `Ok` only after a commit that has reached the disk (synchronous=FULL, SQLite's default,
//! in WAL mode).

use super::{migrations, store_schema};
use crate::error::{Error, Result};
use crate::files::owner;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How long a write waits for other processes.
const BUSY: Duration = Duration::from_secs(10);
/// Bytes of the write-ahead log from which on it is folded into the file when the store is closed:
/// few, because a process that opens the file alone reads the log from its start.
const LOG_LIMIT: u64 = 100 << 10;

/// What is to be done within a transaction.
type Operation = Box<dyn FnOnce(&Connection) -> rusqlite::Result<()> + Send>;

struct Queued {
    operation: Operation,
    done: SyncSender<Result<(), String>>,
}

/// The shared connection.
pub(crate) struct SharedConnection {
    path: PathBuf,
    connection: Mutex<Connection>,
    queue: Mutex<Vec<Queued>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SharedConnection {
    /// Opens the file; makes or migrates it where that is needed.
    pub(crate) fn open(path: &Path) -> Result<SharedConnection> {
        let opened = open_file(path).or_else(|error| {
            // The first start on this machine: there is no directory yet. Another process may make
            // it in this very moment, so that it is there is no reason to give up.
            let made =
                path.parent().map_or(Ok(()), owner::make_directory).and_then(|()| owner::make_file(path));
            made.map_err(|_| error.to_string())?;
            open_file(path).map_err(|error| error.to_string())
        });
        let wrong = |text: String| {
            Error::new(format_args!("store {}: {text}", path.display())).remedy(
                "let the user that runs carom write the file and its directory, free the disk, or set [store] path",
            )
        };
        let mut connection = opened.map_err(wrong)?;
        match migrations::version(&connection) {
            Ok(store_schema::VERSION) => {}
            Ok(other) if !(0..store_schema::VERSION).contains(&other) => {
                let what =
                    format_args!("store {}: written by a newer carom, or by another program", path.display());
                return Err(Error::new(what)
                    .remedy("install that version again, or set [store] path to another file"));
            }
            Ok(_) => migrate(&mut connection).map_err(|error| wrong(error.to_string()))?,
            Err(error) => return Err(wrong(error.to_string())),
        }
        Ok(SharedConnection {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            queue: Mutex::new(Vec::new()),
        })
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads.
    pub(crate) fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        ask(&lock(&self.connection)).map_err(|error| self.wrong(&error.to_string()))
    }

    /// Does `operation` in a transaction, with whatever other threads have to write, and returns
    /// when it is on disk.
    pub(crate) fn write<T: Send + Sync + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let answer = Arc::new(OnceLock::new());
        let (done, outcome) = sync_channel(1);
        let slot = answer.clone();
        let operation: Operation = Box::new(move |connection| {
            let _ = slot.set(operation(connection)?);
            Ok(())
        });
        lock(&self.queue).push(Queued { operation, done });
        {
            let mut connection = lock(&self.connection);
            let group = std::mem::take(&mut *lock(&self.queue));
            commit(&mut connection, group);
        }
        // Either this thread has just committed it, or the one before it did and said so.
        match outcome.recv() {
            Ok(Ok(())) => {}
            Ok(Err(text)) => return Err(self.wrong(&text)),
            Err(_) => return Err(self.wrong("a write was dropped")),
        }
        Arc::into_inner(answer)
            .and_then(OnceLock::into_inner)
            .ok_or_else(|| self.wrong("a write gave no answer"))
    }

    /// Folds a log that has grown into the file, if nobody else looks at it just now; the next to
    /// end will try again.
    pub(crate) fn fold_log(&self) {
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        if std::fs::metadata(log).is_ok_and(|log| log.len() > LOG_LIMIT) {
            let connection = lock(&self.connection);
            let _ = connection.busy_timeout(Duration::ZERO);
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            let _ = connection.busy_timeout(BUSY);
        }
    }

    fn wrong(&self, text: &str) -> Error {
        Error::new(format_args!("store {}: {text}", self.path.display()))
    }
}

impl Drop for SharedConnection {
    fn drop(&mut self) {
        self.fold_log();
    }
}

fn commit(connection: &mut Connection, group: Vec<Queued>) {
    if group.is_empty() {
        return;
    }
    let mut waiting = Vec::with_capacity(group.len());
    let committed = (|| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut failed = None;
        for queued in group {
            waiting.push(queued.done);
            if failed.is_none() {
                failed = (queued.operation)(&transaction).err();
            }
        }
        match failed {
            Some(error) => Err(error),
            None => transaction.commit(),
        }
    })();
    let outcome = committed.map_err(|error: rusqlite::Error| error.to_string());
    for done in waiting {
        let _ = done.send(outcome.clone());
    }
}

fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    // It is not made here: who makes it settles whose it is.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    // SQLite opens a file for reading when it cannot for writing, and also when it comes into being
    // in between.
    if connection.is_readonly("main")? {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY),
            Some("cannot be written".to_owned()),
        ));
    }
    connection.busy_timeout(BUSY)?;
    // The last process to close would fold the log in and delete it, only for the next to make it
    // again.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(connection)
}

/// Changing the journal mode of a new file does not wait for other processes by itself.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    for attempt in 0..100u64 {
        match store_schema::migrate(connection) {
            Err(error) if is_busy(&error) && attempt < 99 => {
                std::thread::sleep(Duration::from_millis(10 + attempt))
            }
            other => return other,
        }
    }
    Ok(())
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
