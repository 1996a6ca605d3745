//! `carom relay`: every message of a relay directory, many at once.
//!
//! Not here: how files are claimed (`intake::relay`) and what becomes of a message (`deliver`). Invariant: a message
//! that cannot be handled never holds up the others, and no thread waits for one that could be working.

use crate::clock::{self, HOUR};
use crate::deliver::deliver;
use crate::error::{Context, Error, Result};
use crate::house::House;
use crate::intake::formats::{self, FiledMessage};
use crate::intake::spool::{Claim, Relay, expire_kept};
use crate::journal;
use crate::mail::{Content, KeptCopy, Key, Mail};
use crate::plan::Verdict;
use rayon::ThreadPoolBuilder;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a deferred file is left alone at first; every further deferral doubles it, up to an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Finished messages that the journal forgets in one go.
const FORGOTTEN_AT_ONCE: usize = 256;

/// What a run did.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// Messages handled, each recipient counted.
    pub(crate) messages: u64,
    /// Wall time.
    pub(crate) seconds: f64,
    /// Messages a second.
    pub(crate) per_second: f64,
    /// Files moved to `failed`.
    pub(crate) failed: u64,
    /// Files left where they are: deferred, or still being written.
    pub(crate) left: u64,
    /// What was counted meanwhile.
    pub(crate) counters: BTreeMap<String, u64>,
}

/// Told how a run goes on: messages handled so far, and files known to wait.
pub(crate) type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// What the threads of a run share.
struct Run<'a> {
    house: &'a House,
    relay: &'a Relay,
    progress: Progress<'a>,
    messages: AtomicU64,
    failed: AtomicU64,
    /// Files that were deferred: when they may be tried again, and the pause after that.
    paused: Mutex<HashMap<PathBuf, (Instant, Duration)>>,
    /// Keys of messages whose file is gone, which the journal need not know any more.
    gone: Mutex<Vec<String>>,
    /// Files under way, so that no more are claimed than there are threads.
    under_way: Mutex<usize>,
    one_ended: Condvar,
}

/// Handles what is there, and with `follow` what comes until `stop` is set.
pub(crate) fn run(
    house: &House,
    relay: &Relay,
    follow: bool,
    stop: &AtomicBool,
    progress: Progress<'_>,
) -> Result<Summary> {
    let began = Instant::now();
    let before = house.store.counters()?.1;
    let threads = house.config.relay.threads;
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("relay-{index}"))
        .build()
        .context("cannot start the threads of the relay")?;
    let run = Run {
        house,
        relay,
        progress,
        messages: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        paused: Mutex::new(HashMap::new()),
        gone: Mutex::new(Vec::new()),
        under_way: Mutex::new(0),
        one_ended: Condvar::new(),
    };
    let interval = Duration::from_millis(house.config.relay.interval.max(10));
    let mut unfinished = 0;
    let ended = pool.in_place_scope(|scope| -> Result<()> {
        let (mut last_tick, mut last_expiry) = (Instant::now(), Instant::now());
        for claim in relay.adopt()? {
            run.start(scope, claim);
        }
        loop {
            let (waiting, young) = relay.waiting()?;
            unfinished = young;
            let ready: Vec<PathBuf> = waiting.into_iter().filter(|path| run.may_try(path)).collect();
            let total = run.messages.load(Relaxed) + ready.len() as u64;
            for path in ready {
                if stop.load(Relaxed) {
                    break;
                }
                if let Some(claim) = relay.claim(&path)? {
                    run.start(scope, claim);
                }
                progress(run.messages.load(Relaxed), total);
            }
            if !follow && !stop.load(Relaxed) && unfinished > 0 {
                // What is being written may be whole by the time the rest is done; it is not waited for longer.
                run.wait_for_all();
                unfinished = relay.waiting()?.1;
            }
            if !follow || stop.load(Relaxed) {
                return Ok(());
            }
            house.refresh();
            if last_expiry.elapsed() >= HOUR {
                last_expiry = Instant::now();
                expire_kept(relay.done(), house.config.relay.keep_days);
            }
            if last_tick.elapsed() >= Duration::from_secs(1) {
                last_tick = Instant::now();
                scope.spawn(|_| run.tick());
                for claim in relay.adopt()? {
                    run.start(scope, claim);
                }
            }
            std::thread::sleep(interval);
        }
    });
    house.store.forget(&std::mem::take(&mut *run.gone.lock().unwrap_or_else(PoisonError::into_inner)))?;
    ended?;
    expire_kept(relay.done(), house.config.relay.keep_days);
    let seconds = began.elapsed().as_secs_f64();
    let messages = run.messages.load(Relaxed);
    let paused = run.paused.lock().unwrap_or_else(PoisonError::into_inner).len();
    let mut counters = house.store.counters()?.1;
    counters.retain(|name, value| {
        *value -= before.get(name).copied().unwrap_or(0).min(*value);
        *value > 0
    });
    Ok(Summary {
        messages,
        seconds,
        per_second: messages as f64 / seconds.max(1e-9),
        failed: run.failed.load(Relaxed),
        left: (paused + unfinished) as u64,
        counters,
    })
}

