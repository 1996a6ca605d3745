//! Failed deliveries of our own mail log, handled as if our mail server had reported them: the
//! bounce policy decides each, and many are acted on in one transaction of the store.
//!
//! Not here: reading logs (`maillog`, `ingest`), and what a failure means (policies). Invariant: a
//! delivery is handled once, however often its lines are read and whatever kills the process; the
//! log line and the report of one bounce count once.

mod acting;
mod acted_failure;
mod decided_failure;
mod failed_delivery;
mod noted_lines;
mod outside;
#[cfg(test)]
mod tests;
mod watermark;

pub(crate) use noted_lines::write_left;

use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::house::House;
use crate::index::Index;
use crate::journal::{self, LeftStep};
use crate::policy::recipient_facts::RecipientFacts;
use crate::store::Store;
use acting::Acting;
use noted_lines::NotedLines;
use outside::Outside;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use watermark::Watermark;

/// Addresses with soft bounces that are looked up in the index at one tick.
const AT_ONE_TICK: usize = 5000;
/// The mark of the last one that was.
const FORGIVEN: &str = "forgiven";
/// Threads for what leaves the process; most wait for an application.
const THREADS: usize = 16;

/// What was done about failures.
#[derive(Default)]
pub(crate) struct ActedOn {
    /// About how many something was done.
    pub(crate) failures: usize,
    /// Steps that are parked or were given up, the first of them.
    pub(crate) left: Vec<LeftStep>,
}

/// Forgives the soft bounces of addresses that mail has reached since: of a part of them at each
/// tick. A failure that is acted on does not wait for its turn.
pub(crate) fn forgive(store: &Store, index: &Index) -> Result<usize> {
    let after = store.marked(FORGIVEN)?.unwrap_or_default();
    let struck = store.struck_after(&after, AT_ONE_TICK)?;
    let next = struck.get(AT_ONE_TICK - 1).map_or("", String::as_str);
    let addresses: Vec<&str> = struck.iter().map(String::as_str).collect();
    let last = index.last_successes(&addresses)?;
    let alive = addresses.iter().zip(last).filter_map(|(address, at_ms)| Some((*address, at_ms?)));
    let forgiven = store.forgive(alive)?;
    if next != after {
        store.mark(FORGIVEN, next)?;
    }
    Ok(forgiven)
}

/// Handles the failures that are pending in the index, until the deadline; the next tick does the
/// rest.
pub(crate) fn act_on_log(
    config: &Arc<Config>,
    store: &Store,
    index: &Index,
    deadline: Deadline,
) -> Result<ActedOn> {
    let watermark = Watermark::of(index, store)?;
    if index.pending_failures(i64::MIN, clock::now_ms(), 1, &mut |_, _| Ok(()))?.is_empty() {
        return Ok(ActedOn::default());
    }
    let house = House::open(config.clone(), &config.index.policy, THREADS)?;
    house.start_clock()?;
    house.store.expect_many()?;
    settings_are_valid(&house)?;
    let policy = house.policy();
    let (failures, undone, left) = std::thread::scope(|scope| {
        let (outside, noted) = (Outside::new(scope, (&house, &policy), deadline)?, NotedLines::default());
        let mut acting =
            Acting { house: &house, policy: &policy, index, watermark, deadline, outside, noted, acted: 0 };
        let done = acting.act_on_all();
        let (undone, left) = acting.outside.end()?;
        acting.noted.end(&house.store)?;
        done.map(|()| (acting.acted, undone, left))
    })?;
    let left = RefCell::new(left);
    if !undone.is_empty() {
        house.store.give_back(undone)?;
        journal::run_due(&house.doors, deadline, &|done| {
            house.log.append_steps(done);
            left.borrow_mut().extend(done.iter().flat_map(LeftStep::of));
        })?;
    }
    Ok(ActedOn { failures, left: left.into_inner() })
}

/// With wrong settings a policy fails for every failure: they wait until the settings are
/// corrected.
fn settings_are_valid(house: &House) -> Result<()> {
    let policy = house.policy();
    let nothing = Rc::new(RecipientFacts::of_nothing(&house.config)?);
    match policy.validate_settings(&nothing).map_err(Error::new)?.first() {
        None => Ok(()),
        Some(fault) => Err(Error::new(format_args!("policy {}, settings: {fault}", policy.name))
            .remedy(format_args!("correct [policy.{}.settings]; `carom check` names the line", policy.name))),
    }
}
