//! How deliveries were sent. Each route is stored once: there are few of them, and millions of
//! deliveries.
//!
//! Not here: which names a route has (`crate::maillog`). Invariant: a route keeps its number as
//! long as a delivery has it, the usual one is number 0, and there are at most `MOST`: headers of
//! mail name campaigns.

use super::Index;
use crate::error::Result;
use crate::maillog::{DeliveryRoute, SourceKind, Whose};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;

/// Routes that are stored; beyond them, a new one is stored without its campaign.
const MOST: i64 = 100_000;
/// Routes in memory.
const KNOWN: usize = 20_000;

/// The numbers that were needed so far.
#[derive(Default)]
pub(crate) struct Routes {
    known: HashMap<String, i64>,
    /// The last route and its number: most likely the next delivery has the same.
    last: (String, i64),
    /// Memory for the key of a route.
    key: String,
    /// How many are stored, once that was asked.
    stored: Option<i64>,
}

impl Routes {
    /// None if nothing is known of the route.
    pub(crate) fn number(
        &mut self,
        db: &Connection,
        route: &DeliveryRoute<'_>,
    ) -> rusqlite::Result<Option<i64>> {
        if route.is_usual() {
            return Ok(Some(0));
        }
        if route.is_unknown() {
            return Ok(None);
        }
        self.key.clear();
        for name in columns(route) {
            self.key.push_str(name);
            self.key.push('\n');
        }
        if self.key == self.last.0 {
            return Ok(Some(self.last.1));
        }
        let number = match self.known.get(&self.key) {
            Some(number) => *number,
            None => {
                let number = self.stored(db, route)?;
                if self.known.len() >= KNOWN {
                    self.known.clear();
                }
                self.known.insert(self.key.clone(), number);
                number
            }
        };
        self.last.0.clone_from(&self.key);
        self.last.1 = number;
        Ok(Some(number))
    }

    fn stored(&mut self, db: &Connection, route: &DeliveryRoute<'_>) -> rusqlite::Result<i64> {
        if let Some(number) = find(db, route)? {
            return Ok(number);
        }
        let stored = match self.stored {
            Some(stored) => stored,
            None => db.query_row("SELECT count(*) FROM routes", [], |row| row.get(0))?,
        };
        self.stored = Some(stored);
        if stored >= MOST && route.name(SourceKind::Campaign).is_some() {
            return self.stored(db, &route.with(SourceKind::Campaign, None));
        }
        self.stored = Some(stored + 1);
        put(db, route)
    }
}

fn find(db: &Connection, route: &DeliveryRoute<'_>) -> rusqlite::Result<Option<i64>> {
    let known = "SELECT id FROM routes WHERE vmta = ?1 COLLATE BINARY AND pool = ?2 COLLATE BINARY
        AND ip = ?3 COLLATE BINARY AND transport = ?4 COLLATE BINARY AND instance = ?5 COLLATE BINARY
        AND campaign = ?6 COLLATE BINARY AND tls = ?7 COLLATE BINARY AND whose = ?8";
    db.prepare_cached(known)?.query_row(columns(route), |row| row.get(0)).optional()
}

fn put(db: &Connection, route: &DeliveryRoute<'_>) -> rusqlite::Result<i64> {
    let put = "INSERT INTO routes (vmta, pool, ip, transport, instance, campaign, tls, whose, level)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let [vmta, pool, ip, transport, instance, campaign, tls, whose] = columns(route);
    let level = route.level().unwrap_or_default();
    db.prepare_cached(put)?.execute([vmta, pool, ip, transport, instance, campaign, tls, whose, level])?;
    Ok(db.last_insert_rowid())
}

/// Its columns: vmta, pool, ip, transport, instance, campaign, tls, whose.
fn columns<'a>(route: &DeliveryRoute<'a>) -> [&'a str; 8] {
    let [vmta, pool, ip, transport, instance, campaign] =
        SourceKind::ALL.map(|kind| route.name(kind).unwrap_or_default());
    let whose = route.whose().name();
    [vmta, pool, ip, transport, instance, campaign, route.tls().unwrap_or_default(), whose]
}

/// A route from the columns of [`columns`], of which `first` is the first.
pub(crate) fn route<'r>(row: &'r Row<'_>, first: usize) -> rusqlite::Result<DeliveryRoute<'r>> {
    let mut route = DeliveryRoute::default();
    for (at, kind) in (first..).zip(SourceKind::ALL) {
        route = route.with(kind, row.get_ref(at)?.as_str_or_null()?);
    }
    let tls = first + SourceKind::ALL.len();
    let whose = row.get_ref(tls + 1)?.as_str_or_null()?.map(Whose::of_name);
    Ok(route.with_tls(row.get_ref(tls)?.as_str_or_null()?).with_whose(whose.unwrap_or_default()))
}

/// Each source of a route with its kind, the most specific first.
pub(crate) fn sources(route: &DeliveryRoute<'_>) -> Vec<String> {
    route.sources().map(|(kind, name)| kind.source(name)).collect()
}

impl Index {
    /// Removes routes that no delivery has any more.
    pub(crate) fn expire_routes(&self) -> Result<u64> {
        let unused = "DELETE FROM routes WHERE id > 0 AND NOT EXISTS
            (SELECT 1 FROM deliveries WHERE route = routes.id AND route > 0)";
        self.checked(self.connection.execute(unused, [])).map(|gone| gone as u64)
    }
}
