//! Everything that a delivery needs, made once and shared by threads.
//!
//! Not here: what happens to a message (`deliver`). Invariant: a message is decided by one policy
//! from beginning to end, whatever is installed meanwhile; nothing connects before it is needed.

use crate::action::Doors;
use crate::auth::Dns;
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::decide::Question;
use crate::decide::monitor::Monitor;
use crate::error::Result;
use crate::index::Index;
use crate::mail::Mail;
use crate::message_log::MessageLog;
use crate::policy::Policy;
use crate::policy::earlier_deferrals::{DeferralNames, EarlierDeferrals};
use crate::policy::message_facts::MessageFacts;
use crate::policy::recipient_facts::RecipientFacts;
use crate::store::{Store, encryption};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub(crate) struct House {
    pub(crate) config: Arc<Config>,
    pub(crate) dns: Arc<Dns>,
    /// The policy in force. A message asks for it once.
    policy: RwLock<Arc<Policy>>,
    /// Policies that only observe.
    pub(crate) monitor: Monitor,
    threads: usize,
    pub(crate) store: Arc<Store>,
    pub(crate) doors: Doors,
    pub(crate) log: MessageLog,
    sent: Arc<SentMail>,
}

impl House {
    /// Loads the policy for use in `threads` threads. The store is opened when it is needed.
    pub(crate) fn open(config: Arc<Config>, policy: &str, threads: usize) -> Result<House> {
        config.require_secrets()?;
        encryption::require_key()?;
        let dns = Arc::new(Dns::open(&config.dns)?);
        let policy = Policy::load(policy, &config, threads)?;
        let monitor = Monitor::open(&config, &policy.name, threads);
        let store = Arc::new(Store::lazy(&config.store_path()));
        Ok(House {
            doors: Doors::new(config.clone(), dns.clone(), store.clone(), threads),
            log: MessageLog::open(&config),
            sent: Arc::new(SentMail { config: config.clone(), index: Mutex::default() }),
            config,
            dns,
            policy: RwLock::new(Arc::new(policy)),
            monitor,
            threads,
            store,
        })
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reloads the policy if another one was put in force. If that fails, the old one goes on
    /// deciding.
    pub(crate) fn refresh(&self) {
        let old = self.policy();
        if old.is_current(&self.config) {
            return;
        }
        let fresh = Policy::load(&old.name, &self.config, self.threads)
            .and_then(|fresh| fresh.start_clock().map(|()| fresh));
        match fresh {
            Ok(fresh) => {
                let (policy, from, to) = (&*fresh.name, &old.hash, &fresh.hash);
                tracing::info!(policy, from, to, "another policy is in force");
                *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
            }
            Err(error) => {
                tracing::error!(%error, "cannot load the policy in force; keeping the previous one")
            }
        }
    }

    /// Starts a thread that measures the time of policies, for as long as they are used.
    pub(crate) fn start_clock(&self) -> Result<()> {
        self.policy().start_clock()?;
        self.monitor.start_clock()
    }

    /// Advances that clock once, for a process that has a timer instead of the thread.
    pub(crate) fn ticker(&self) -> impl Fn() + Send + Sync + use<> {
        let (policy, monitor) = (self.policy().ticker(), self.monitor.ticker());
        move || {
            policy();
            monitor();
        }
    }

    /// The time that one message has.
    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(Duration::from_secs(u64::from(self.config.message.deadline)))
    }

    /// What a policy is asked about a message, besides its facts.
    pub(crate) fn question(&self, seed: u64, at_ms: i64, deadline: Deadline) -> Question<'_> {
        Question { config: &self.config, dns: &self.dns, seed, at_ms, deadline }
    }

    /// What a policy may know about a message.
    pub(crate) fn message_facts(&self, mail: &Mail, deadline: Deadline) -> MessageFacts {
        MessageFacts::new(mail.content.clone(), self.config.clone(), self.dns.clone(), deadline)
            .sent_by(&mail.envelope.sender)
    }

    /// What a policy may know about one recipient of it.
    pub(crate) fn recipient_facts(&self, message: Rc<MessageFacts>, mail: &Mail) -> RecipientFacts {
        let store = self.store.clone();
        // If the store cannot be read, mail is let through: a fault of ours must not suppress an
        // address.
        let suppressed = move |address: &str, domain: &str| {
            store.suppressed(address, domain, clock::now_ms()).is_ok_and(|found| found.is_some())
        };
        let sent = self.sent.clone();
        let was_sent = move |message_id: &str, address: &str| sent.sender_of(message_id, address);
        let sent = self.sent.clone();
        let only_recipient = move |message_id: &str| sent.only_recipient(message_id);
        let store = self.store.clone();
        let deferrals = move |names: &DeferralNames| {
            let found = store.deferrals(&names.message, &names.triplet, clock::now_ms());
            // If the store cannot be read, the message is as new: it comes again.
            let (times, first_ms) = found.unwrap_or_default();
            EarlierDeferrals { times, first_ms }
        };
        RecipientFacts::new(message, mail.envelope.clone())
            .with_deferrals(Box::new(deferrals))
            .with_suppressed(Box::new(suppressed))
            .with_sent(Box::new(was_sent), Box::new(only_recipient))
    }
}

/// What the mail logs say was sent. The index is opened at the first question, and kept.
struct SentMail {
    config: Arc<Config>,
    index: Mutex<Option<Index>>,
}

impl SentMail {
    /// The sender of a message that went to an address within the time that return paths are valid,
    /// and was not refused: a message whose delivery ended here cannot come back from elsewhere.
    fn sender_of(&self, message_id: &str, address: &str) -> Option<String> {
        let valid_ms = i64::from(self.config.return_paths.max_age) * clock::DAY_MS;
        self.look(|index| index.was_sent(message_id, address, clock::now_ms() - valid_ms))
    }

    /// The recipient and the sender of a message that went to one address only.
    fn only_recipient(&self, message_id: &str) -> Option<(String, String)> {
        self.look(|index| index.only_recipient(message_id))
    }

    /// `None` also if no log was ever read, or the index cannot be.
    fn look<R>(&self, look: impl FnOnce(&Index) -> Result<Option<R>>) -> Option<R> {
        let mut opened = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = match opened.is_some() {
            true => Ok(()),
            false => Index::look(&self.config.index_path()).map(|found| *opened = found),
        };
        let looked = looked.and_then(|()| opened.as_ref().map_or(Ok(None), look));
        looked.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot look up sent mail in the index");
            None
        })
    }
}
