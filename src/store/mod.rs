//! The store: counters, the series of minutes, the journal with its outbox, and what trackers answered. SQLite, safe for
//! many processes and threads at once.
//!
//! Not here: what the rows mean to a message (`journal`), and how they are shown (`stats`). Invariant: what a call
//! reports as written is on disk; a call that fails has changed nothing.

mod alerts;
mod connection;
mod counters;
mod differences;
mod journal;
mod outbox;
pub(crate) mod schema;
mod suppressions;
mod templates;
mod ticks;
#[cfg(test)]
mod tests;

pub(crate) use alerts::{Alert, AlertState};
pub(crate) use differences::Difference;
pub(crate) use journal::{Job, Promise, Settled, Standing, StepResult};
pub(crate) use outbox::{Owed, Told};
pub use suppressions::Suppressed;
pub(crate) use suppressions::{SoftBounce, Struck};
pub(crate) use templates::Looked;
pub use ticks::Heartbeat;

use crate::error::Result;
use connection::Shared;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What is to be added to counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// Adds one to a counter.
    pub fn add(&mut self, name: &str) {
        self.add_many(name, 1);
    }

    /// Adds `many` to a counter.
    pub(crate) fn add_many(&mut self, name: &str, many: u64) {
        match self.0.get_mut(name) {
            Some(value) => *value += many,
            None if many > 0 => drop(self.0.insert(name.to_owned(), many)),
            None => {}
        }
    }

    /// Adds all of another tally.
    pub(crate) fn merge(&mut self, other: &Tally) {
        for (name, many) in other.iter() {
            self.add_many(name, many);
        }
    }

    /// Names and what is to be added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, many)| (name.as_str(), *many))
    }

    /// Whether there is nothing to add.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A message that is over and done with.
pub struct Record<'a> {
    /// Under which a second delivery of it is recognised and changes nothing.
    pub key: Option<&'a str>,
    /// What it counts for.
    pub tally: &'a Tally,
    /// When it came, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whether it counts as a message of its minute.
    pub message: bool,
}

/// The store. Cheap to share: one connection, used by all threads of the process.
pub struct Store {
    shared: Shared,
}

impl Store {
    /// Opens the SQLite file at `path`; makes it, its directory and its tables where they are missing.
    pub fn open(path: &Path) -> Result<Store> {
        Ok(Store { shared: Shared::open(path)? })
    }

    /// Folds SQLite's log into the file when it has grown. Dropping the store does so too.
    pub(crate) fn fold_log(&self) {
        self.shared.fold_log();
    }

    /// Looks whether the file is sound and can be written; returns what it is, in words.
    pub(crate) fn check(&self) -> Result<String> {
        let sound: String =
            self.shared.read(|db| db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))?;
        if sound != "ok" {
            return Err(crate::error::Error::new(format_args!("store: {sound}"))
                .remedy("stop carom, move the file away, and recover it with the sqlite3 shell's .recover"));
        }
        self.shared
            .write(|db| db.execute("UPDATE meta SET value = value WHERE name = 'startedRunning'", []))?;
        Ok(format!("SQLite, tables of version {}, can be written", schema::VERSION))
    }
}
