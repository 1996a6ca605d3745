//! A period as stretches of time that were counted together.
//!
//! Not here: intervals with more names than are counted (`sum_query`). Invariant: the stretches of
//! a period have no gap and no overlap, and end where it ends.

use super::sums::Interval;

/// Intervals of one length, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) interval: Interval,
    /// The beginning of the first.
    pub(crate) from: i64,
    /// The end of the last.
    pub(crate) to: i64,
    /// What the period begins and ends with: these have more names, and more rows.
    pub(crate) finest: Interval,
}

impl Stretch {
    /// All days that begin at or after a time.
    pub(crate) fn days_since(from: i64) -> Stretch {
        Stretch { interval: Interval::Day, from, to: i64::MAX, finest: Interval::Day }
    }

    /// A period that begins and ends with an interval: what longer intervals have whole is read
    /// from them, because they have fewer rows.
    pub(crate) fn of(interval: Interval, period: (i64, i64)) -> Vec<Stretch> {
        Stretch::within(interval, period, interval)
    }

    fn within(interval: Interval, (from, to): (i64, i64), finest: Interval) -> Vec<Stretch> {
        let whole = interval.longer().filter(|longer| *longer != Interval::Ever).and_then(|longer| {
            let begins = from.saturating_add(longer.ms() - 1);
            let (begins, ends) = (longer.start(begins), longer.start(to));
            (begins < ends).then_some((longer, begins, ends))
        });
        let Some((longer, begins, ends)) = whole else {
            return if from < to { vec![Stretch { interval, from, to, finest }] } else { Vec::new() };
        };
        let mut stretches = Stretch::within(longer, (begins, ends), finest);
        let edges = [(from, begins), (ends, to)].into_iter().filter(|(from, to)| from < to);
        stretches.extend(edges.map(|(from, to)| Stretch { interval, from, to, finest }));
        stretches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{DAY_MS, HOUR_MS};

    fn stretches(interval: Interval, from: i64, to: i64) -> Vec<(&'static str, i64, i64)> {
        let all = Stretch::of(interval, (from, to)).into_iter();
        all.map(|one| (one.interval.name(), one.from, one.to)).collect()
    }

    #[test]
    fn whole_days_and_hours_are_read_as_such() {
        let minute = Interval::Minute.ms();
        let (from, to) = (DAY_MS - 2 * HOUR_MS - minute, 3 * DAY_MS + HOUR_MS);
        let days = ("day", DAY_MS, 3 * DAY_MS);
        let hours = [("hour", DAY_MS - 2 * HOUR_MS, DAY_MS), ("hour", 3 * DAY_MS, to)];
        assert_eq!(stretches(Interval::Hour, DAY_MS - 2 * HOUR_MS, to), [days, hours[0], hours[1]]);
        let minutes = ("minute", from, from + minute);
        assert_eq!(stretches(Interval::Minute, from, to), [days, hours[0], hours[1], minutes]);
        assert_eq!(stretches(Interval::Hour, HOUR_MS, DAY_MS), [("hour", HOUR_MS, DAY_MS)]);
        assert_eq!(stretches(Interval::Day, 0, DAY_MS), [("day", 0, DAY_MS)]);
        assert_eq!(stretches(Interval::Ever, 0, 1), [("ever", 0, 1)]);
        assert!(stretches(Interval::Day, 0, 0).is_empty());
    }
}
