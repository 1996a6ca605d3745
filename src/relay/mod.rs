//! `carom relay`: every message of a spool, in batches, in parallel.
//!
//! Not here: how files are claimed (`intake/spool`), what becomes of a file (`handled_file`) and of
//! a message (`deliver`). Invariant: a message that cannot be handled never holds up the others.

mod file_backoff;
mod handled_file;
mod work_queue;
mod worker;

use crate::clock::HOUR;
use crate::deadline::Deadline;
use crate::error::{Context, Result};
use crate::house::House;
use crate::intake::spool::{Spool, expire_kept};
use crate::{journal, memory};
use handled_file::Files;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};
use work_queue::WorkQueue;

const SECOND: Duration = Duration::from_secs(1);

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
    /// What failed, if files are left because of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<String>,
    /// What was counted for these messages.
    pub(crate) counters: BTreeMap<String, u64>,
}

/// Called with the messages handled so far, and the number of messages and files known by now; 0:
/// unchanged.
pub(crate) type OnProgress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// A run, as its threads share it.
struct Run<'a> {
    files: Files<'a>,
    queue: WorkQueue,
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
    memory::give_large_blocks_back();
    fold(house)?;
    let run = Run { files: Files::new(house, spool), queue: WorkQueue::default(), follow, stop, progress };
    let ended = std::thread::scope(|scope| {
        let ended = run.start(scope).and_then(|()| run.rounds());
        run.queue.close();
        ended
    });
    run.files.forget_all()?;
    let unfinished = ended?;
    expire_kept(spool.done(), house.config.relay.keep_days);
    fold(house)?;
    let (files, held) = (&run.files, run.files.held());
    let seconds = began.elapsed().as_secs_f64();
    let messages = run.files.messages.load(Relaxed);
    Ok(Summary {
        messages,
        seconds,
        per_second: messages as f64 / seconds.max(1e-9),
        failed: files.failed.load(Relaxed),
        left: (files.backoff.len() + unfinished + held) as u64,
        // A following run has tried again what it deferred.
        fault: files.fault().filter(|_| !follow || held > 0),
        counters: files.counted().iter().map(|(name, many)| (name.to_owned(), many)).collect(),
    })
}

/// Takes into the store what the message log has on record. A store that cannot be opened ends the
/// run.
fn fold(house: &House) -> Result<()> {
    if let Err(error) = house.log.fold(&house.store, Deadline::after(FOLDING)) {
        tracing::warn!(%error, "the counters lack records of the message log");
    }
    house.store.counters().map(drop)
}

impl Run<'_> {
    /// Starts the workers, and with `follow` a thread for steps that become due.
    fn start<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) -> Result<()> {
        let begin = |name: String, work: Box<dyn FnOnce() + Send + 'scope>| {
            let thread = Builder::new().name(name).spawn_scoped(scope, work);
            thread.map(drop).context("cannot start the threads of the relay")
        };
        for index in 0..self.files.house.config.relay.threads {
            let work = || self.files.work(&self.queue, &|messages| (self.progress)(messages, 0));
            begin(format!("relay-{index}"), Box::new(work))?;
        }
        if self.follow {
            begin("relay-steps".to_owned(), Box::new(|| self.do_due_steps()))?;
        }
        Ok(())
    }

    /// One round, or with `follow` round after round until it is stopped. Returns how many files
    /// are still being written.
    fn rounds(&self) -> Result<usize> {
        let interval = Duration::from_millis(self.files.house.config.relay.interval.max(10));
        let (mut last_adoption, mut last_expiry) = (Instant::now(), Instant::now());
        self.queue.adopt(self.files.spool.adopt()?);
        loop {
            let unfinished = self.offer_all()?;
            if self.stop.load(Relaxed) {
                return Ok(unfinished);
            }
            if !self.follow {
                return self.wait_for(unfinished);
            }
            self.files.house.refresh();
            if last_expiry.elapsed() >= HOUR {
                last_expiry = Instant::now();
                self.files.spool.remove_scraps();
                expire_kept(self.files.spool.done(), self.files.house.config.relay.keep_days);
            }
            if last_adoption.elapsed() >= SECOND {
                last_adoption = Instant::now();
                self.queue.adopt(self.files.spool.adopt()?);
                self.queue.adopt(self.files.take_held());
            }
            std::thread::sleep(interval);
        }
    }

    /// Lets the workers claim every file that may be tried now; returns when they have, with the
    /// number of files that are still being written.
    fn offer_all(&self) -> Result<usize> {
        let (waiting, unfinished) = self.files.spool.waiting()?;
        let ready: Vec<PathBuf> =
            waiting.into_iter().filter(|path| self.files.backoff.may_try(path)).collect();
        let handled = self.files.messages.load(Relaxed);
        (self.progress)(handled, handled + ready.len() as u64);
        self.queue.offer(ready, self.files.house.config.relay.threads);
        while !self.queue.wait_until_taken(SECOND / 10) {
            if self.stop.load(Relaxed) {
                self.queue.close();
            }
            if let Some(error) = self.files.end() {
                return Err(error);
            }
        }
        self.files.end().map_or(Ok(unfinished), Err)
    }

    /// Files that are being written may be whole when the others are done. They get no more time
    /// than that.
    fn wait_for(&self, unfinished: usize) -> Result<usize> {
        if unfinished == 0 {
            return Ok(0);
        }
        self.queue.wait_until_done();
        Ok(self.files.spool.waiting()?.1)
    }

    /// Does steps that become due, of any message, until the run ends.
    fn do_due_steps(&self) {
        while !self.queue.closes_within(SECOND) {
            if let Err(error) = self.files.forget_all() {
                tracing::warn!(%error, "finished messages stay in the journal for ten days");
            }
            let house = self.files.house;
            let logged = |done: &[journal::StepsDone<'_>]| house.log.append_steps(done);
            match journal::run_due(&house.doors, house.deadline(), &logged) {
                Ok(all) => all.ended.iter().for_each(|end| self.files.count(&end.done.tally)),
                Err(error) => tracing::warn!(%error, "due steps wait for the next tick"),
            }
        }
    }
}
