//! Why deliveries failed: each reply is asked for once, many of them together.
//!
//! Not here: the rules (`classifying_policy`). Invariant: without an answer deliveries have no
//! reason, and nothing else is different.

use super::classifying_policy::{ClassifyingPolicy, REMEMBERED};
use crate::class::{Class, DeliveryFailure};
use crate::config::Config;
use crate::error::Result;
use crate::index::Batch;
use rustc_hash::{FxHashMap, FxHashSet};
use std::rc::Rc;
use std::sync::Arc;

/// Classes in memory.
pub(crate) const IN_MEMORY: usize = 200_000;
/// Replies that are worth asking for before the transaction ends, and the bytes of their texts.
const MANY: usize = 2_000;
const MANY_BYTES: usize = 4 << 20;
/// Replies in one call: it has a deadline, which a busy machine would miss with thousands.
const IN_ONE_CALL: usize = 250;

pub(crate) struct Classifier {
    config: Arc<Config>,
    policy: Option<ClassifyingPolicy>,
    /// The policy was opened, or could not be.
    opened: bool,
    /// Nothing is classified.
    off: bool,
    /// Why something was not classified.
    fault: Option<String>,
    known: FxHashMap<u64, Rc<Class>>,
    /// There are few classes, and many replies.
    classes: FxHashSet<Rc<Class>>,
    /// Classes that the index does not remember yet.
    learned: Vec<(u64, Rc<Class>)>,
    /// The index may remember classes that are not in memory.
    remembers: bool,
    /// Replies that are still to be asked for.
    replies: FxHashMap<u64, DeliveryFailure>,
    /// Bytes of their texts.
    bytes: usize,
}

impl Classifier {
    pub(crate) fn new(config: &Arc<Config>) -> Classifier {
        Classifier {
            config: config.clone(),
            policy: None,
            opened: false,
            off: config.index.policy.is_empty(),
            fault: None,
            known: FxHashMap::default(),
            classes: FxHashSet::default(),
            learned: Vec::new(),
            remembers: true,
            replies: FxHashMap::default(),
            bytes: 0,
        }
    }

    /// The class of a reply with this key will be needed.
    pub(crate) fn expect(&mut self, key: u64, reply: impl FnOnce() -> Option<DeliveryFailure>) {
        if self.off || self.known.contains_key(&key) || self.replies.contains_key(&key) {
            return;
        }
        if let Some(reply) = reply() {
            self.bytes += reply.text.len();
            self.replies.insert(key, reply);
        }
    }

    pub(crate) fn has_many(&self) -> bool {
        self.replies.len() >= MANY || self.bytes > MANY_BYTES
    }

    /// Asks for every reply that is not known.
    pub(crate) fn classify(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        let mut replies = std::mem::take(&mut self.replies);
        self.bytes = 0;
        if replies.is_empty() || !self.open(batch)? {
            return Ok(());
        }
        if self.known.len() > IN_MEMORY {
            self.write(batch)?;
            self.remembers = true;
            self.known.clear();
            self.classes.clear();
        }
        self.recall(batch, &mut replies)?;
        let (keys, failures): (Vec<u64>, Vec<DeliveryFailure>) = replies.into_iter().unzip();
        for (keys, failures) in keys.chunks(IN_ONE_CALL).zip(failures.chunks(IN_ONE_CALL)) {
            self.ask(keys, failures);
        }
        Ok(())
    }

    /// Takes out the replies that the index remembers.
    fn recall(&mut self, batch: &mut Batch<'_>, replies: &mut FxHashMap<u64, DeliveryFailure>) -> Result<()> {
        if !self.remembers {
            return Ok(());
        }
        let keys: Vec<u64> = replies.keys().copied().collect();
        for key in keys {
            if let Some(class) = batch.class(key)? {
                self.know(key, class);
                replies.remove(&key);
            }
        }
        Ok(())
    }

    fn ask(&mut self, keys: &[u64], failures: &[DeliveryFailure]) {
        let Some(policy) = &self.policy else { return };
        let classes = match policy.classify(failures) {
            Ok(classes) => classes.into_iter().map(Some).collect(),
            // If one reply makes the policy fail, the others still get their class.
            Err(failure) => {
                self.fault = Some(failure.to_string());
                let alone = |one| policy.classify(std::slice::from_ref(one)).ok()?.into_iter().next();
                failures.iter().map(alone).collect::<Vec<_>>()
            }
        };
        for (key, class) in keys.iter().zip(classes) {
            let Some(class) = class else { continue };
            let class = self.know(*key, class);
            self.learned.push((*key, class));
        }
    }

    /// Lets the index remember what was learned, in the order of its table.
    pub(crate) fn write(&mut self, batch: &mut Batch<'_>) -> Result<()> {
        let mut learned = std::mem::take(&mut self.learned);
        learned.sort_unstable_by_key(|(key, _)| *key as i64);
        learned.iter().try_for_each(|(key, class)| batch.learn(*key, class))
    }

    fn know(&mut self, key: u64, class: Class) -> Rc<Class> {
        let shared = match self.classes.get(&class) {
            Some(shared) => shared.clone(),
            None => Rc::new(class),
        };
        self.classes.insert(shared.clone());
        self.known.insert(key, shared.clone());
        shared
    }

    /// The class of a reply that was asked for in this run or before.
    pub(crate) fn class(&self, batch: &mut Batch<'_>, key: u64) -> Result<Option<Rc<Class>>> {
        match self.known.get(&key) {
            Some(class) => Ok(Some(class.clone())),
            None if self.off => Ok(None),
            None => Ok(batch.class(key)?.map(Rc::new)),
        }
    }

    /// Opens the policy when it is first needed; without one, nothing more is classified.
    fn open(&mut self, batch: &mut Batch<'_>) -> Result<bool> {
        if !self.opened {
            self.opened = true;
            match ClassifyingPolicy::open(&self.config) {
                Ok(Some(policy)) => {
                    self.remembers = batch.keep_classes_of(policy.hash(), REMEMBERED)?;
                    self.policy = Some(policy);
                }
                Ok(None) => {}
                Err(error) => self.fault = Some(error.to_string()),
            }
            self.off = self.policy.is_none();
        }
        Ok(self.policy.is_some())
    }

    /// What the operator should know.
    pub(crate) fn note(&mut self) -> Option<String> {
        self.fault.take().map(|why| format!("failures were not classified: {why}"))
    }
}
