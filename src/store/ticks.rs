//! What the tick remembers: when it last was, and what it has done for today.
//!
//! Not here: what it does (`crate::cron`, `crate::cycle`). Invariant: what is purged and that it was are one transaction.

use super::{Store, Suppressed};
use crate::error::{Context, Result};
use crate::files::owner;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::PathBuf;

/// How ticks go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// The end of the last tick, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The end of the last tick of which no part failed.
    pub whole_ms: Option<i64>,
    /// The parts of the last tick that failed.
    pub failed: Vec<String>,
}

impl Store {
    /// Keeps other ticks out of what only one at a time may do, as long as the file is held. None: another one is at it.
    pub(crate) fn lock_tick(&self) -> Result<Option<File>> {
        let mut name = self.shared.path().as_os_str().to_owned();
        name.push(".tick");
        let path = PathBuf::from(name);
        let opened = owner::make_file(&path).and_then(|()| File::options().append(true).open(&path));
        let file = opened.context(path.display())?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).context(path.display()),
        }
    }

    /// Puts on record that a tick is over, and which parts of it failed.
    pub fn beat(&self, at_ms: i64, duration_ms: u64, failed: Vec<String>) -> Result<()> {
        let before = self.heartbeat()?.unwrap_or_default();
        let whole_ms = if failed.is_empty() { Some(at_ms) } else { before.whole_ms };
        let beat = Heartbeat { at_ms, duration_ms, whole_ms, failed };
        self.mark("tick", &serde_json::to_string(&beat).context("heartbeat")?)
    }

    /// How ticks go; none if there was none yet.
    pub fn heartbeat(&self) -> Result<Option<Heartbeat>> {
        Ok(self.marked("tick")?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    /// What was put under a name.
    pub(crate) fn marked(&self, name: &str) -> Result<Option<String>> {
        self.shared.read(|db| {
            db.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()
        })
    }

    /// Puts a word under a name.
    pub fn mark(&self, name: &str, value: &str) -> Result<()> {
        self.purge_suppressions(&[], name, value).map(drop)
    }

    /// Takes these off the suppression list unless they have changed, and puts a word under a name. Returns how many went.
    pub(crate) fn purge_suppressions(
        &self,
        entries: &[Suppressed],
        name: &str,
        value: &str,
    ) -> Result<usize> {
        let (entries, name, value) = (entries.to_vec(), name.to_owned(), value.to_owned());
        self.shared.write(move |db| {
            const GO: &str =
                "DELETE FROM suppressions WHERE address = ?1 AND sender_domain = ?2 AND added_ms = ?3";
            let mut go = db.prepare_cached(GO)?;
            let mut gone = 0;
            for entry in &entries {
                gone += go.execute(params![entry.address, entry.sender_domain, entry.added_ms])?;
            }
            const PUT: &str = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2";
            db.prepare_cached(PUT)?.execute([&name, &value])?;
            Ok(gone)
        })
    }
}
