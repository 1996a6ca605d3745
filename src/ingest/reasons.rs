//! Deliveries on their way into the index, and why they failed: the policy is asked once for each text, many at a time.
//!
//! Not here: the rules, and what is counted (`tally`). Invariant: a delivery is written down and counted whether or not the policy
//! answers; without a policy there are no reasons, and nothing else is different.

use super::Watch;
use super::count::DeliveryCounts;
use crate::class::{BATCH, Class, DeliveryFailure};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::index::{ACTED_ON_FOR_MS, Batch, Index, PendingWork};
use crate::maillog::logged_reply::LoggedReply;
use crate::maillog::{Delivery, LoggedStatus};
use crate::policy::recipient_facts::RecipientFacts;
use crate::policy::{Policy, Use, Wanted, shipped};
use rustc_hash::FxHashMap;
use std::cmp::Ordering;
use std::rc::Rc;
use std::sync::Arc;

/// Texts whose meaning is in memory.
const KNOWN: usize = 20_000;
/// Texts that are asked for together.
const TOGETHER: usize = 2_000;
/// Texts in one call of the policy.
const AT_ONCE: usize = 250;
/// Texts whose meaning is kept in the index.
const KEPT: i64 = 200_000;

/// The policy, what it has said, and what it is still to be asked.
pub(crate) struct Reasons {
    config: Arc<Config>,
    policy: Option<(Policy, Rc<RecipientFacts>)>,
    pub(crate) pending: Pending,
    /// ReasonCount there are none.
    silent: Option<String>,
    begun: bool,
}

/// What is known, what is to be asked, and what is counted.
#[derive(Default)]
pub(crate) struct Pending {
    known: FxHashMap<u64, Rc<Class>>,
    /// Deliveries whose last text is to be asked for.
    rows: FxHashMap<i64, u64>,
    texts: FxHashMap<u64, DeliveryFailure>,
    tally: DeliveryCounts,
    /// Nobody is asked.
    off: bool,
    /// There are deliveries in the index that may be told again.
    pub(crate) again: bool,
    /// Deliveries are counted and not written down.
    only_counted: bool,
    /// Changes are told as events.
    events: bool,
    /// Failures are acted upon.
    acts: bool,
    now_ms: i64,
}

/// Is there a reason for a delivery that stands like this?
fn has_reason(status: LoggedStatus) -> bool {
    matches!(
        status,
        LoggedStatus::Bounced | LoggedStatus::Deferred | LoggedStatus::Expired | LoggedStatus::Rejected
    )
}

/// Is it news that it failed for good, and is there a sender who could be told?
fn has_failed(delivery: &Delivery<'_>) -> bool {
    matches!(delivery.status, LoggedStatus::Bounced | LoggedStatus::Expired)
        && delivery.before.is_none_or(|before| before.status != delivery.status)
        && delivery.recipient.is_some()
        && delivery.sender.is_some_and(|sender| !sender.is_empty())
}

impl Pending {
    /// Writes a delivery down and counts it, with its reason if that is known.
    pub(crate) fn put(&mut self, batch: &mut Batch<'_>, delivery: &Delivery<'_>) -> Result<()> {
        let reply = delivery.reply.filter(|_| !self.off && has_reason(delivery.status));
        let reply = reply.map(|text| LoggedReply { text, dsn: delivery.dsn, relay: delivery.relay });
        let key = reply.map(|reply| reply.key());
        // The same lines may be read twice, as those of another log.
        let known = if self.again { batch.known(delivery)? } else { Ordering::Less };
        match known {
            Ordering::Less => self.tally.count(delivery, key, self.now_ms),
            Ordering::Equal => {}
            Ordering::Greater => return Ok(()),
        }
        let class = key.and_then(|key| self.known.get(&key));
        let row = if self.only_counted || delivery.superseded {
            None
        } else {
            Some(batch.put(delivery, class.map(|class| &**class))?)
        };
        if let Some(row) = row {
            if self.events {
                batch.add_work(PendingWork::Event, row)?;
            }
            if self.acts && delivery.last_seen > self.now_ms - ACTED_ON_FOR_MS && has_failed(delivery) {
                batch.add_work(PendingWork::Failure, row)?;
            }
        }
        if let (Some(reply), Some(key), None) = (reply, key, class) {
            self.rows.extend(row.map(|row| (row, key)));
            self.texts.entry(key).or_insert_with(|| reply.failure());
        } else if let Some(row) = row.filter(|_| !self.rows.is_empty()) {
            // What it said before is no reason any more.
            self.rows.remove(&row);
        }
        Ok(())
    }
}

impl Reasons {
    pub(crate) fn new(config: &Arc<Config>) -> Reasons {
        let pending = Pending {
            off: config.index.policy.is_empty(),
            only_counted: !config.index.deliveries,
            // While [export] is wrong, events are kept until it is right.
            events: config.export.get().map_or(true, |export| export.events.is_some()),
            acts: config.index.act && !config.index.policy.is_empty(),
            now_ms: clock::now_ms(),
            ..Pending::default()
        };
        Reasons { config: config.clone(), policy: None, pending, silent: None, begun: false }
    }

    /// Asks if there is enough to ask.
    pub(crate) fn ask_many(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        if self.pending.tally.is_full() {
            return self.end(batch);
        }
        if self.pending.texts.len() < TOGETHER { Ok(()) } else { self.ask(batch) }
    }

    /// Asks for all that is pending, and writes down what was counted.
    pub(crate) fn end(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        self.ask(batch)?;
        let Pending { tally, known, .. } = &mut self.pending;
        tally.flush(batch, |batch, reply| match known.get(&reply) {
            Some(class) => Ok(Some(class.clone())),
            None => Ok(batch.class(reply)?.map(Rc::new)),
        })
    }

