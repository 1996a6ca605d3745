//! `carom relay`: every message of a spool, in parallel.
//!
//! Not here: how files are claimed (`intake/spool`), what becomes of a file (`handled_file`) and of
//! a message (`deliver`). Invariant: a message that cannot be handled never holds up the others,
//! and no thread waits for one that could be working.

mod file_backoff;
mod handled_file;
mod slots;

use crate::clock::HOUR;
use crate::deadline::Deadline;
use crate::error::{Context, Result};
use crate::house::House;
use crate::intake::spool::{Claim, Spool, expire_kept};
use crate::journal;
use handled_file::Files;
use rayon::{Scope, ThreadPoolBuilder};
use serde::Serialize;
use slots::Slots;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Time for records of the message log that are new to the store.
const FOLDING: Duration = Duration::from_secs(60);

/// What a run did.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// Messages handled, each recipient counted.
    pub(crate) messages: u64,
    /// Wall time.
    pub(crate) seconds: f64,
    pub(crate) per_second: f64,
    /// Files moved to `failed`.
    pub(crate) failed: u64,
    /// Files that are still in the spool: deferred, or being written.
    pub(crate) left: u64,
    /// What was counted meanwhile.
    pub(crate) counters: BTreeMap<String, u64>,
}

/// Called with the messages handled so far, and the number of messages and files known by now; 0:
/// unchanged.
pub(crate) type OnProgress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// A run, as its threads share it.
struct Run<'a> {
    files: Files<'a>,
    slots: Slots,
    follow: bool,
    stop: &'a AtomicBool,
    progress: OnProgress<'a>,
}

/// Handles what is there, and with `follow` what comes until `stop` is set.
pub(crate) fn run(
    house: &House,
    spool: &Spool,
    follow: bool,
    stop: &AtomicBool,
    progress: OnProgress<'_>,
) -> Result<Summary> {
    let began = Instant::now();
    let before = counters(house)?;
    let threads = house.config.relay.threads;
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("relay-{index}"))
        .build()
        .context("cannot start the threads of the relay")?;
    let run = Run { files: Files::new(house, spool), slots: Slots::new(threads), follow, stop, progress };
    let ended = pool.in_place_scope(|scope| run.rounds(scope));
    run.files.forget_all()?;
    let unfinished = ended?;
    expire_kept(spool.done(), house.config.relay.keep_days);
    let seconds = began.elapsed().as_secs_f64();
    let messages = run.files.messages.load(Relaxed);
    Ok(Summary {
        messages,
        seconds,
        per_second: messages as f64 / seconds.max(1e-9),
        failed: run.files.failed.load(Relaxed),
        left: (run.files.backoff.len() + unfinished) as u64,
        counters: added(&before, counters(house)?),
    })
}

/// The counters, with what the message log has on record.
fn counters(house: &House) -> Result<BTreeMap<String, u64>> {
    house.log.fold(&house.store, Deadline::after(FOLDING))?;
    Ok(house.store.counters()?.1)
}

/// What was added to counters since `before`.
fn added(before: &BTreeMap<String, u64>, mut now: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    now.retain(|name, value| {
        *value -= before.get(name).copied().unwrap_or(0).min(*value);
        *value > 0
    });
    now
}

impl Run<'_> {
    /// One round, or with `follow` round after round until it is stopped. Returns how many files
    /// are still being written.
    fn rounds<'scope>(&'scope self, scope: &Scope<'scope>) -> Result<usize> {
        let interval = Duration::from_millis(self.files.house.config.relay.interval.max(10));
        let (mut last_tick, mut last_expiry) = (Instant::now(), Instant::now());
        self.adopt(scope)?;
        loop {
            let unfinished = self.claim_all(scope)?;
            if self.stop.load(Relaxed) {
                return Ok(unfinished);
            }
            if !self.follow {
                return self.wait_for(unfinished);
            }
            self.files.house.refresh();
            if last_expiry.elapsed() >= HOUR {
                last_expiry = Instant::now();
                expire_kept(self.files.spool.done(), self.files.house.config.relay.keep_days);
            }
            if last_tick.elapsed() >= Duration::from_secs(1) {
                last_tick = Instant::now();
                scope.spawn(|_| self.tick());
                self.adopt(scope)?;
            }
            std::thread::sleep(interval);
        }
    }

    /// Takes over what runs that died have left.
    fn adopt<'scope>(&'scope self, scope: &Scope<'scope>) -> Result<()> {
        self.files.spool.adopt()?.into_iter().for_each(|claim| self.start(scope, claim));
        Ok(())
    }

    /// Claims and starts every file that may be tried now. Returns how many are still being
    /// written.
    fn claim_all<'scope>(&'scope self, scope: &Scope<'scope>) -> Result<usize> {
        let (waiting, unfinished) = self.files.spool.waiting()?;
        let ready: Vec<PathBuf> =
            waiting.into_iter().filter(|path| self.files.backoff.may_try(path)).collect();
        let total = self.files.messages.load(Relaxed) + ready.len() as u64;
        for path in ready {
            if self.stop.load(Relaxed) {
                break;
            }
            if let Some(claim) = self.files.spool.claim(&path)? {
                self.start(scope, claim);
            }
            (self.progress)(self.files.messages.load(Relaxed), total);
        }
        Ok(unfinished)
    }

    /// Hands a claim to the pool once a thread is free for it: a thread that waits for something
    /// must not begin another message on its own stack.
    fn start<'scope>(&'scope self, scope: &Scope<'scope>, claim: Claim) {
        self.slots.take();
        scope.spawn(move |_| {
            self.files.handle(&claim);
            (self.progress)(self.files.messages.load(Relaxed), 0);
            self.slots.give_back();
        });
    }

    /// Files that are being written may be whole when the others are done. They get no more time
    /// than that.
    fn wait_for(&self, unfinished: usize) -> Result<usize> {
        if unfinished == 0 {
            return Ok(0);
        }
        self.slots.wait_for_all();
        Ok(self.files.spool.waiting()?.1)
    }

    /// Does steps that have become due, of any message.
    fn tick(&self) {
        if let Err(error) = self.files.forget_all() {
            tracing::warn!(%error, "finished messages stay in the journal for ten days");
        }
        let house = self.files.house;
        if let Err(error) = journal::run_due(&house.doors, house.deadline()) {
            tracing::warn!(%error, "due steps wait for the next tick");
        }
    }
}
