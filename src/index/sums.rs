//! What statistics consist of: sums and reasons, for each minute, hour and day.
//!
//! Not here: writing (`sum_writer`) and reading them (`sum_query`).

use crate::clock::{DAY_MS, HOUR_MS};
use std::ops::AddAssign;

/// Minutes keep names for this long: what alerts and short reports look at.
pub(crate) const RECENT_MS: i64 = 3 * HOUR_MS;
/// Minutes are kept for this long, counted back from the newest.
pub(crate) const MINUTES_MS: i64 = 7 * DAY_MS;
/// Hours are kept for this long, counted back from the newest.
pub(crate) const HOURS_MS: i64 = 100 * DAY_MS;
/// Days are kept for this long, counted back from the newest.
pub(crate) const DAYS_MS: i64 = 1100 * DAY_MS;

/// A length of time that counts are kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Interval {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours, UTC.
    Day,
    /// Since the first count.
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

    /// The beginning of the interval that a time belongs to.
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

/// What is counted; negative when a count is undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Deliveries by how they ended, here and below.
    pub(crate) sent: i64,
    pub(crate) bounced: i64,
    pub(crate) expired: i64,
    pub(crate) rejected: i64,
    pub(crate) deleted: i64,
    pub(crate) discarded: i64,
    /// Attempts that were deferred.
    pub(crate) deferrals: i64,
    /// Bytes delivered.
    pub(crate) bytes: i64,
}

impl AddAssign<&Sum> for Sum {
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

/// What is counted under one name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CountedSum<'a> {
    pub(crate) sum: &'a Sum,
    /// Buckets of delay, and deliveries.
    pub(crate) delays: &'a [(u8, u32)],
    /// TLS levels, and sent deliveries.
    pub(crate) tls: &'a [(&'a str, u32)],
}

/// What a reason is the reason for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ReasonKind {
    /// A delivery that bounced or expired.
    Failed,
    /// Mail that was refused in the session.
    Rejected,
    /// An attempt that was deferred.
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
    pub(crate) kind: ReasonKind,
    /// Who runs the mail server; empty if unknown.
    pub(crate) provider: String,
    /// In the fine vocabulary.
    pub(crate) reason: String,
    /// PowerMTA's category.
    pub(crate) category: String,
    /// No rule decided.
    pub(crate) unknown: bool,
    pub(crate) number: i64,
}
