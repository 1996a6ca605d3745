//! The suppression list over a connection of its own, for one thread at a time that looks up very
//! much. It remembers domains and patterns, and takes those who remember the addresses at their
//! word once they know of the newest.
//!
//! Not here: the queries (`suppression_look`). Invariant: what is remembered is read again within a
//! second after the file has changed; what others remember is completed before each look-up.

use super::connection::SharedConnection;
use super::database_fault::Database;
use super::new_suppressions;
use super::suppression_look::{KnownList, entries};
use super::wide_entries::WideEntries;
use crate::error::{Error, Result};
use crate::mailbox_syntax::in_a_labels;
use crate::store::ListedAddresses;
use crate::store::suppressed::Suppressed;
use rusqlite::{Connection, Transaction, params};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// Time between two looks at whether the list has changed.
const LOOK: Duration = Duration::from_secs(1);
/// KiB of pages that a connection keeps. The file is not mapped: somebody who copies another over
/// it would end the process.
const PAGES: i64 = 2048;
/// Addresses that are read together, of those who read all of them.
const PIECE: usize = 5000;

pub(crate) struct LookedUpList {
    db: Connection,
    path: PathBuf,
    /// `None`: there are too many.
    wide: Option<WideEntries>,
    /// By SQLite's count, of what `wide` was read from.
    version: i64,
    looked: Instant,
    /// Who knew of the newest addresses last, and in which version of the file.
    told: Option<(Weak<ListedAddresses>, i64)>,
}

impl LookedUpList {
    /// Over a connection of its own to the file of the store.
    pub(crate) fn open(shared: &SharedConnection) -> Result<LookedUpList> {
        let (db, path) = (shared.reader()?, shared.path().to_owned());
        let mut list = LookedUpList { db, path, wide: None, version: -1, looked: Instant::now(), told: None };
        let set = list.db.pragma_update(None, "cache_size", -PAGES);
        set.map_err(|error| list.fault(&error))?;
        list.refresh()?;
        Ok(list)
    }

    /// Whether it is time to look whether the file has changed.
    pub(crate) fn is_stale(&self) -> bool {
        self.looked.elapsed() >= LOOK
    }

    /// Learns of changes. One look at a number, if there are none.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        self.looked = Instant::now();
        let version = self.data_version()?;
        if version != self.version {
            self.wide = WideEntries::read(&self.db).map_err(|error| self.fault(&error))?;
            self.version = version;
        }
        Ok(())
    }

    /// Another number after each change of the file.
    fn data_version(&self) -> Result<i64> {
        let version = || self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0));
        version().map_err(|error| self.fault(&error))
    }

    /// Whether these are all addresses on the list now. New ones are added first; `false`: some are
    /// no longer noted.
    pub(crate) fn completes(&mut self, listed: &Arc<ListedAddresses>) -> Result<bool> {
        let (version, who) = (self.data_version()?, Arc::downgrade(listed));
        if self.told.as_ref().is_some_and(|(told, at)| told.ptr_eq(&who) && *at == version) {
            return Ok(true);
        }
        let knows_all = new_suppressions::tell(&self.db, listed).map_err(|error| self.fault(&error))?;
        self.told = knows_all.then_some((who, version));
        Ok(knows_all)
    }

    /// The narrowest entry that suppresses mail of a sender domain (second) to an address (first),
    /// for each pair. `listed`: what is not there is not on the list.
    pub(crate) fn first_of_each(
        &self,
        asked: &[(String, String)],
        now_ms: i64,
        listed: Option<&ListedAddresses>,
    ) -> Result<Vec<Option<Suppressed>>> {
        let known = KnownList { wide: self.wide.as_ref(), listed };
        let first = |(address, domain): &(String, String)| {
            let found = entries(&self.db, &in_a_labels(address), Some(&in_a_labels(domain)), now_ms, known)?;
            Ok(found.into_iter().next())
        };
        let together = || -> rusqlite::Result<_> {
            // One transaction takes the lock of the file once.
            let transaction = (asked.len() > 1).then(|| self.db.unchecked_transaction()).transpose()?;
            let found = asked.iter().map(first).collect::<rusqlite::Result<_>>()?;
            transaction.map(Transaction::commit).transpose()?;
            Ok(found)
        };
        together().map_err(|error| self.fault(&error))
    }

    /// How many entries there are.
    pub(crate) fn length(&self) -> Result<usize> {
        let count = self.db.query_row("SELECT count(*) FROM suppressions", [], |row| row.get::<_, u32>(0));
        count.map(|count| count as usize).map_err(|error| self.fault(&error))
    }

    /// Tells of some addresses after this one, in their order; returns the last. `None`: there are
    /// no more.
    pub(crate) fn tell_after(&self, after: &str, listed: &ListedAddresses) -> Result<Option<String>> {
        const AFTER: &str = "SELECT address FROM suppressions WHERE address > ?1 ORDER BY address LIMIT ?2";
        let tell = || -> rusqlite::Result<Option<String>> {
            let (mut last, mut select) = (String::new(), self.db.prepare_cached(AFTER)?);
            let mut rows = select.query(params![after, PIECE as i64])?;
            while let Some(row) = rows.next()? {
                let address = row.get_ref(0)?.as_str()?;
                listed.add(address);
                last.clear();
                last.push_str(address);
            }
            Ok(Some(last).filter(|last| !last.is_empty()))
        };
        tell().map_err(|error| self.fault(&error))
    }

    fn fault(&self, error: &rusqlite::Error) -> Error {
        Database::Store.fault(&self.path, error)
    }
}
