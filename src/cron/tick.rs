//! One tick as it goes: what it opened, what it did, and which parts failed.
//!
//! Not here: the parts. Invariant: a part that failed is in the summary and in the heartbeat.

use crate::action::Doors;
use crate::alert::Change;
use crate::auth::Dns;
use crate::clock;
use crate::config::Config;
use crate::deadline::stopping;
use crate::error::{Error, Result};
use crate::events::ShippedEvents;
use crate::index::Index;
use crate::ingest::Ingested;
use crate::journal::LeftStep;
use crate::plan::StepEnd;
use crate::store::{Ended, Store};
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;

/// Pending steps that are done side by side.
const STEPS: usize = 16;

/// What a tick did.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ticked {
    #[serde(flatten)]
    pub(crate) logs: Ingested,
    pub(crate) steps: StepsEnded,
    /// Steps that are parked or were given up, the first of them.
    pub(crate) left: Vec<LeftStep>,
    /// Failed deliveries that were handled as if they had been reported.
    pub(crate) failures: usize,
    /// Suppressed addresses that were released because they take mail.
    pub(crate) released: usize,
    /// What cycles did.
    pub(crate) cycles: Vec<String>,
    /// What sinks of events got.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<ShippedEvents>,
    /// Changes of alerts that are announced.
    pub(crate) alerts: Vec<Change>,
    /// Facts that went to other hosts and came from them, if there are others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shared: Option<Exchanged>,
    /// The parts that failed, and why.
    pub(crate) problems: Vec<String>,
}

/// Steps of the outbox by how they ended.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct StepsEnded {
    pub(crate) succeeded: usize,
    /// Given up or noted.
    pub(crate) failed: usize,
    pub(crate) given_up: usize,
    /// Ended without an effect, as meant.
    pub(crate) noted: usize,
    pub(crate) later: usize,
    /// They wait for an operator.
    pub(crate) parked: usize,
}

/// What an exchange with other hosts did.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Exchanged {
    pub(crate) shipped: usize,
    /// Taken over from others.
    pub(crate) taken: usize,
}

pub(super) struct Tick<'a> {
    pub(super) config: &'a Arc<Config>,
    pub(super) store: Option<Arc<Store>>,
    pub(super) doors: Option<Doors>,
    pub(super) index: Option<Index>,
    /// Whether the logs were read to their end: if not, counts are lower than what happened.
    pub(super) logs_complete: bool,
    pub(super) done: Ticked,
    began: Instant,
    ran: Vec<&'static str>,
    failed: Vec<&'static str>,
}

impl<'a> Tick<'a> {
    pub(super) fn begin(config: &'a Arc<Config>) -> Tick<'a> {
        let mut tick = Tick {
            config,
            store: None,
            doors: None,
            index: None,
            logs_complete: false,
            done: Ticked::default(),
            began: Instant::now(),
            ran: Vec::new(),
            failed: Vec::new(),
        };
        tick.store = tick.part("store", || {
            let store = Store::open(&config.store_path())?;
            store.expect_many()?;
            Ok(Arc::new(store))
        });
        let dns = tick.part("dns", || Dns::open(&config.dns).map(Arc::new));
        let opened = tick.store.clone().zip(dns);
        tick.doors = opened.map(|(store, dns)| Doors::new(config.clone(), dns, store, STEPS));
        tick
    }

    /// Runs a part. If it fails, the problem is recorded, and there is no result, as if the process
    /// was asked to end.
    pub(super) fn part<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Option<T> {
        if stopping::asked() {
            return None;
        }
        self.ran.push(name);
        work().map_err(|error| self.problem(name, &error)).ok()
    }

    /// The same for work that goes on after a problem.
    pub(super) fn part_of_many(&mut self, name: &'static str, work: impl FnOnce() -> Vec<Error>) {
        if stopping::asked() {
            return;
        }
        self.ran.push(name);
        work().iter().for_each(|error| self.problem(name, error));
    }

    pub(super) fn problem(&mut self, part: &'static str, error: &Error) {
        tracing::error!(%error, part, "a part of the tick failed");
        self.done.problems.push(format!("{part}: {error}"));
        if !self.failed.contains(&part) {
            self.failed.push(part);
        }
    }

    pub(super) fn count(&mut self, ended: &[Ended]) {
        let steps = &mut self.done.steps;
        for one in ended {
            match one.done.end {
                StepEnd::Succeeded => steps.succeeded += 1,
                StepEnd::Noted => steps.noted += 1,
                StepEnd::GivenUp => steps.given_up += 1,
                StepEnd::Parked => steps.parked += 1,
                StepEnd::Later { .. } | StepEnd::Held { .. } => steps.later += 1,
            }
        }
        steps.failed = steps.noted + steps.given_up;
    }

    /// Names steps for the operator, the first of them.
    pub(super) fn leave(&mut self, steps: impl IntoIterator<Item = LeftStep>) {
        let room = LeftStep::MOST.saturating_sub(self.done.left.len());
        self.done.left.extend(steps.into_iter().take(room));
    }

    /// The parts that failed; a part that has not run yet is judged by the last tick.
    pub(super) fn failing(&self, last: Vec<String>) -> Vec<String> {
        let not_yet = last.into_iter().filter(|part| !self.ran.contains(&part.as_str()));
        self.failed().into_iter().chain(not_yet).collect()
    }

    fn failed(&self) -> Vec<String> {
        self.failed.iter().map(|part| (*part).to_owned()).collect()
    }

    /// The heartbeat of this tick so far: when, how long, and what failed.
    pub(super) fn heartbeat(&self) -> (i64, u64, Vec<String>) {
        let took = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        (clock::now_ms(), took, self.failed())
    }
}
