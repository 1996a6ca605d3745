//! Reading the statistics.
//!
//! Not here: writing them (`sum_writer`), and what is made of them (`crate::stats`). Invariant:
//! only rows of the period are read.

use super::Index;
use super::stretch::Stretch;
use super::sum_writer::OTHER;
use super::sums::{Interval, ReasonCount, ReasonKind, Sum};
use crate::dimension::Dimension;
use crate::dimension::names::ByName;
use crate::error::Result;
use crate::maillog::Lines;
use rusqlite::{Row, params};

const COUNTS: &str = "sent, bounced, expired, rejected, deleted, discarded, deferrals, bytes";
/// Of one dimension, in the order of the table.
const WITHIN: &str = "WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4";

fn counts(row: &Row<'_>, first: usize) -> rusqlite::Result<Sum> {
    let get = |at: usize| row.get(first + at);
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
    /// Gives `each` the rows of stretches. What they have in common is added up by it: sorting them
    /// takes SQLite several times as long.
    fn each_row(
        &self,
        sql: &str,
        stretches: &[Stretch],
        dimension: Dimension,
        mut each: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let given = (|| {
            let mut select = self.connection.prepare_cached(sql)?;
            for Stretch { interval, from, to, .. } in self.with_names(stretches, dimension)? {
                let mut rows = select.query(params![interval.name(), dimension.name(), from, to])?;
                while let Some(row) = rows.next()? {
                    each(row)?;
                }
            }
            Ok(())
        })();
        self.checked(given)
    }

    /// The same stretches. Of a longer interval with more names than were counted one by one, the
    /// finest are read.
    fn with_names(&self, stretches: &[Stretch], dimension: Dimension) -> rusqlite::Result<Vec<Stretch>> {
        let other = "SELECT 1 FROM sums WHERE step = ?1 AND dimension = ?2 AND at = ?3 AND name = ?4";
        let (mut other, mut found) = (self.connection.prepare_cached(other)?, Vec::new());
        for stretch in stretches {
            let Stretch { interval, from, to, finest } = *stretch;
            if interval == finest {
                found.push(*stretch);
                continue;
            }
            for from in (from..to).step_by(interval.ms() as usize) {
                let lacks_names = other.exists(params![interval.name(), dimension.name(), from, OTHER])?;
                let interval = if lacks_names { finest } else { interval };
                found.push(Stretch { interval, from, to: from + stretch.interval.ms(), finest });
            }
        }
        Ok(found)
    }

    /// A period as stretches. What has not ended yet is read as whole days: nothing of them was
    /// counted later.
    pub(crate) fn stretches(&self, interval: Interval, (from, to): (i64, i64)) -> Result<Vec<Stretch>> {
        let later = "SELECT EXISTS (SELECT 1 FROM sums WHERE step IN ('minute', 'hour')
            AND dimension IN ('all', 'whose') AND at >= ?1)";
        let later = self.connection.prepare_cached(later);
        let is_over = self.checked(later.and_then(|mut later| later.query_row([to], |row| row.get(0))))?;
        let day = Interval::Day;
        let to = if is_over { to } else { day.start(to.saturating_add(day.ms() - 1)) };
        Ok(Stretch::of(interval, (from, to)))
    }

    /// The sum of each name.
    pub(crate) fn sums(&self, stretches: &[Stretch], dimension: Dimension) -> Result<ByName<Sum>> {
        let mut sums: ByName<Sum> = ByName::default();
        let sql = format!("SELECT name, {COUNTS} FROM sums {WITHIN}");
        self.each_row(&sql, stretches, dimension, |row| {
            let (name, sum) = (row.get_ref(0)?.as_str()?, counts(row, 1)?);
            match sums.get_mut(name) {
                Some(known) => *known += &sum,
                None => drop(sums.insert(name.to_owned(), sum)),
            }
            Ok(())
        })?;
        Ok(sums)
    }

    /// The sum of one name.
    pub(crate) fn sum(&self, stretches: &[Stretch], dimension: Dimension, name: &str) -> Result<Sum> {
        let mut all = Sum::default();
        let sql = format!("SELECT {COUNTS}, name FROM sums {WITHIN}");
        self.each_row(&sql, stretches, dimension, |row| {
            if row.get_ref(8)?.as_str()? == name {
                all += &counts(row, 0)?;
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// The sums of all deliveries, one for each interval.
    pub(crate) fn course(&self, interval: Interval, (from, to): (i64, i64)) -> Result<Vec<(i64, Sum)>> {
        let mut course = Vec::new();
        let sql = format!("SELECT at, {COUNTS} FROM sums {WITHIN}");
        self.each_row(&sql, &[Stretch { interval, from, to, finest: interval }], Dimension::All, |row| {
            course.push((row.get(0)?, counts(row, 1)?));
            Ok(())
        })?;
        Ok(course)
    }

    /// Gives `each` the place of a name that has one, a bucket of delay, and deliveries.
    pub(crate) fn delays(
        &self,
        stretches: &[Stretch],
        dimension: Dimension,
        place: impl Fn(&str) -> Option<usize>,
        mut each: impl FnMut(usize, u8, u64),
    ) -> Result<()> {
        let sql = format!("SELECT name, bucket, deliveries FROM delays {WITHIN}");
        self.each_row(&sql, stretches, dimension, |row| {
            if let Some(place) = place(row.get_ref(0)?.as_str()?) {
                each(place, row.get(1)?, row.get::<_, i64>(2)?.try_into().unwrap_or(0));
            }
            Ok(())
        })
    }

    /// Gives `each` a name, a TLS level, and sent deliveries.
    pub(crate) fn tls_levels(
        &self,
        stretches: &[Stretch],
        dimension: Dimension,
        mut each: impl FnMut(&str, &str, u64),
    ) -> Result<()> {
        let sql = format!("SELECT name, level, deliveries FROM tls_levels {WITHIN}");
        self.each_row(&sql, stretches, dimension, |row| {
            let (name, level) = (row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?);
            each(name, level, row.get::<_, i64>(2)?.try_into().unwrap_or(0));
            Ok(())
        })
    }

    /// The counts of each stretch.
    pub(crate) fn reasons(&self, stretches: &[Stretch]) -> Result<Vec<ReasonCount>> {
        let sql = "SELECT kind, provider, reason, category, unknown, sum(number) FROM reasons
            WHERE step = ?1 AND at >= ?2 AND at < ?3 GROUP BY kind, provider, reason, category, unknown";
        let found = (|| {
            let (mut select, mut found) = (self.connection.prepare_cached(sql)?, Vec::new());
            for Stretch { interval, from, to, .. } in stretches {
                let rows = select.query_map(params![interval.name(), from, to], reason)?;
                found.extend(rows.collect::<rusqlite::Result<Vec<ReasonCount>>>()?);
            }
            Ok(found)
        })();
        self.checked(found)
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

fn reason(row: &Row<'_>) -> rusqlite::Result<ReasonCount> {
    let kind = match row.get_ref(0)?.as_str()? {
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
}

fn lines(row: &Row<'_>) -> rusqlite::Result<Lines> {
    let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
    Ok(Lines { events: count(0)?, ignored: count(1)?, foreign: count(2)?, unknown: count(3)?, cut: 0 })
}
