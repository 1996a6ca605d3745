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

/// What most rows have of it comes first, then whether there is more.
const COUNTS: &str = "sent, deferrals, bytes, bounced | expired | rejected | deleted | discarded,
    bounced, expired, rejected, deleted, discarded";
/// Of one dimension, in the order of the table.
const WITHIN: &str = "WHERE step = ?1 AND dimension = ?2 AND at >= ?3 AND at < ?4";
/// The intervals with a count.
const BEGUN: &str = "SELECT at FROM sums WHERE step = ?1 AND dimension = 'all' AND at >= ?2 AND at < ?3";
/// Of one name in one interval.
const NAMED: &str = "WHERE step = ?1 AND dimension = ?2 AND at = ?3 AND name = ?4";

fn counts(row: &Row<'_>, first: usize) -> rusqlite::Result<Sum> {
    let get = |at: usize| row.get(first + at);
    let sum = Sum { sent: get(0)?, deferrals: get(1)?, bytes: get(2)?, ..Sum::default() };
    if get(3)? == 0 {
        return Ok(sum);
    }
    let (bounced, expired, rejected, deleted, discarded) = (get(4)?, get(5)?, get(6)?, get(7)?, get(8)?);
    Ok(Sum { bounced, expired, rejected, deleted, discarded, ..sum })
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

    /// The same for the rows of some names, with the place of the name: each is looked up, because
    /// strangers choose how many others there are.
    fn each_named_row(
        &self,
        sql: &str,
        stretches: &[Stretch],
        dimension: Dimension,
        names: &[&str],
        mut each: impl FnMut(usize, &Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<()> {
        let given = (|| {
            let (mut begun, mut select) =
                (self.connection.prepare_cached(BEGUN)?, self.connection.prepare_cached(sql)?);
            for Stretch { interval, from, to, .. } in self.with_names(stretches, dimension)? {
                select.raw_bind_parameter(1, interval.name())?;
                select.raw_bind_parameter(2, dimension.name())?;
                for at in begun.query_map(params![interval.name(), from, to], |row| row.get::<_, i64>(0))? {
                    let at = at?;
                    select.raw_bind_parameter(3, at)?;
                    for (place, name) in names.iter().enumerate() {
                        select.raw_bind_parameter(4, name)?;
                        let mut rows = select.raw_query();
                        while let Some(row) = rows.next()? {
                            each(place, row)?;
                        }
                    }
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
        let sql = format!("SELECT {COUNTS} FROM sums {NAMED}");
        self.each_named_row(&sql, stretches, dimension, &[name], |_, row| {
            all += &counts(row, 0)?;
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

    /// Gives `each` the place of a name among those that are wanted, a bucket of delay, and
    /// deliveries.
    pub(crate) fn delays(
        &self,
        stretches: &[Stretch],
        dimension: Dimension,
        wanted: &[&str],
        mut each: impl FnMut(usize, u8, u64),
    ) -> Result<()> {
        let sql = format!("SELECT bucket, deliveries FROM delays {NAMED}");
        self.each_named_row(&sql, stretches, dimension, wanted, |place, row| {
            each(place, row.get(0)?, row.get::<_, i64>(1)?.try_into().unwrap_or(0));
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
