//! THE TICK, on one page: what is due is done, what is old expires, logs are read, operators are told. Safe to run twice at once: every
//! step is leased to one process, expiry is idempotent, one process at a time reads logs, and one writes and tells.
//!
//! Invariant: a part that fails is named, and keeps no other from running; a tick that has very much to read leaves all else to those that
//! start meanwhile.

use crate::action::Doors;
use crate::alert::{Change, Desk};
use crate::auth::Dns;
use crate::clock::HOUR_MS;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::index::Index;
use crate::ingest::{self, Ingested, Watch};
use crate::intake::spool;
use crate::journal;
use crate::plan::StepEnd;
use crate::stats::export;
use crate::store::{Ended, Store};
use crate::{archive, clock, cycle, log_failures, message_log, policy};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time for what is owed, so that the other parts have some too.
const OUTBOX: Duration = Duration::from_secs(20);
/// Time for commands of cycles.
const CYCLE: Duration = Duration::from_secs(15);
/// Time for failed deliveries.
const FAILURES: Duration = Duration::from_secs(20);
/// The part that comes after alerts.
const PROMETHEUS: &str = "prometheus";
/// Time for telling operators.
const ALERTS: Duration = Duration::from_secs(10);

/// What a tick did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ticked {
    /// What was read of the mail logs.
    #[serde(flatten)]
    pub(crate) logs: Ingested,
    /// Steps by how they ended.
    pub(crate) steps: Steps,
    /// Failed deliveries that were acted upon.
    pub(crate) failures: usize,
    /// What cycles did.
    pub(crate) cycles: Vec<String>,
    /// What operators are told.
    pub(crate) alerts: Vec<Change>,
    /// The parts that failed, and why.
    pub(crate) problems: Vec<String>,
    /// The names of the parts that failed.
    #[serde(skip)]
    pub(crate) failed: Vec<String>,
}

/// Steps of the outbox.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Steps {
    /// Done.
    pub(crate) succeeded: usize,
    /// Given up.
    pub(crate) failed: usize,
    /// Owed still.
    pub(crate) later: usize,
}

/// One tick.
pub(crate) fn tick(config: &Arc<Config>, watch: &Watch<'_>) -> Ticked {
    let began = Instant::now();
    let mut tick = Ticked::default();
    let store = tick.part("store", || Store::open(&config.store_path()).map(Arc::new));
    let dns = tick.part("dns", || Dns::open(&config.dns).map(Arc::new));
    let doors = store.as_ref().zip(dns).map(|(store, dns)| Doors::new(config.clone(), dns, store.clone()));
    if let (Some(store), Some(doors)) = (&store, &doors) {
        let ended = tick.part("outbox", || journal::run_due(doors, Deadline::after(OUTBOX)));
        tick.count(&ended.unwrap_or_default());
        tick.part("expiry", || store.purge(clock::now_ms()));
        tick.part("kept mail", || {
            hourly(store, || {
                spool::expire_kept(&config.done_dir(), config.relay.keep_days);
                archive::expire(config, clock::now_ms());
            })
        });
    }
    message_log::expire(config);
    policy::expire_compiled(config);
    if let Some(store) = &store {
        tick.cycles(config, store);
    }
    let read = tick.part("logs", || ingest::run(config, watch));
    let whole = read.as_ref().is_some_and(|read| !read.busy && !read.stopped);
    tick.logs = read.unwrap_or_default();
    let index = tick.part("index", || Index::look(&config.index_path())).flatten();
    if let Some((store, index)) = store.as_ref().zip(index.as_ref()).filter(|_| !tick.logs.busy) {
        tick.failures(config, store, index);
    }
    if let (Some(store), Some(doors)) = (&store, &doors) {
        let wrong = export::write(config, store, index.as_ref(), tick.logs.bytes > 0);
        wrong.iter().for_each(|error| tick.problem("export", error));
        tick.alerts(doors, whole);
        tick.beat(store, began);
        // It has the heartbeat in it. That it cannot be written is told by the next tick.
        if tick.part(PROMETHEUS, || export::write_prometheus(config, store, index.as_ref())).is_none() {
            tick.beat(store, began);
        }
    }
    tick
}

/// Does what takes time with very many files, once an hour.
fn hourly(store: &Store, work: impl FnOnce()) -> Result<()> {
    let hour = (clock::now_ms() / HOUR_MS).to_string();
    if store.marked("kept mail")?.as_deref() == Some(hour.as_str()) {
        return Ok(());
    }
    work();
    store.mark("kept mail", &hour)
}

impl Ticked {
    /// A part of the tick; none if it failed, which is told.
    fn part<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        work().map_err(|error| self.problem(name, &error)).ok()
    }

    fn problem(&mut self, part: &str, error: &Error) {
        tracing::error!(%error, part, "a part of the tick failed");
        self.problems.push(format!("{part}: {error}"));
        self.failed.push(part.to_owned());
    }

    fn count(&mut self, ended: &[Ended]) {
        for one in ended {
            match one.done.end {
                StepEnd::Succeeded => self.steps.succeeded += 1,
                StepEnd::Failed | StepEnd::Parked => self.steps.failed += 1,
                StepEnd::Later { .. } => self.steps.later += 1,
            }
        }
    }

    /// Writes today's values, unless another tick is at it.
    fn cycles(&mut self, config: &Config, store: &Store) {
        let Some(cycles) = self.part("cycle", || config.cycles.get()).filter(|cycles| !cycles.is_empty())
        else {
            return;
        };
        let Some(Some(_alone)) = self.part("cycle", || store.lock_tick()) else { return };
        let turned = cycle::turn(cycles, config, store, clock::now_ms(), Deadline::after(CYCLE));
        turned.done.iter().for_each(|done| tracing::info!("{done}"));
        turned.problems.iter().for_each(|error| self.problem("cycle", error));
        self.cycles = turned.done;
    }

    /// Does about deliveries that failed what would be done about reports of them.
    fn failures(&mut self, config: &Arc<Config>, store: &Store, index: &Index) {
        let read = self.logs.bytes > 0;
        let acted = self.part("failures", || {
            if read {
                log_failures::forgive(store, index)?;
            }
            log_failures::act_on_log(config, index, Deadline::after(FAILURES))
        });
        self.failures = acted.unwrap_or_default();
    }

    fn beat(&mut self, store: &Store, began: Instant) {
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let failed = self.failed.clone();
        self.part("heartbeat", || store.beat(clock::now_ms(), took, failed));
    }

    /// Looks what has changed, and tells it, unless another tick is at it.
    fn alerts(&mut self, doors: &Doors, whole: bool) {
        let (config, store) = (&*doors.config, &*doors.store);
        let mut failed = self.failed.clone();
        let looked = self.part("alerts", || {
            let Some(_alone) = store.lock_tick()? else { return Ok(None) };
            let before = store.heartbeat()?.unwrap_or_default().failed;
            failed.extend(before.into_iter().filter(|part| part == PROMETHEUS));
            Desk { config, store, now_ms: clock::now_ms(), failed: &failed, logs_complete: whole }
                .look()
                .map(Some)
        });
        let Some(looked) = looked.flatten() else { return };
        for change in &looked.changes {
            let (alert, subject) = (&change.alert, &change.subject);
            tracing::warn!(alert, subject, state = change.state, "an alert has changed");
        }
        looked.problems.iter().for_each(|error| self.problem("alerts", error));
        self.alerts = looked.changes;
        let deadline = Deadline::after(ALERTS);
        for key in &looked.keys {
            let ended = self.part("alerts", || journal::run_one(doors, key, deadline));
            self.count(&ended.unwrap_or_default());
        }
    }
}
