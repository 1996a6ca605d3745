//! Reading the statistics, and what waits still.
//!
//! Not here: writing them (`sums`), and what is made of them (`stats`). Invariant: nothing is read but rows of the period, and what may
//! be very many is given one at a time.

use super::Index;
use super::sums::{Interval, ReasonCount, ReasonKind, Sum};
use crate::dimension::Dimension;
use crate::error::Result;
use crate::maillog::Lines;
use crate::maillog::message_ids::ALERT_ID;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

/// A delivery that did not come to an end yet.
#[derive(Clone, Debug)]
pub(crate) struct WaitingDelivery {
    /// On hold; else deferred.
    pub(crate) held: bool,
    /// Last heard of, milliseconds since 1970.
    pub(crate) last_ms: i64,
    /// Envelope recipient.
    pub(crate) recipient: Option<String>,
    /// Envelope sender.
    pub(crate) sender: Option<String>,
    /// Whose message it is.
    pub(crate) client: Option<String>,
    /// Next hop.
    pub(crate) relay: Option<String>,
    /// ReasonCount it was put off.
    pub(crate) reason: Option<String>,
    /// The category of that.
    pub(crate) category: Option<String>,
}

/// The condition that a delivery is not of an alert: no alert is to be about alerts.
pub(crate) fn not_alerts() -> String {
    format!("coalesce(message_id, '') NOT GLOB '{ALERT_ID}*'")
}

const COUNTS: &str = "sum(sent), sum(bounced), sum(expired), sum(rejected), sum(deleted), sum(discarded), sum(deferrals), sum(bytes)";

