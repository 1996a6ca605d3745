//! Statistics in the index: what was counted in each minute, hour and day.
//!
//! Not here: what counts (`ingest`), and how it is shown (`stats`). Invariant: they are written in the transaction of the lines that
//! they count, so that each counts once.

use super::{Batch, Index};
use crate::clock::{DAY_MS, HOUR_MS};
use crate::dimension::Dimension;
use crate::error::Result;
use crate::maillog::Lines;

use rusqlite::{Statement, params};

/// Minutes have names for so long (milliseconds): what alerts and short reports look at.
pub(crate) const RECENT_MS: i64 = 3 * HOUR_MS;
/// Minutes without names are kept so long (milliseconds), counted back from the newest.
pub(crate) const MINUTES_MS: i64 = 7 * DAY_MS;
/// Hours are kept so long (milliseconds), counted back from the newest.
pub(crate) const HOURS_MS: i64 = 100 * DAY_MS;
/// Days are kept so long (milliseconds).
const DAYS_MS: i64 = 1100 * DAY_MS;
/// Names of one dimension in one step; others count as `other`. Strangers choose names.
const NAMES: i64 = 20_000;
/// With fewer new names than this nobody looks how many there are.
const FEW: usize = 200;
/// What stands for the names beyond.
const OTHER: &str = "other";

/// A length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Interval {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours, UTC.
    Day,
    /// Since carom began to count.
    Ever,
}

impl Interval {
    /// Its length in milliseconds.
    pub(crate) fn ms(self) -> i64 {
        match self {
            Interval::Minute => 60_000,
            Interval::Hour => HOUR_MS,
            Interval::Day => DAY_MS,
            Interval::Ever => i64::MAX,
        }
    }

    /// When the step began that a time belongs to.
    pub(crate) fn start(self, at_ms: i64) -> i64 {
        if self == Interval::Ever { 0 } else { at_ms.div_euclid(self.ms()) * self.ms() }
    }

    /// The next longer interval.
    pub(crate) fn longer(self) -> Option<Interval> {
        match self {
            Interval::Minute => Some(Interval::Hour),
            Interval::Hour => Some(Interval::Day),
            Interval::Day => Some(Interval::Ever),
            Interval::Ever => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Interval::Minute => "minute",
            Interval::Hour => "hour",
            Interval::Day => "day",
            Interval::Ever => "ever",
        }
    }
}

/// What is counted. What is taken back counts less than nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Deliveries by how they ended.
    pub(crate) sent: i64,
    /// See `sent`.
    pub(crate) bounced: i64,
    /// See `sent`.
    pub(crate) expired: i64,
    /// See `sent`.
    pub(crate) rejected: i64,
    /// See `sent`.
    pub(crate) deleted: i64,
    /// See `sent`.
    pub(crate) discarded: i64,
    /// Attempts that were put off.
    pub(crate) deferrals: i64,
    /// Bytes delivered.
    pub(crate) bytes: i64,
}

impl std::ops::AddAssign<&Sum> for Sum {
    fn add_assign(&mut self, other: &Sum) {
        self.sent += other.sent;
        self.bounced += other.bounced;
        self.expired += other.expired;
        self.rejected += other.rejected;
        self.deleted += other.deleted;
        self.discarded += other.discarded;
        self.deferrals += other.deferrals;
        self.bytes += other.bytes;
    }
}

/// What a reason is the reason of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReasonKind {
    /// A delivery that bounced or expired.
    Failed,
    /// Mail that was refused in the session.
    Rejected,
    /// An attempt that was put off.
    Deferral,
}

impl ReasonKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            ReasonKind::Failed => "failed",
            ReasonKind::Rejected => "rejected",
            ReasonKind::Deferral => "deferral",
        }
    }
}

/// How often there was a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReasonCount {
    /// What it is the reason of.
    pub(crate) kind: ReasonKind,
    /// Who runs the mail server; empty where that is not known.
    pub(crate) provider: String,
    /// The fine word.
    pub(crate) reason: String,
    /// PowerMTA's category.
    pub(crate) category: String,
    /// No rule decided.
    pub(crate) unknown: bool,
    /// How many.
    pub(crate) number: i64,
}

/// Adds to the statistics, in a transaction.
pub(crate) struct SumWriter<'i> {
    index: &'i Index,
    sum: Statement<'i>,
    there: Statement<'i>,
    delay: Statement<'i>,
    why: Statement<'i>,
}

