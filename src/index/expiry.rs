//! Removing what is old or too much, a piece at a time.
//!
//! Not here: when. One run takes a limited time, and the next one goes on. Freed pages are used
//! again, so the file never grows beyond its largest size, and nothing is rewritten to make it
//! smaller. Invariant: messages from the future (a wrong clock) cause nothing to be removed.

use super::Index;
use super::delivery_row::first_row;
use super::personal_rows::days_with_names;
use super::sums::{DAYS_MS, HOURS_MS, Interval, MINUTES_MS, RECENT_MS};
use crate::clock::{DAY_MS, HOUR_MS};
use crate::config::IndexTable;
use crate::dimension::Dimension;
use crate::error::Result;
use rusqlite::params;
use std::time::{Duration, Instant};

/// A run takes no longer: a month that is too old at one time is removed in several ticks.
const LONGEST: Duration = Duration::from_secs(10);
/// Deliveries that are removed in one transaction.
const PIECE: i64 = 20_000;
/// What is remembered: when the newest delivery was updated, and the hours since in which a tick
/// ran.
const SILENT_HOURS: &str = "silent hours";
/// The clocks of servers differ by less than this.
const AHEAD_MS: i64 = HOUR_MS;

impl Index {
    /// Once an hour, removes deliveries that were not updated for `keep_days` before the newest
    /// one, and if more than `max_rows` are left, those from the future, then the oldest ones. Zero
    /// is no limit. Messages that have not ended go with deliveries, or with the names in them.
    /// Days are counted back from the newest delivery, so an old log can be examined;
    /// once a log has ended, they go on with the hours in which ticks run.
    /// `stopped` is asked between pieces; the next tick goes on after a run that was stopped or
    /// took too long. Returns how many were removed.
    pub(crate) fn expire(&self, now_ms: i64, limits: &IndexTable, stopped: &dyn Fn() -> bool) -> Result<u64> {
        let IndexTable { keep_days, max_rows, .. } = *limits;
        let last = self.remembered("expired")?.and_then(|last| last.parse().ok()).unwrap_or(0);
        if (0..HOUR_MS).contains(&(now_ms - last)) {
            return Ok(0);
        }
        let begun = Instant::now();
        let ends = || stopped() || begun.elapsed() > LONGEST;
        self.forget_silent(now_ms, limits)?;
        let mut gone = 0;
        if keep_days > 0 {
            gone += self.expire_old(now_ms, keep_days, &ends)?;
        }
        if max_rows > 0 {
            gone += self.expire_excess(now_ms, max_rows, &ends)?;
        }
        if ends() {
            return Ok(gone);
        }
        self.expire_routes()?;
        self.expire_sums(now_ms)?;
        self.note_hour(now_ms)?;
        self.remember("expired", &now_ms.to_string())?;
        Ok(gone)
    }

    /// Forgets messages whose last line is older than the shorter of both ages.
    fn forget_silent(&self, now_ms: i64, limits: &IndexTable) -> Result<()> {
        let kept = Some(i64::from(limits.keep_days)).filter(|days| *days > 0);
        let named = Some(limits.anonymous_days).filter(|days| *days > 0).map(days_with_names);
        let Some(days) = kept.into_iter().chain(named).min() else { return Ok(()) };
        let Some(last) = self.counted_back_from(now_ms)? else { return Ok(()) };
        self.forget_unheard(last - days * DAY_MS)
    }

    fn expire_old(&self, now_ms: i64, keep_days: u32, stopped: &dyn Fn() -> bool) -> Result<u64> {
        let Some(last) = self.counted_back_from(now_ms)? else { return Ok(0) };
        let oldest = last - i64::from(keep_days) * DAY_MS;
        // Rows are sorted by when deliveries were first seen; those updated since stay.
        let old = "DELETE FROM deliveries WHERE id IN
            (SELECT id FROM deliveries WHERE id < ?1 AND last_seen < ?2 ORDER BY id LIMIT ?3)";
        let mut gone = 0;
        loop {
            let removed =
                self.checked(self.connection.execute(old, params![first_row(oldest), oldest, PIECE]))?;
            gone += removed as u64;
            if removed < PIECE as usize || stopped() {
                return Ok(gone);
            }
        }
    }

