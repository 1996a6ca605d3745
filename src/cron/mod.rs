//! THE TICK, on one page: take new records, write lines that a kill has prevented, run what is due,
//! expire what is old, read the logs, exchange with other hosts, tell operators.
//!
//! Overlapping ticks are safe: a step is leased to one process, expiry is idempotent, and one
//! process at a time reads logs, runs cycles and sends alerts. Invariant: a part that fails is
//! named and does not keep the others from running. While one tick reads a long log, later ticks
//! run the other parts.

mod parts;
mod tick;

pub(crate) use tick::Ticked;

use crate::config::Config;
use crate::ingest::Watch;
use crate::memory;
use std::sync::Arc;
use tick::Tick;

pub(crate) fn tick(config: &Arc<Config>, watch: &Watch<'_>) -> Ticked {
    memory::give_large_blocks_back();
    let mut tick = Tick::begin(config);
    tick.judge_installed_rules();
    tick.watch_the_list();
    tick.fold_records();
    tick.write_lost_lines();
    tick.run_due_steps();
    tick.expire();
    tick.turn_cycles();
    tick.read_logs(watch);
    tick.act_on_failures();
    tick.exchange();
    tick.list_soft_suppressions();
    tick.write_access_maps();
    tick.write_exports();
    tick.send_events();
    tick.tell_operators();
    tick.write_prometheus();
    tick.beat();
    tick.done
}