impl<'a> Run<'a> {
    /// Hands a claim to the pool, once a thread is free for it: a waiting thread must find no strange message to
    /// start with on its own stack.
    fn start<'scope>(&'scope self, scope: &rayon::Scope<'scope>, claim: Claim) {
        let threads = self.house.config.relay.threads;
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        while *under_way >= threads {
            under_way = self.one_ended.wait(under_way).unwrap_or_else(PoisonError::into_inner);
        }
        *under_way += 1;
        drop(under_way);
        scope.spawn(move |_| {
            self.handle(&claim);
            *self.under_way.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
            self.one_ended.notify_all();
        });
    }

    fn wait_for_all(&self) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        while *under_way > 0 {
            under_way = self.one_ended.wait(under_way).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Whether a deferred file has paused long enough.
    fn may_try(&self, path: &PathBuf) -> bool {
        let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        paused.get(path).is_none_or(|(until, _)| Instant::now() >= *until)
    }

    /// Steps that have become due, of any message.
    fn tick(&self) {
        let gone = std::mem::take(&mut *self.gone.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = self.house.store.forget(&gone) {
            tracing::warn!(%error, "finished messages stay in the journal for ten days");
        }
        let deadline = self.house.deadline();
        if let Err(error) = journal::run_due(&self.house.doors, deadline) {
            tracing::warn!(%error, "due steps wait for the next tick");
        }
    }

    /// One file from claim to end. Nothing that goes wrong with it leaves this function.
    fn handle(&self, claim: &Claim) {
        let handled = catch_unwind(AssertUnwindSafe(|| self.deliver_all(claim)));
        let ended = match handled {
            Ok(Ok(End::Done(keys))) => self.relay.remove(claim).and_then(|()| self.forget(keys)),
            Ok(Ok(End::Deferred(reason))) => self.defer(claim, &reason),
            Ok(Err(error)) => self.fail(claim, &error.to_string()),
            Err(_) => self.fail(claim, "carom failed on this message: please report it with the file"),
        };
        if let Err(error) = ended {
            tracing::error!(%error, file = claim.name, "stays claimed until the next run");
        }
        (self.progress)(self.messages.load(Relaxed), 0);
    }

    /// Lets the journal forget messages whose file is gone, many in one transaction.
    fn forget(&self, keys: Vec<String>) -> Result<()> {
        let mut gone = self.gone.lock().unwrap_or_else(PoisonError::into_inner);
        gone.extend(keys);
        if gone.len() < FORGOTTEN_AT_ONCE {
            return Ok(());
        }
        let keys = std::mem::take(&mut *gone);
        drop(gone);
        self.house.store.forget(&keys)
    }

    fn deliver_all(&self, claim: &Claim) -> Result<End> {
        let limit = self.house.config.message.max_size;
        let size = std::fs::metadata(&claim.path).context(claim.path.display())?.len();
        if size > limit {
            return Err(Error::new(format_args!("{size} bytes are more than [message] max_size = {limit}"))
                .remedy("raise it and move the file back"));
        }
        let file = std::fs::read(&claim.path).context(claim.path.display())?;
        let parts = formats::parts(&file);
        let single = parts.len() == 1;
        let mut keys = Vec::with_capacity(parts.len());
        let mut deferred = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            let key = if single { claim.key.clone() } else { format!("{}.{index}", claim.key) };
            let mut mail = Mail {
                content: Content::read(Arc::new(part.bytes(&file))),
                envelope: part.envelope.clone(),
                key: Key::of_claim(key.clone()),
                seed: fastrand::u64(..),
                at_ms: clock::now_ms(),
                keep: Some(KeptCopy { directory: self.relay.done().to_owned(), name: claim.name.clone() }),
            };
            match deliver(self.house, &mut mail, self.house.deadline(), &|_| ()) {
                Verdict::Defer(reply) => deferred.push((part, reply.text)),
                Verdict::Accept | Verdict::Reject(_) => {
                    self.messages.fetch_add(1, Relaxed);
                    keys.push(key);
                }
            }
        }
        match deferred.first() {
            None => Ok(End::Done(keys)),
            Some((_, reason)) if single => Ok(End::Deferred(reason.clone())),
            Some(_) => {
                for (part, reason) in &deferred {
                    tracing::info!(
                        file = claim.name,
                        recipient = part.envelope.recipient,
                        reason,
                        "deferred"
                    );
                    let written = self.relay.write_back(claim, &pickup(part, &file))?;
                    self.pause(written);
                }
                Ok(End::Done(keys))
            }
        }
    }

    fn defer(&self, claim: &Claim, reason: &str) -> Result<()> {
        let give_up = Duration::from_secs(u64::from(self.house.config.relay.give_up_hours) * 3600);
        if self.relay.age(claim) > give_up {
            return self.fail(claim, &format!("deferred for too long; last: {reason}"));
        }
        tracing::info!(file = claim.name, reason, "deferred");
        let path = self.relay.put_back(claim)?;
        self.pause(path);
        Ok(())
    }

    fn pause(&self, path: PathBuf) {
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = paused.get(&path).map_or(FIRST_PAUSE, |(_, pause)| *pause * 2);
        paused.insert(path, (Instant::now() + pause, pause.min(HOUR)));
        // Files that are gone need no pause; looked at rarely, when the table has grown.
        if paused.len().is_multiple_of(1024) {
            let there: HashSet<PathBuf> = paused.keys().filter(|path| path.exists()).cloned().collect();
            paused.retain(|path, _| there.contains(path));
        }
    }

    fn fail(&self, claim: &Claim, reason: &str) -> Result<()> {
        tracing::error!(file = claim.name, reason, "failed");
        self.failed.fetch_add(1, Relaxed);
        self.relay.fail(claim, reason)
    }
}

/// What became of a file.
enum End {
    /// Every message in it is dealt with; these keys are in the journal.
    Done(Vec<String>),
    /// Its only message is to be tried again.
    Deferred(String),
}

/// One message of a file that held several, in a file of its own: PowerMTA's newfile-pickup.
fn pickup(part: &FiledMessage, file: &[u8]) -> Vec<u8> {
    let envelope = &part.envelope;
    let mut written =
        format!("x-sender: {}\r\nx-receiver: {}\r\n", envelope.sender, envelope.recipient).into_bytes();
    written.extend_from_slice(&part.bytes(file));
    written
}