    /// The time that the age of deliveries is counted back from: when the newest was updated, and
    /// an hour more for each hour since in which a tick ran. So the deliveries of a log that has
    /// ended go too, and a clock that is set wrongly makes all of them one hour older. `None`:
    /// there are none.
    pub(super) fn counted_back_from(&self, now_ms: i64) -> Result<Option<i64>> {
        let Some(newest) = self.newest_seen(now_ms)? else { return Ok(None) };
        let hours = self.hours_since(newest)?.unwrap_or(0);
        Ok(Some(newest.saturating_add(hours.saturating_mul(HOUR_MS)).min(now_ms)))
    }

    /// Hours in which a tick ran since a delivery that is the newest; `None`: another one was.
    fn hours_since(&self, newest: i64) -> Result<Option<i64>> {
        let noted = self.remembered(SILENT_HOURS)?.unwrap_or_default();
        let noted = noted.split_once(' ').filter(|(since, _)| *since == newest.to_string());
        Ok(noted.and_then(|(_, hours)| hours.parse().ok()))
    }

    /// One more hour in which a tick ran, unless the newest delivery came in it.
    fn note_hour(&self, now_ms: i64) -> Result<()> {
        let Some(newest) = self.newest_seen(now_ms)? else { return Ok(()) };
        let hours = self.hours_since(newest)?.map_or(0, |hours: i64| hours + 1);
        self.remember(SILENT_HOURS, &format!("{newest} {hours}"))
    }

    /// When a delivery was last updated, leaving out those from the future.
    fn newest_seen(&self, now_ms: i64) -> Result<Option<i64>> {
        let newest = "SELECT max(last_seen) FROM deliveries WHERE last_seen <= ?1";
        self.checked(self.connection.query_row(newest, [now_ms + AHEAD_MS], |row| row.get(0)))
    }

    fn expire_excess(&self, now_ms: i64, max_rows: u64, stopped: &dyn Fn() -> bool) -> Result<u64> {
        let rows = i64::try_from(self.count()?).unwrap_or(i64::MAX);
        let mut excess = rows - i64::try_from(max_rows).unwrap_or(i64::MAX);
        let first = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE id >= ?1 ORDER BY id LIMIT ?2)";
        let mut gone = 0;
        for from in [first_row(now_ms + DAY_MS), 0] {
            while excess > 0 && !stopped() {
                let piece = excess.min(PIECE);
                let removed = self.checked(self.connection.execute(first, [from, piece]))? as i64;
                gone += removed as u64;
                excess -= removed;
                if removed < piece {
                    break;
                }
            }
        }
        Ok(gone)
    }

    /// Removes old statistics, counted back from the newest; returns how many rows.
    pub(crate) fn expire_sums(&self, now_ms: i64) -> Result<u64> {
        let newest = self.newest(now_ms)?.unwrap_or(now_ms);
        let mut gone = 0;
        for (interval, named, age) in [
            (Interval::Minute, true, RECENT_MS),
            (Interval::Minute, false, MINUTES_MS),
            (Interval::Hour, false, HOURS_MS),
            (Interval::Day, false, DAYS_MS),
        ] {
            let before = newest - age;
            let apart = [Dimension::Whose];
            let dimensions = Dimension::NAMED.iter().chain(&apart).chain((!named).then_some(&Dimension::All));
            for dimension in dimensions {
                for table in ["sums", "delays", "tls_levels"] {
                    let sql = format!("DELETE FROM {table} WHERE step = ?1 AND dimension = ?2 AND at < ?3");
                    let values = params![interval.name(), dimension.name(), before];
                    gone += self.checked(self.connection.execute(&sql, values))?;
                }
            }
            if !named {
                let old = "DELETE FROM reasons WHERE step = ?1 AND at < ?2";
                gone += self.checked(self.connection.execute(old, params![interval.name(), before]))?;
            }
        }
        gone +=
            self.checked(self.connection.execute("DELETE FROM lines WHERE at < ?1", [newest - HOURS_MS]))?;
        Ok(gone as u64)
    }
}
