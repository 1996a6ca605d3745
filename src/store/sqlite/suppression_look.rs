//! Looking up what suppresses mail to an address: in one query by key for the address, one for each
//! form of its domain, and one for the patterns of the domain.
//!
//! Who looks up very much (`SuppressionRows`) has a connection of its own and remembers which
//! domains and patterns there are, so that most addresses take one query. Not here: the forms
//! (`suppression_target`). Invariant: what is remembered only saves queries, and is read again
//! within a second after the file has changed.

use super::connection::SharedConnection;
use super::database_fault::Database;
use super::suppression_rows::{COLUMNS, row};
use crate::error::{Error, Result};
use crate::mailbox_syntax::{in_a_labels, without_needless_quotes};
use crate::store::suppressed::Suppressed;
use crate::store::suppression_target;
use rusqlite::{Connection, Transaction, params};
use rustc_hash::FxHashSet;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Time between two looks at whether the list has changed.
const LOOK: Duration = Duration::from_secs(1);
/// Domains and patterns that are remembered. If there are more, all forms are looked up.
const MOST_WIDE: usize = 20_000;
/// KiB of pages that a connection keeps: the inner pages of ten million entries. The file is not
/// mapped: somebody who copies another over it would end the process.
const PAGES: i64 = 4096;

static BY_ADDRESS: LazyLock<String> = LazyLock::new(|| select("address"));
static BY_PATTERN: LazyLock<String> = LazyLock::new(|| select("pattern_of"));

fn select(column: &str) -> String {
    format!(
        "SELECT {COLUMNS} FROM suppressions WHERE {column} = ?1 AND (?2 IS NULL OR sender_domain IN ('', ?2))
         AND (expires_ms IS NULL OR expires_ms > ?3) ORDER BY sender_domain"
    )
}

/// What there is besides addresses.
#[derive(Debug, Default)]
pub(super) struct WideEntries {
    /// `@a.example`, `@*.a.example`.
    domains: FxHashSet<String>,
    /// Domains that have patterns.
    patterns: FxHashSet<String>,
}

/// The entries in force, the narrowest first. `wide`: only these have to be looked up.
pub(super) fn entries(
    db: &Connection,
    address: &str,
    sender_domain: Option<&str>,
    now_ms: i64,
    wide: Option<&WideEntries>,
) -> rusqlite::Result<Vec<Suppressed>> {
    let of = |sql: &str, value: &str| -> rusqlite::Result<Vec<Suppressed>> {
        db.prepare_cached(sql)?.query_map(params![value, sender_domain, now_ms], row)?.collect()
    };
    let address = &*without_needless_quotes(address);
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let is_wide = |entry: &Suppressed| suppression_target::is_wide(&entry.address, &entry.source);
    // A pattern suppresses what fits it, not an address that is written in the same way.
    let mut found = of(&BY_ADDRESS, address)?;
    found.retain(|entry| !is_wide(entry) || local.is_empty());
    if wide.is_none_or(|wide| wide.patterns.contains(domain)) {
        found.extend(of(&BY_PATTERN, domain)?.into_iter().filter(|entry| {
            let pattern = entry.address.rsplit_once('@').map_or("", |(pattern, _)| pattern);
            suppression_target::fits(pattern, local)
        }));
    }
    if wide.is_none_or(|wide| !wide.domains.is_empty()) {
        for form in &suppression_target::forms(address)[1..] {
            if wide.is_none_or(|wide| wide.domains.contains(form)) {
                found.extend(of(&BY_ADDRESS, form)?);
            }
        }
    }
    Ok(found)
}

pub(crate) fn suppressed(
    shared: &SharedConnection,
    address: &str,
    sender_domain: &str,
    now_ms: i64,
) -> Result<Option<Suppressed>> {
    Ok(entries_of(shared, address, Some(&sender_domain.to_lowercase()), now_ms)?.into_iter().next())
}

/// An entry for all mail comes first.
pub(crate) fn entries_of(
    shared: &SharedConnection,
    address: &str,
    sender_domain: Option<&str>,
    now_ms: i64,
) -> Result<Vec<Suppressed>> {
    shared.read(|db| entries(db, address, sender_domain, now_ms, None))
}

/// The list, for one thread that looks up very much.
pub(crate) struct SuppressionRows {
    db: Connection,
    path: PathBuf,
    /// `None`: there are too many.
    wide: Option<WideEntries>,
    /// By SQLite's count, of what `wide` was read from.
    version: i64,
    looked: Instant,
}

impl SuppressionRows {
    /// Over a connection of its own to the file of the store.
    pub(crate) fn open(shared: &SharedConnection) -> Result<SuppressionRows> {
        let (db, path) = (shared.reader()?, shared.path().to_owned());
        let mut rows = SuppressionRows { db, path, wide: None, version: -1, looked: Instant::now() };
        let set = rows.db.pragma_update(None, "cache_size", -PAGES);
        set.map_err(|error| rows.fault(&error))?;
        rows.refresh()?;
        Ok(rows)
    }

    /// Whether it is time to look whether the file has changed.
    pub(crate) fn is_stale(&self) -> bool {
        self.looked.elapsed() >= LOOK
    }

    /// Learns of changes. One look at a number, if there are none.
    pub(crate) fn refresh(&mut self) -> Result<()> {
        self.looked = Instant::now();
        let version = |db: &Connection| db.query_row("PRAGMA data_version", [], |row| row.get(0));
        let version = version(&self.db).map_err(|error| self.fault(&error))?;
        if version != self.version {
            self.wide = wide_entries(&self.db).map_err(|error| self.fault(&error))?;
            self.version = version;
        }
        Ok(())
    }

    /// The narrowest entry that suppresses mail of a sender domain (second) to an address (first),
    /// for each pair.
    pub(crate) fn first_of_each(
        &self,
        asked: &[(String, String)],
        now_ms: i64,
    ) -> Result<Vec<Option<Suppressed>>> {
        let first = |(address, domain): &(String, String)| {
            let found = entries(&self.db, &in_a_labels(address), Some(domain), now_ms, self.wide.as_ref())?;
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

    fn fault(&self, error: &rusqlite::Error) -> Error {
        Database::Store.fault(&self.path, error)
    }
}

fn wide_entries(db: &Connection) -> rusqlite::Result<Option<WideEntries>> {
    let some = |sql: &str| -> rusqlite::Result<Option<FxHashSet<String>>> {
        let mut select = db.prepare_cached(sql)?;
        let found: FxHashSet<String> =
            select.query_map([], |row| row.get(0))?.take(MOST_WIDE + 1).collect::<rusqlite::Result<_>>()?;
        Ok((found.len() <= MOST_WIDE).then_some(found))
    };
    // `A` comes after `@`.
    let domains = some("SELECT address FROM suppressions WHERE address >= '@' AND address < 'A'")?;
    let patterns = some("SELECT pattern_of FROM suppressions WHERE pattern_of IS NOT NULL")?;
    Ok(domains.zip(patterns).map(|(domains, patterns)| WideEntries { domains, patterns }))
}
