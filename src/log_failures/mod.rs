//! Failed deliveries of our own mail log, handled as if our mail server had reported them: the
//! bounce policy decides, its plan is promised under the delivery's id, and its steps are done.
//!
//! Not here: reading logs (`maillog`, `ingest`), and what a failure means (policies). Invariant: a
//! delivery is handled once, however often its lines are read and whatever kills the process; the
//! log line and the report of one bounce count once.

mod failed_delivery;
#[cfg(test)]
mod tests;

use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::decide::Undecided;
use crate::deliver::{self, Outcome, PromiseKind, Road};
use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::halt::Halt;
use crate::house::House;
use crate::index::{ACTED_ON_FOR_MS, Index, PendingWork};
use crate::mail::{Content, Key, Mail};
use crate::plan::Verdict;
use crate::policy::Policy;
use crate::policy::recipient_facts::RecipientFacts;
use crate::store::Store;
use failed_delivery::FailedDelivery;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// Failures that are read from the index, and finished there, together.
const TOGETHER: usize = 256;
const THREADS: usize = 16;

/// Does about a failed delivery what `policy` decides. Returns whether it did something: not if
/// that was done before, nor if the failure is too old.
pub(crate) fn act(
    house: &House,
    policy: &Policy,
    failed: &FailedDelivery,
    deadline: Deadline,
) -> Result<bool> {
    let now_ms = clock::now_ms();
    if failed.at_ms < now_ms - ACTED_ON_FOR_MS {
        return Ok(false);
    }
    let mail = Mail {
        content: Content::read(Arc::default()),
        envelope: Envelope { recipient: failed.sender.clone(), ..Envelope::default() },
        key: Key::of_delivery(failed.id),
        seed: failed.id,
        at_ms: failed.at_ms.min(now_ms),
        keep: None,
        file: None,
    };
    let message = house.message_facts(&mail, deadline).of_log_line(failed.report());
    let facts = Rc::new(RecipientFacts::new(Rc::new(message), mail.envelope.clone()));
    let road = Road { are_messages: false, promised: &|_, _| () };
    let asked = deliver::ask(house, policy, mail, facts, now_ms, &road);
    let has_steps = match &asked.outcome {
        Outcome::Decided(decided) => !decided.plan.steps.is_empty(),
        Outcome::Halted(Halt::Undecided(Undecided::Policy(failure))) => {
            // It would fail again at every tick, and hold up all others.
            tracing::error!(%failure, recipient = failed.recipient, "nothing is done about a failed delivery");
            return Ok(false);
        }
        Outcome::Halted(halt) => return Err(Error::new(halt.reply().text)),
        Outcome::Before(_) => false,
    };
    let mut acted = Ok(false);
    deliver::carry(house, policy, vec![asked], &road, deadline, &mut |carried| {
        acted = match (carried.promise, carried.verdict) {
            (PromiseKind::None, Verdict::Defer(reply)) => Err(Error::new(reply.text)),
            (promise, _) => Ok(has_steps && promise == PromiseKind::New),
        };
    });
    acted
}

/// Whether mail has reached the address since. Then the address is alive: a first reading, or one
/// after an outage, finds together what happened one after the other.
fn is_over(index: &Index, failed: &FailedDelivery) -> Result<bool> {
    for address in [Some(&failed.recipient), failed.final_recipient.as_ref()].into_iter().flatten() {
        if index.last_success(address)?.is_some_and(|at_ms| at_ms > failed.at_ms) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Forgives the soft bounces of addresses that mail has reached since.
pub(crate) fn forgive(store: &Store, index: &Index) -> Result<usize> {
    let mut alive = Vec::new();
    for address in store.struck()? {
        alive.extend(index.last_success(&address)?.map(|at_ms| (address, at_ms)));
    }
    store.forgive(alive.iter().map(|(address, at_ms)| (address.as_str(), *at_ms)))
}

/// Handles the failures that are pending in the index, until the deadline; the next tick does the
/// rest. Returns about how many something was done.
pub(crate) fn act_on_log(config: &Arc<Config>, index: &Index, deadline: Deadline) -> Result<usize> {
    let mut opened = None;
    let mut acted = 0;
    while !deadline.passed()
        && let Some(due) = index.pending_work(PendingWork::Failure, TOGETHER)?
    {
        let house = match &opened {
            Some(house) => house,
            None => {
                let house = House::open(config.clone(), &config.index.policy, THREADS)?;
                house.start_clock()?;
                settings_are_valid(&house)?;
                opened.insert(house)
            }
        };
        let mut failures = Vec::new();
        for failed in due.deliveries.into_iter().filter_map(|(row, found)| FailedDelivery::of(row, found)) {
            if !is_over(index, &failed)? {
                failures.push(failed);
            }
        }
        acted += act_on_all(house, failures, deadline)?;
        index.finish_work(PendingWork::Failure, &due.rows)?;
    }
    Ok(acted)
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

/// In many threads, so that what they write reaches the disk together.
fn act_on_all(house: &House, failures: Vec<FailedDelivery>, deadline: Deadline) -> Result<usize> {
    let failures = Mutex::new(failures.into_iter());
    let policy = house.policy();
    let work = || -> Result<usize> {
        let next = || failures.lock().unwrap_or_else(PoisonError::into_inner).next();
        let mut acted = 0;
        while let Some(failed) = next() {
            acted += usize::from(act(house, &policy, &failed, deadline)?);
        }
        Ok(acted)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        ended.map(|ended| ended.unwrap_or_else(|_| Err(Error::new("a thread has panicked")))).sum()
    })
}