impl<'i> Batch<'i> {
    /// Adds to the statistics.
    pub(crate) fn sums(&self) -> Result<SumWriter<'i>> {
        let index = self.index();
        let db = &index.connection;
        let made = (|| {
            Ok(SumWriter {
                index,
                sum: db.prepare(
                    "INSERT INTO sums VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                     ON CONFLICT DO UPDATE SET sent = sent + ?5, bounced = bounced + ?6, expired = expired + ?7,
                     rejected = rejected + ?8, deleted = deleted + ?9, discarded = discarded + ?10,
                     deferrals = deferrals + ?11, bytes = bytes + ?12",
                )?,
                there: db.prepare(
                    "SELECT 1 FROM sums WHERE step = ?1 AND dimension = ?2 AND at = ?3 AND name = ?4",
                )?,
                delay: db.prepare(
                    "INSERT INTO delays VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET deliveries = deliveries + ?6",
                )?,
                why: db.prepare(
                    "INSERT INTO reasons VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT DO UPDATE SET number = number + ?8",
                )?,
            })
        })();
        index.told(made)
    }

    /// Adds lines to an hour.
    pub(crate) fn add_lines(&self, at_ms: i64, lines: &Lines) -> Result<()> {
        let index = self.index();
        let add =
            "INSERT INTO lines VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET parsed = parsed + ?2,
            ignored = ignored + ?3, other = other + ?4, unknown = unknown + ?5";
        let counts = [lines.events, lines.ignored, lines.foreign, lines.unknown].map(|count| count as i64);
        let values = params![Interval::Hour.start(at_ms), counts[0], counts[1], counts[2], counts[3]];
        index.told(index.connection.execute(add, values)).map(drop)
    }
}

impl SumWriter<'_> {
    /// How many of these names may be new: all, unless there are too many already.
    pub(crate) fn room(&self, step: Interval, dimension: Dimension, at: i64, names: usize) -> Result<bool> {
        if names < FEW {
            return Ok(true);
        }
        let count = "SELECT count(*) FROM sums WHERE step = ?1 AND dimension = ?2 AND at = ?3";
        let values = params![step.name(), dimension.name(), at];
        let there: i64 = self.index.told(self.index.connection.query_row(count, values, |row| row.get(0)))?;
        Ok(there.saturating_add(names as i64) <= NAMES)
    }

    /// Adds to a name. Without `room` a new one counts as `other`. Delays are pairs of bucket and deliveries.
    pub(crate) fn add(
        &mut self,
        (step, dimension, at): (Interval, Dimension, i64),
        name: &str,
        room: bool,
        sum: &Sum,
        delays: &[(u8, u32)],
    ) -> Result<()> {
        let (step, dimension) = (step.name(), dimension.name());
        let known = room || self.index.told(self.there.exists(params![step, dimension, at, name]))?;
        let name = if known { name } else { OTHER };
        let done = self.sum.execute(params![
            step,
            dimension,
            at,
            name,
            sum.sent,
            sum.bounced,
            sum.expired,
            sum.rejected,
            sum.deleted,
            sum.discarded,
            sum.deferrals,
            sum.bytes
        ]);
        self.index.told(done)?;
        for (bucket, deliveries) in delays {
            let done = self.delay.execute(params![step, dimension, at, name, bucket, deliveries]);
            self.index.told(done)?;
        }
        Ok(())
    }

    /// Adds to a reason.
    pub(crate) fn add_reason(&mut self, step: Interval, at: i64, why: &ReasonCount) -> Result<()> {
        let kind = why.kind.name();
        let values =
            params![step.name(), at, kind, why.provider, why.reason, why.category, why.unknown, why.number];
        self.index.told(self.why.execute(values)).map(drop)
    }
}

impl Index {
    /// Removes statistics that are too old, counted back from the newest; how many rows went.
    pub(crate) fn expire_sums(&self, now_ms: i64) -> Result<u64> {
        let newest = self.newest(now_ms)?.unwrap_or(now_ms);
        let mut gone = 0;
        for (step, named, age) in [
            (Interval::Minute, true, RECENT_MS),
            (Interval::Minute, false, MINUTES_MS),
            (Interval::Hour, false, HOURS_MS),
            (Interval::Day, false, DAYS_MS),
        ] {
            let before = newest - age;
            let dimensions = Dimension::NAMED.iter().chain((!named).then_some(&Dimension::All));
            for dimension in dimensions {
                for table in ["sums", "delays"] {
                    let sql = format!("DELETE FROM {table} WHERE step = ?1 AND dimension = ?2 AND at < ?3");
                    let values = params![step.name(), dimension.name(), before];
                    gone += self.told(self.connection.execute(&sql, values))?;
                }
            }
            if !named {
                let old = "DELETE FROM reasons WHERE step = ?1 AND at < ?2";
                gone += self.told(self.connection.execute(old, params![step.name(), before]))?;
            }
        }
        gone += self.told(self.connection.execute("DELETE FROM lines WHERE at < ?1", [newest - HOURS_MS]))?;
        Ok(gone as u64)
    }
}
