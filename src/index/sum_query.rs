//! Reading the statistics.
//!
//! Not here: writing them (`sum_writer`), and what is made of them (`crate::stats`). Invariant:
//! only rows of the period are read.

use super::Index;
use super::sums::{Interval, ReasonCount, ReasonKind, Sum};
use crate::dimension::Dimension;
use crate::error::Result;
use crate::maillog::Lines;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

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
        self.checked(rows)
    }

    /// The sums of each name over all intervals that begin in a period.
    pub(crate) fn sums(
        &self,
        interval: Interval,
        dimension: Dimension,
        (from, to): (i64, i64),
    ) -> Result<Vec<(String, Sum)>> {
        let sql = format!(
            "SELECT name, {COUNTS} FROM sums WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4 GROUP BY name"
        );
        self.rows(&sql, &period(interval, dimension, from, to), |row| Ok((row.get(0)?, counts(row, 1)?)))
    }

    /// The sum of one name over all intervals that begin in a period.
    pub(crate) fn sum(
        &self,
        interval: Interval,
        dimension: Dimension,
        (from, to): (i64, i64),
        name: &str,
    ) -> Result<Sum> {
        let sql = format!(
            "SELECT {COUNTS} FROM sums WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4 AND name = ?5"
        );
        let [step, dimension, from, to] = period(interval, dimension, from, to);
        let values = [step, dimension, from, to, Value::Text(name.to_owned())];
        let rows = self.rows(&sql, &values, |row| counts(row, 0))?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// The sums of all deliveries, one for each interval.
    pub(crate) fn course(&self, interval: Interval, (from, to): (i64, i64)) -> Result<Vec<(i64, Sum)>> {
        let sql = format!(
            "SELECT at, {COUNTS} FROM sums WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4 GROUP BY at ORDER BY at"
        );
        let values = period(interval, Dimension::All, from, to);
        self.rows(&sql, &values, |row| Ok((row.get(0)?, counts(row, 1)?)))
    }

    /// Deliveries by name and bucket of delay, sorted by both.
    pub(crate) fn delays(
        &self,
        interval: Interval,
        dimension: Dimension,
        (from, to): (i64, i64),
    ) -> Result<Vec<(String, u8, u64)>> {
        let sql = "SELECT name, bucket, sum(deliveries) FROM delays
            WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4 GROUP BY name, bucket ORDER BY name, bucket";
        self.rows(sql, &period(interval, dimension, from, to), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.try_into().unwrap_or(0)))
        })
    }

    /// Sent deliveries by name and TLS level.
    pub(crate) fn tls_levels(
        &self,
        interval: Interval,
        dimension: Dimension,
        (from, to): (i64, i64),
    ) -> Result<Vec<(String, String, u64)>> {
        let sql = "SELECT name, level, sum(deliveries) FROM tls_levels
            WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4 GROUP BY name, level";
        self.rows(sql, &period(interval, dimension, from, to), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.try_into().unwrap_or(0)))
        })
    }

    pub(crate) fn reasons(&self, interval: Interval, (from, to): (i64, i64)) -> Result<Vec<ReasonCount>> {
        let sql = "SELECT kind, provider, reason, category, unknown, sum(number) FROM reasons
            WHERE step = ?1 AND at >= ?2 AND at < ?3 GROUP BY kind, provider, reason, category, unknown";
        let values = [Value::Text(interval.name().into()), Value::Integer(from), Value::Integer(to)];
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

    /// Lines of all hours that begin in a period.
    pub(crate) fn lines(&self, (from, to): (i64, i64)) -> Result<Lines> {
        let sql = "SELECT coalesce(sum(parsed), 0), coalesce(sum(ignored), 0), coalesce(sum(other), 0),
            coalesce(sum(unknown), 0) FROM lines WHERE at >= ?1 AND at < ?2";
        self.checked(self.connection.query_row(sql, [from, to], lines))
    }

    /// Lines of all time.
    pub(crate) fn all_lines(&self) -> Result<Lines> {
        let sql = "SELECT coalesce(sum(events), 0), coalesce(sum(ignored), 0), coalesce(sum(other), 0),
            coalesce(sum(unknown), 0) FROM logs";
        self.checked(self.connection.query_row(sql, [], lines))
    }

    /// The newest minute with a count, not in the future.
    pub(crate) fn newest(&self, now_ms: i64) -> Result<Option<i64>> {
        let sql = "SELECT max(at) FROM sums WHERE step = 'minute' AND dimension = 'all' AND at <= ?1";
        self.checked(self.connection.query_row(sql, [now_ms], |row| row.get(0)))
    }
}

fn period(interval: Interval, dimension: Dimension, from: i64, to: i64) -> [Value; 4] {
    let text = |word: &str| Value::Text(word.to_owned());
    [text(interval.name()), text(dimension.name()), Value::Integer(from), Value::Integer(to)]
}

fn lines(row: &rusqlite::Row<'_>) -> rusqlite::Result<Lines> {
    let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(Lines { events: count(0)?, ignored: count(1)?, foreign: count(2)?, unknown: count(3)?, cut: 0 })
}
