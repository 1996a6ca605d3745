//! Adding to the statistics.
//!
//! Not here: what counts (`crate::ingest`). Invariant: sums are written in the transaction of the
//! lines that they count, so each line counts once.

use super::sums::{CountedSum, Interval, ReasonCount};
use super::{Batch, Index};
use crate::dimension::Dimension;
use crate::error::Result;
use crate::maillog::Lines;
use rusqlite::{Statement, params};

/// Names of one dimension in one interval; more are counted as `other`. Strangers choose names.
const NAMES: i64 = 20_000;
/// Up to this many new names, the existing ones are not counted.
const FEW: usize = 200;
/// The name for the names beyond the limit.
pub(super) const OTHER: &str = "other";

/// Adds to the statistics, with statements that are prepared once.
pub(crate) struct SumWriter<'i> {
    index: &'i Index,
    sum: Statement<'i>,
    there: Statement<'i>,
    delay: Statement<'i>,
    tls: Statement<'i>,
    why: Statement<'i>,
}

impl<'i> Batch<'i> {
    /// For adding to the statistics.
    pub(crate) fn sums(&self) -> Result<SumWriter<'i>> {
        let index = self.index();
        let db = &index.connection;
        let made = (|| {
            Ok(SumWriter {
                index,
                sum: db.prepare(
                    "INSERT INTO sums (step, dimension, at, name, sent, bounced, expired, rejected, deleted, discarded,
                     deferrals, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                     ON CONFLICT DO UPDATE SET sent = sent + ?5, bounced = bounced + ?6, expired = expired + ?7,
                     rejected = rejected + ?8, deleted = deleted + ?9, discarded = discarded + ?10,
                     deferrals = deferrals + ?11, bytes = bytes + ?12",
                )?,
                there: db.prepare(
                    "SELECT 1 FROM sums WHERE step = ?1 AND dimension = ?2 AND at = ?3 AND name = ?4",
                )?,
                delay: db.prepare(
                    "INSERT INTO delays (step, dimension, at, name, bucket, deliveries) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET deliveries = deliveries + ?6",
                )?,
                tls: db.prepare(
                    "INSERT INTO tls_levels (step, dimension, at, name, level, deliveries) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT DO UPDATE SET deliveries = deliveries + ?6",
                )?,
                why: db.prepare(
                    "INSERT INTO reasons (step, at, kind, provider, reason, category, unknown, number)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                     ON CONFLICT DO UPDATE SET number = number + ?8",
                )?,
            })
        })();
        index.checked(made)
    }

    /// Adds to the lines of an hour.
    pub(crate) fn add_lines(&self, at_ms: i64, lines: &Lines) -> Result<()> {
        let index = self.index();
        let add = "INSERT INTO lines (at, parsed, ignored, other, unknown) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT DO UPDATE SET parsed = parsed + ?2,
            ignored = ignored + ?3, other = other + ?4, unknown = unknown + ?5";
        let counts = [lines.events, lines.ignored, lines.foreign, lines.unknown].map(|count| count as i64);
        let values = params![Interval::Hour.start(at_ms), counts[0], counts[1], counts[2], counts[3]];
        index.checked(index.connection.execute(add, values)).map(drop)
    }
}

impl SumWriter<'_> {
    /// Whether this many more names may be new in this interval.
    pub(crate) fn room(&self, step: Interval, dimension: Dimension, at: i64, names: usize) -> Result<bool> {
        if names < FEW {
            return Ok(true);
        }
        let count = "SELECT count(*) FROM sums WHERE step = ?1 AND dimension = ?2 AND at = ?3";
        let values = params![step.name(), dimension.name(), at];
        let there: i64 =
            self.index.checked(self.index.connection.query_row(count, values, |row| row.get(0)))?;
        Ok(there.saturating_add(names as i64) <= NAMES)
    }

    /// Adds to a name; without `room`, a new name is counted as `other`.
    pub(crate) fn add(
        &mut self,
        (step, dimension, at): (Interval, Dimension, i64),
        name: &str,
        room: bool,
        counted: &CountedSum<'_>,
    ) -> Result<()> {
        let CountedSum { sum, delays, tls } = *counted;
        let (step, dimension) = (step.name(), dimension.name());
        let known = room || self.index.checked(self.there.exists(params![step, dimension, at, name]))?;
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
        self.index.checked(done)?;
        for (bucket, deliveries) in delays {
            let done = self.delay.execute(params![step, dimension, at, name, bucket, deliveries]);
            self.index.checked(done)?;
        }
        for (level, deliveries) in tls {
            let done = self.tls.execute(params![step, dimension, at, name, level, deliveries]);
            self.index.checked(done)?;
        }
        Ok(())
    }

    pub(crate) fn add_reason(&mut self, step: Interval, at: i64, why: &ReasonCount) -> Result<()> {
        let kind = why.kind.name();
        let values =
            params![step.name(), at, kind, why.provider, why.reason, why.category, why.unknown, why.number];
        self.index.checked(self.why.execute(values)).map(drop)
    }
}
