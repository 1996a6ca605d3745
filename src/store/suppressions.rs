//! Addresses that get no more mail, and the soft bounces that count towards it.
//!
//! Not here: who says so (policies, operators). Invariant: what is counted once under a key stays counted once, and an unproven
//! report counts at most once a day for an address.

use super::Store;
use crate::error::Result;
use crate::plan::Bounced;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

const DAY_MS: i64 = 86_400_000;

/// An address that gets no more mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// The address, lower case.
    pub address: String,
    /// Whose mail it gets no more; empty: nobody's.
    #[serde(default)]
    pub sender_domain: String,
    /// Why: a reason of the vocabulary, `complaint`, or what an operator wrote.
    #[serde(default)]
    pub reason: String,
    /// Who said so: `policy NAME`, `operator`, `import`.
    #[serde(default)]
    pub source: String,
    /// Since when, in milliseconds since 1970.
    #[serde(default)]
    pub added_ms: i64,
    /// Until when; `None`: until somebody removes it.
    #[serde(default)]
    pub expires_ms: Option<i64>,
}

/// A soft bounce that is to be counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SoftBounce<'a> {
    /// The address.
    pub(crate) address: &'a str,
    /// Whose mail bounced.
    pub(crate) sender_domain: &'a str,
    /// What it is counted under, once.
    pub(crate) key: &'a str,
    /// Days after which it counts no longer.
    pub(crate) window: u32,
    /// Whether the report is proven to be about a message of ours.
    pub(crate) proven: bool,
    /// When, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// What bounced, where that is known.
    pub(crate) bounce: Option<&'a Bounced>,
}

/// What a soft bounce has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Struck {
    /// So many count now.
    pub(crate) count: u32,
    /// The log, or a report, had this very bounce counted before.
    pub(crate) known: bool,
}

impl Store {
    /// Suppresses an address, or says anew why and how long.
    pub(crate) fn suppress(&self, entry: &Suppressed) -> Result<()> {
        self.suppress_all(std::slice::from_ref(entry)).map(drop)
    }

