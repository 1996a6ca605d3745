//! Deliveries that have not ended: deferred, or on hold. Given one at a time, as there may be
//! millions.

use super::filter::{IS_OWN, not_alerts};
use super::{Index, stored_routes};
use crate::error::Result;
use crate::maillog::Whose;
use rusqlite::{CachedStatement, OptionalExtension, Row};
use rustc_hash::FxHashMap;

/// A delivery that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct WaitingDelivery<'r> {
    /// On hold; otherwise deferred.
    pub(crate) held: bool,
    /// Last updated, in milliseconds since 1970.
    pub(crate) last_ms: i64,
    /// First seen, likewise.
    pub(crate) first_ms: i64,
    pub(crate) recipient: Option<&'r str>,
    pub(crate) sender: Option<&'r str>,
    pub(crate) client: Option<&'r str>,
    /// The next hop.
    pub(crate) relay: Option<&'r str>,
    /// Why it was deferred.
    pub(crate) reason: Option<&'r str>,
    pub(crate) category: Option<&'r str>,
    /// The streams that the last attempt was made in.
    pub(crate) sources: &'r [String],
    pub(crate) whose: Whose,
}

/// What the numbers of a row stand for, each looked up once.
struct LookUps<'i> {
    meaning: CachedStatement<'i>,
    route: CachedStatement<'i>,
    /// Reasons and categories.
    meanings: FxHashMap<i64, (String, String)>,
    routes: FxHashMap<i64, (Vec<String>, Whose)>,
}

impl LookUps<'_> {
    fn look_up(&mut self, meaning: Option<i64>, route: Option<i64>) -> rusqlite::Result<()> {
        if let Some(number) = meaning.filter(|number| !self.meanings.contains_key(number)) {
            let found = self.meaning.query_row([number], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            self.meanings.extend(found.map(|found| (number, found)));
        }
        if let Some(number) = route.filter(|number| !self.routes.contains_key(number)) {
            let of = |row: &Row<'_>| {
                let route = stored_routes::route(row, 0)?;
                Ok((stored_routes::sources(&route), route.whose()))
            };
            let found = self.route.query_row([number], of).optional()?;
            self.routes.extend(found.map(|found| (number, found)));
        }
        Ok(())
    }
}

impl Index {
    /// Gives `each` every deferred or held delivery that was last updated in a period.
    pub(crate) fn waiting(
        &self,
        (from, to): (i64, i64),
        mut each: impl FnMut(WaitingDelivery<'_>),
    ) -> Result<()> {
        let sql = format!(
            "SELECT status, last_seen, first_seen, recipient, sender, client_id, relay, logged_category, meaning, route
            FROM deliveries
            WHERE status IN ('deferred', 'held') AND status <> 'sent' AND last_seen >= ?1 AND last_seen < ?2
            AND {}",
            not_alerts()
        );
        let given = (|| {
            let db = &self.connection;
            let mut known = LookUps {
                meaning: db.prepare_cached("SELECT reason, category FROM meanings WHERE id = ?1")?,
                route: db.prepare_cached(
                    "SELECT vmta, pool, ip, transport, instance, campaign, tls, whose FROM routes WHERE id = ?1",
                )?,
                meanings: FxHashMap::default(),
                routes: FxHashMap::default(),
            };
            let mut select = db.prepare_cached(&sql)?;
            let mut rows = select.query([from, to])?;
            while let Some(row) = rows.next()? {
                let text = |at: usize| row.get_ref(at).and_then(|value| Ok(value.as_str_or_null()?));
                let (meaning, route): (Option<i64>, Option<i64>) = (row.get(8)?, row.get(9)?);
                known.look_up(meaning, route)?;
                let meaning = meaning.and_then(|number| known.meanings.get(&number));
                let (sources, whose) = match route.and_then(|number| known.routes.get(&number)) {
                    Some((sources, whose)) => (sources.as_slice(), *whose),
                    None => (&[][..], Whose::default()),
                };
                each(WaitingDelivery {
                    held: text(0)? == Some("held"),
                    last_ms: row.get(1)?,
                    first_ms: row.get(2)?,
                    recipient: text(3)?,
                    sender: text(4)?,
                    client: text(5)?,
                    relay: text(6)?,
                    reason: meaning.map(|(reason, _)| reason.as_str()),
                    category: text(7)?.or(meaning.map(|(_, category)| category.as_str())),
                    sources,
                    whose,
                });
            }
            Ok(())
        })();
        self.checked(given)
    }

    /// How many are deferred, and how many are held: of our own mail, and of what is not, in the
    /// order of [`Whose::APART`].
    pub(crate) fn waiting_count(&self) -> Result<[(u64, u64); 3]> {
        let sql = format!(
            "SELECT coalesce(whose, 'own'), sum(status = 'deferred'), sum(status = 'held')
            FROM deliveries LEFT JOIN routes ON routes.id = route
            WHERE status IN ('deferred', 'held') AND status <> 'sent' AND {} GROUP BY 1",
            not_alerts()
        );
        let counted = (|| {
            let mut counts = [(0, 0); 3];
            let mut select = self.connection.prepare_cached(&sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let whose = Whose::of_name(row.get_ref(0)?.as_str()?);
                let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                counts[whose as usize] = (count(1)?, count(2)?);
            }
            Ok(counts)
        })();
        self.checked(counted)
    }

    /// Our own deferred deliveries that were updated at or after `since_ms`.
    pub(crate) fn deferred_since(&self, since_ms: i64) -> Result<u64> {
        let select = format!(
            "SELECT count(*) FROM deliveries WHERE status = 'deferred' AND status <> 'sent' AND last_seen >= ?1
            AND {IS_OWN} AND {}",
            not_alerts()
        );
        let count: i64 = self.checked(self.connection.query_row(&select, [since_ms], |row| row.get(0)))?;
        Ok(count.max(0) as u64)
    }
}
