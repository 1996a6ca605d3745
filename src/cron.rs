//! THE TICK, on one page: what is due is done, what is old expires. Safe to run twice at once: every step is leased to
//! one process, and expiry is idempotent.

use crate::clock;
use crate::deadline::Deadline;
use crate::deliver::House;
use crate::error::Result;
use crate::{journal, log};
use std::time::Duration;

/// A tick is over before the next one starts.
const TICK: Duration = Duration::from_secs(50);

/// What a tick did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ticked {
    /// Steps that were done.
    pub succeeded: usize,
    /// Steps that were given up.
    pub failed: usize,
    /// Steps that are owed still.
    pub later: usize,
}

/// One tick.
pub fn tick(house: &House) -> Result<Ticked> {
    let ended = journal::run_due(&house.doors, Deadline::after(TICK))?;
    house.store.purge(clock::now_ms())?;
    log::expire(&house.config);
    let count = |result| ended.iter().filter(|ended| ended.result == result).count();
    Ok(Ticked { succeeded: count("succeeded"), failed: count("failed"), later: count("later") })
}