    /// Suppresses many addresses in one transaction; returns how many were new.
    pub fn suppress_all(&self, entries: &[Suppressed]) -> Result<usize> {
        let entries = entries.to_vec();
        self.shared.write(move |db| {
            let mut new = 0;
            for entry in &entries {
                new += usize::from(find(db, &entry.address, &entry.sender_domain)?.is_none());
                db.prepare_cached("INSERT OR REPLACE INTO suppressions VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                    .execute(params![
                        entry.address,
                        entry.sender_domain,
                        entry.reason,
                        entry.source,
                        entry.added_ms,
                        entry.expires_ms
                    ])?;
            }
            Ok(new)
        })
    }

    /// Lets an address get mail again, and forgets its soft bounces. Returns whether it was suppressed.
    pub(crate) fn unsuppress(&self, address: &str, sender_domain: Option<&str>) -> Result<bool> {
        let (address, sender_domain) = (address.to_owned(), sender_domain.map(str::to_owned));
        self.shared.write(move |db| {
            const WHOSE: &str = "address = ?1 AND (?2 IS NULL OR sender_domain = ?2)";
            db.execute(&format!("DELETE FROM strikes WHERE {WHOSE}"), params![address, sender_domain])?;
            let gone = db.execute(
                &format!("DELETE FROM suppressions WHERE {WHOSE}"),
                params![address, sender_domain],
            )?;
            Ok(gone > 0)
        })
    }

    /// Why mail of this sender domain to this address is suppressed now; `None`: it is not.
    pub(crate) fn suppressed(
        &self,
        address: &str,
        sender_domain: &str,
        now_ms: i64,
    ) -> Result<Option<Suppressed>> {
        let found = self.shared.read(|db| {
            let general = find(db, address, "")?;
            Ok(if general.is_some() { general } else { find(db, address, sender_domain)? })
        })?;
        Ok(found.filter(|entry| entry.expires_ms.is_none_or(|expires| expires > now_ms)))
    }

    /// All that is suppressed, by address; with `containing`, only addresses that hold this text.
    pub(crate) fn suppressions(&self, containing: &str, now_ms: i64) -> Result<Vec<Suppressed>> {
        self.shared.read(|db| {
            let mut select = db.prepare(
                "SELECT * FROM suppressions WHERE (expires_ms IS NULL OR expires_ms > ?1) AND instr(address, ?2) > 0
                 ORDER BY address, sender_domain",
            )?;
            let rows = select.query_map(params![now_ms, containing], row)?;
            rows.collect()
        })
    }

    /// Counts a soft bounce and returns how many count now. The same key counts once, and so do the log line and the report of one
    /// bounce; of unproven ones at most one a day.
    pub(crate) fn strike(&self, bounce: &SoftBounce<'_>) -> Result<Struck> {
        let (address, domain) = (bounce.address.to_owned(), bounce.sender_domain.to_owned());
        let (key, proven, at_ms) = (bounce.key.to_owned(), bounce.proven, bounce.at_ms);
        let oldest = at_ms - i64::from(bounce.window) * DAY_MS;
        let (what, logged) = bounce.bounce.map_or((None, false), |what| (Some(what.id.clone()), what.logged));
        self.shared.write(move |db| {
            let known: bool = db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM strikes WHERE address = ?1 AND bounce = ?2 AND logged <> ?3)")?
                .query_row(params![address, what, logged], |row| row.get(0))?;
            let today: bool = db
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM strikes WHERE address = ?1 AND sender_domain = ?2 AND at_ms > ?3)")?
                .query_row(params![address, domain, at_ms - DAY_MS], |row| row.get(0))?;
            if !known && (proven || !today) {
                db.prepare_cached("INSERT OR IGNORE INTO strikes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                    .execute(params![address, domain, key, at_ms, proven, what, logged])?;
            }
            let count = db
                .prepare_cached("SELECT count(*) FROM strikes WHERE address = ?1 AND sender_domain = ?2 AND at_ms > ?3")?
                .query_row(params![address, domain, oldest], |row| row.get(0))?;
            Ok(Struck { count, known })
        })
    }

    /// Deliveries succeeded, to these addresses at these times (milliseconds since 1970): they are alive, and soft bounces from
    /// before are forgotten. Returns how many were. One transaction, and none if there is no address.
    pub(crate) fn forgive<'a>(&self, delivered: impl IntoIterator<Item = (&'a str, i64)>) -> Result<usize> {
        let alive: Vec<(String, i64)> =
            delivered.into_iter().map(|(address, at_ms)| (address.to_lowercase(), at_ms)).collect();
        if alive.is_empty() {
            return Ok(0);
        }
        self.shared.write(move |db| {
            let mut forget = db.prepare_cached("DELETE FROM strikes WHERE address = ?1 AND at_ms <= ?2")?;
            alive.iter().map(|(address, at_ms)| forget.execute(params![address, at_ms])).sum()
        })
    }

    /// Addresses that have soft bounces.
    pub(crate) fn struck(&self) -> Result<Vec<String>> {
        self.shared.read(|db| {
            let mut select = db.prepare("SELECT DISTINCT address FROM strikes")?;
            select.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// Soft bounces of an address that are kept: whose mail, when (milliseconds since 1970), proven or not.
    pub(crate) fn strikes(&self, address: &str) -> Result<Vec<(String, i64, bool)>> {
        self.shared.read(|db| {
            let mut select = db.prepare(
                "SELECT sender_domain, at_ms, proven FROM strikes WHERE address = ?1 ORDER BY at_ms",
            )?;
            let rows = select.query_map([address], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            rows.collect()
        })
    }
}

fn find(db: &Connection, address: &str, sender_domain: &str) -> rusqlite::Result<Option<Suppressed>> {
    db.prepare_cached("SELECT * FROM suppressions WHERE address = ?1 AND sender_domain = ?2")?
        .query_row(params![address, sender_domain], row)
        .optional()
}

fn row(row: &Row<'_>) -> rusqlite::Result<Suppressed> {
    Ok(Suppressed {
        address: row.get(0)?,
        sender_domain: row.get(1)?,
        reason: row.get(2)?,
        source: row.get(3)?,
        added_ms: row.get(4)?,
        expires_ms: row.get(5)?,
    })
}

/// Forgets what has expired, and soft bounces that no window can reach; called by the store's purge.
pub(crate) fn purge(db: &Connection, now_ms: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM suppressions WHERE expires_ms < ?1", [now_ms])?;
    db.execute("DELETE FROM strikes WHERE at_ms < ?1", [now_ms - 3650 * DAY_MS])?;
    Ok(())
}