fn counts(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Sum> {
    let get = |at: usize| row.get::<_, Option<i64>>(first + at).map(Option::unwrap_or_default);
    Ok(Sum {
        sent: get(0)?,
        bounced: get(1)?,
        expired: get(2)?,
        rejected: get(3)?,
        deleted: get(4)?,
        discarded: get(5)?,
        deferrals: get(6)?,
        bytes: get(7)?,
    })
}

impl Index {
    fn rows<T>(
        &self,
        sql: &str,
        values: &[Value],
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let rows = (|| {
            let mut select = self.connection.prepare_cached(sql)?;
            select.query_map(params_from_iter(values), read)?.collect()
        })();
        self.told(rows)
    }

    /// The sums of each name over all steps that begin in a period.
    pub(crate) fn sums(
        &self,
        step: Interval,
        dimension: Dimension,
        (from, to): (i64, i64),
    ) -> Result<Vec<(String, Sum)>> {
        let sql = format!(
            "SELECT name, {COUNTS} FROM sums WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4 GROUP BY name"
        );
        self.rows(&sql, &period(step, dimension, from, to), |row| Ok((row.get(0)?, counts(row, 1)?)))
    }

    /// The sums of all deliveries, step by step.
    pub(crate) fn course(&self, step: Interval, (from, to): (i64, i64)) -> Result<Vec<(i64, Sum)>> {
        let sql = format!(
            "SELECT at, {COUNTS} FROM sums WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4 GROUP BY at ORDER BY at"
        );
        let values = period(step, Dimension::All, from, to);
        self.rows(&sql, &values, |row| Ok((row.get(0)?, counts(row, 1)?)))
    }

    /// Deliveries by name and bucket of delay, in the order of both.
    pub(crate) fn delays(
        &self,
        step: Interval,
        dimension: Dimension,
        (from, to): (i64, i64),
    ) -> Result<Vec<(String, u8, u64)>> {
        let sql = "SELECT name, bucket, sum(deliveries) FROM delays
            WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4 GROUP BY name, bucket ORDER BY name, bucket";
        self.rows(sql, &period(step, dimension, from, to), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.try_into().unwrap_or(0)))
        })
    }

    /// Reasons in a period.
    pub(crate) fn reasons(&self, step: Interval, (from, to): (i64, i64)) -> Result<Vec<ReasonCount>> {
        let sql = "SELECT kind, provider, reason, category, unknown, sum(number) FROM reasons
            WHERE step = ?1 AND at >= ?2 AND at < ?3 GROUP BY kind, provider, reason, category, unknown";
        let values = [Value::Text(step.name().into()), Value::Integer(from), Value::Integer(to)];
        self.rows(sql, &values, |row| {
            let kind: String = row.get(0)?;
            let kind = match kind.as_str() {
                "rejected" => ReasonKind::Rejected,
                "deferral" => ReasonKind::Deferral,
                _ => ReasonKind::Failed,
            };
            Ok(ReasonCount {
                kind,
                provider: row.get(1)?,
                reason: row.get(2)?,
                category: row.get(3)?,
                unknown: row.get(4)?,
                number: row.get(5)?,
            })
        })
    }

    /// Lines of the hours that begin in a period.
    pub(crate) fn lines(&self, (from, to): (i64, i64)) -> Result<Lines> {
        let sql = "SELECT coalesce(sum(parsed), 0), coalesce(sum(ignored), 0), coalesce(sum(other), 0),
            coalesce(sum(unknown), 0) FROM lines WHERE at >= ?1 AND at < ?2";
        self.told(self.connection.query_row(sql, [from, to], lines))
    }

    /// All lines that were ever read.
    pub(crate) fn all_lines(&self) -> Result<Lines> {
        let sql = "SELECT coalesce(sum(events), 0), coalesce(sum(ignored), 0), coalesce(sum(other), 0),
            coalesce(sum(unknown), 0) FROM logs";
        self.told(self.connection.query_row(sql, [], lines))
    }

    /// Gives every delivery to `each` that is deferred or held, and was last heard of in a period: there may be very many.
    pub(crate) fn waiting(
        &self,
        (from, to): (i64, i64),
        mut each: impl FnMut(WaitingDelivery),
    ) -> Result<()> {
        let sql = format!(
            "SELECT status, last_seen, recipient, sender, client_id, relay, reason, coalesce(logged_category, category)
            FROM deliveries LEFT JOIN meanings ON meanings.id = meaning
            WHERE status IN ('deferred', 'held') AND status <> 'sent' AND last_seen >= ?1 AND last_seen < ?2
            AND {}",
            not_alerts()
        );
        let given = (|| {
            let mut select = self.connection.prepare_cached(&sql)?;
            let mut rows = select.query([from, to])?;
            while let Some(row) = rows.next()? {
                each(WaitingDelivery {
                    held: row.get_ref(0)?.as_str()? == "held",
                    last_ms: row.get(1)?,
                    recipient: row.get(2)?,
                    sender: row.get(3)?,
                    client: row.get(4)?,
                    relay: row.get(5)?,
                    reason: row.get(6)?,
                    category: row.get(7)?,
                });
            }
            Ok(())
        })();
        self.told(given)
    }

    /// How many wait: deferred, and held.
    pub(crate) fn waiting_count(&self) -> Result<(u64, u64)> {
        let sql = format!(
            "SELECT coalesce(sum(status = 'deferred'), 0), coalesce(sum(status = 'held'), 0) FROM deliveries
            WHERE status IN ('deferred', 'held') AND status <> 'sent' AND {}",
            not_alerts()
        );
        let count = |at, row: &rusqlite::Row<'_>| row.get::<_, i64>(at).map(i64::unsigned_abs);
        self.told(self.connection.query_row(&sql, [], |row| Ok((count(0, row)?, count(1, row)?))))
    }

    /// The latest time, not in the future, that anything was counted in; none if nothing was.
    pub(crate) fn newest(&self, now_ms: i64) -> Result<Option<i64>> {
        let sql = "SELECT max(at) FROM sums WHERE step = 'minute' AND dimension = 'all' AND at <= ?1";
        self.told(self.connection.query_row(sql, [now_ms], |row| row.get(0)))
    }
}

fn period(step: Interval, dimension: Dimension, from: i64, to: i64) -> [Value; 4] {
    let text = |word: &str| Value::Text(word.to_owned());
    [text(step.name()), text(dimension.name()), Value::Integer(from), Value::Integer(to)]
}

fn lines(row: &rusqlite::Row<'_>) -> rusqlite::Result<Lines> {
    let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(Lines { events: count(0)?, ignored: count(1)?, foreign: count(2)?, unknown: count(3)?, cut: 0 })
}