    /// Asks for all that is pending, and completes the rows.
    fn ask(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        let rows = std::mem::take(&mut self.pending.rows);
        let mut texts = std::mem::take(&mut self.pending.texts);
        if texts.is_empty() || !self.load(batch)? {
            return Ok(());
        }
        let Some((policy, facts)) = &self.policy else { return Ok(()) };
        if self.pending.known.len() > KNOWN {
            self.pending.known.clear();
        }
        let known = &mut self.pending.known;
        let keys: Vec<u64> = texts.keys().copied().collect();
        for key in keys {
            if let Some(class) = batch.class(key)? {
                known.insert(key, Rc::new(class));
                texts.remove(&key);
            }
        }
        let (keys, failures): (Vec<u64>, Vec<DeliveryFailure>) = texts.into_iter().unzip();
        // A call has a deadline, which a busy machine would not keep for thousands.
        for (keys, failures) in keys.chunks(AT_ONCE).zip(failures.chunks(AT_ONCE)) {
            match policy.classify(facts, failures) {
                Ok(classes) => {
                    for (key, class) in keys.iter().zip(classes) {
                        batch.learn(*key, &class)?;
                        known.insert(*key, Rc::new(class));
                    }
                }
                // One text that the policy cannot bear keeps no other from having its class.
                Err(failure) => {
                    self.silent = Some(failure.to_string());
                    for (key, failure) in keys.iter().zip(failures) {
                        let Ok(classes) = policy.classify(facts, std::slice::from_ref(failure)) else {
                            continue;
                        };
                        for class in classes {
                            batch.learn(*key, &class)?;
                            known.insert(*key, Rc::new(class));
                        }
                    }
                }
            }
        }
        for (row, key) in rows {
            if let Some(class) = known.get(&key) {
                batch.classify(row, class)?;
            }
        }
        Ok(())
    }

    /// Loads the policy when it is first needed. A config that names no policy of its own may do without the shipped one.
    fn load(&mut self, batch: &mut Batch<'_>) -> Result<bool> {
        if !self.begun {
            self.begun = true;
            match policy(&self.config) {
                Ok(Some(policy)) => {
                    batch.classes_of(&policy.0.hash, KEPT)?;
                    self.policy = Some(policy);
                }
                Ok(None) => {}
                Err(error) => self.silent = Some(error.to_string()),
            }
            self.pending.off = self.policy.is_none();
        }
        Ok(self.policy.is_some())
    }

    /// What an operator should know.
    pub(crate) fn note(&mut self) -> Option<String> {
        self.silent.take().map(|why| format!("failures were not classified: {why}"))
    }
}

/// The policy that classifies; none if none is wanted.
fn policy(config: &Arc<Config>) -> Result<Option<(Policy, Rc<RecipientFacts>)>> {
    let name = config.index.policy.as_str();
    if name.is_empty() {
        return Ok(None);
    }
    let installed = config.policies_dir().join(name).exists();
    if !(installed || config.policy.contains_key(name) || shipped().any(|known| known == name)) {
        return Err(Error::new(format_args!("there is no policy {name}"))
            .remedy("install it, or set [index] policy to one that classifies"));
    }
    let policy = Policy::open(&Wanted { name, file: None, settings: None }, config, Use::One)?;
    policy.start_clock()?;
    Ok(Some((policy, Rc::new(RecipientFacts::of_nothing(config)?))))
}

/// Asks anew why deliveries failed, for all that the index has. Returns how many were looked at, and how many have another reason
/// now; none if another process is at the index.
pub(crate) fn reclassify(config: &Arc<Config>, watch: &Watch<'_>) -> Result<Option<(u64, u64)>> {
    let path = config.index_path();
    let Some(_lock) = Index::lock(&path)? else { return Ok(None) };
    let Some(index) = Index::look(&path)? else { return Ok(Some((0, 0))) };
    let Some((policy, facts)) = policy(config)? else {
        return Err(Error::new("no policy classifies").remedy("set [index] policy to one that does"));
    };
    let total = index.count()?;
    let (mut after, mut looked, mut changed) = (i64::MIN, 0, 0);
    let mut known: FxHashMap<u64, Class> = FxHashMap::default();
    loop {
        let failing = index.failing(after, BATCH)?;
        let Some(last) = failing.last() else { break };
        after = last.row;
        if known.len() > KNOWN {
            known.clear();
        }
        let reply = |one: &crate::index::FailingDelivery| {
            LoggedReply { text: &one.reply, dsn: one.dsn.as_deref(), relay: one.relay.as_deref() }.key()
        };
        let mut asked: FxHashMap<u64, DeliveryFailure> = FxHashMap::default();
        for one in &failing {
            let key = reply(one);
            if !known.contains_key(&key) {
                let reply =
                    LoggedReply { text: &one.reply, dsn: one.dsn.as_deref(), relay: one.relay.as_deref() };
                asked.entry(key).or_insert_with(|| reply.failure());
            }
        }
        let (keys, failures): (Vec<u64>, Vec<DeliveryFailure>) = asked.into_iter().unzip();
        let classes = policy.classify(&facts, &failures).map_err(Error::new)?;
        let mut batch = index.begin()?;
        batch.classes_of(&policy.hash, KEPT)?;
        for (key, class) in keys.into_iter().zip(classes) {
            batch.learn(key, &class)?;
            known.insert(key, class);
        }
        for one in &failing {
            if let Some(class) = known.get(&reply(one)).filter(|class| one.differs(class)) {
                batch.classify(one.row, class)?;
                changed += 1;
            }
        }
        batch.commit(None)?;
        looked += failing.len() as u64;
        (watch.progress)(looked, total.saturating_sub(looked));
        if watch.stopped() {
            break;
        }
    }
    Ok(Some((looked, changed)))
}
