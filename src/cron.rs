//! THE TICK, on one page: what is due is done, what is old expires, logs are read. Safe to run twice at once: every step is leased to
//! one process, expiry is idempotent, and one process at a time reads logs.

use crate::clock;
use crate::deadline::Deadline;
use crate::deliver::House;
use crate::error::Result;
use crate::ingest::{self, Ingested, Watch};
use crate::{journal, kept, log};
use std::time::Duration;

/// A tick is over before the next one starts.
const TICK: Duration = Duration::from_secs(50);

/// What a tick did.
#[derive(Clone, Debug, Default)]
pub struct Ticked {
    /// Steps that were done.
    pub succeeded: usize,
    /// Steps that were given up.
    pub failed: usize,
    /// Steps that are owed still.
    pub later: usize,
    /// What was read of the mail logs.
    pub logs: Ingested,
}

/// One tick.
pub fn tick(house: &House, watch: &Watch<'_>) -> Result<Ticked> {
    let ended = journal::run_due(&house.doors, Deadline::after(TICK))?;
    house.store.purge(clock::now_ms())?;
    log::expire(&house.config);
    kept::expire(&house.config, clock::now_ms());
    let logs = ingest::run(&house.config, watch)?;
    let count = |result| ended.iter().filter(|ended| ended.result == result).count();
    Ok(Ticked { succeeded: count("succeeded"), failed: count("failed"), later: count("later"), logs })
}
