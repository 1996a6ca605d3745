//! Values that change by the day of the week: today's is written into a file of the mail server,
//! and a reload command is run; once a day a command is run, or suppressions are purged.
//!
//! Days begin at 00:00 UTC, and weeks are counted from a Monday, so that a year with 53 of them
//! does not make the cycle jump. Invariant: a file that is up to date is left alone; a reload that
//! failed is tried again until it succeeds; what is done once a day is done once, even if the
//! process is killed in between, but a command that was killed with the process is run again.

mod day;
mod suppression_purge;
#[cfg(test)]
mod tests;

use crate::clock::DAY_MS;
use crate::config::{Config, CycleTable};
use crate::deadline::Deadline;
use crate::error::Error;
use crate::store::Store;
use day::Day;
use std::time::Duration;

#[derive(Debug, Default)]
pub(crate) struct Turned {
    /// What was done, a line each.
    pub(crate) done: Vec<String>,
    /// What failed; the next tick tries again.
    pub(crate) problems: Vec<Error>,
}

/// Does what each cycle asks for now. One process at a time: see [`Store::lock_tick`].
pub(crate) fn turn(
    cycles: &[CycleTable],
    config: &Config,
    store: &Store,
    now_ms: i64,
    deadline: Deadline,
) -> Turned {
    let mut turned = Turned::default();
    for cycle in cycles {
        let timeout = Duration::from_millis(cycle.timeout.ms().unsigned_abs());
        let day = Day { cycle, config, store, now_ms, today: now_ms.div_euclid(DAY_MS), timeout, deadline };
        for done in [day.file(), day.purge(), day.run()] {
            match done {
                Ok(done) => turned.done.extend(done),
                Err(error) => turned.problems.push(error.within(format_args!("[[cycle]] {}", cycle.name))),
            }
        }
    }
    turned
}
