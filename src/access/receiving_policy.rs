//! The policy that answers in the SMTP dialogue, if it exports `reception`: loaded once, asked in a
//! fresh instance for each request, and loaded again when another release is in force.
//!
//! Not here: what it may answer (`policy::reception`). Invariant: without the policy, or when it
//! cannot be loaded, carom answers by itself.

use super::policy_request::PolicyRequest;
use crate::auth::Dns;
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::mail::{Content, Mail};
use crate::mailbox_syntax::undotted;
use crate::message_log::MessageLog;
use crate::plan::Verdict;
use crate::policy::instance_places::InstancePlaces;
use crate::policy::message_facts::MessageFacts;
use crate::policy::recipient_facts::RecipientFacts;
use crate::policy::{self, Policy, PolicyAnswer};
use crate::store::Store;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Questions that are asked side by side: each has memory for itself.
const SIDE_BY_SIDE: usize = 16;
/// Time between two tries to load a policy.
const AGAIN: Duration = Duration::from_secs(5);
/// Time for what a policy asks of DNS.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct ReceivingPolicy {
    config: Arc<Config>,
    name: String,
    /// Whether `[access]` names it.
    is_named: bool,
    dns: Arc<Dns>,
    store: Arc<Store>,
    log: MessageLog,
    /// `None`: it cannot be loaded, or is not to be asked.
    policy: RwLock<Option<Arc<Policy>>>,
    /// When a policy that was not loaded is looked at again.
    again: Mutex<Deadline>,
    places: InstancePlaces,
}

impl ReceivingPolicy {
    /// An error is about the config; a policy that cannot be loaded is logged.
    pub(super) fn open(config: Arc<Config>, store: Arc<Store>) -> Result<ReceivingPolicy> {
        let named = config.access.get()?.policy.clone();
        let (is_named, log) = (named.is_some(), MessageLog::open(&config));
        let name = named.unwrap_or_else(|| config.default_policy.clone());
        let dns = Arc::new(Dns::open(&config.dns)?);
        let policy = RwLock::new(loaded(&name, is_named, &config));
        let again = Mutex::new(Deadline::after(AGAIN));
        let places = InstancePlaces::new(SIDE_BY_SIDE);
        Ok(ReceivingPolicy { config, name, is_named, dns, store, log, policy, again, places })
    }

    /// Loads another release, if one is in force.
    pub(super) fn refresh(&self) {
        let old = self.current();
        let mut again = self.again.lock().unwrap_or_else(PoisonError::into_inner);
        if !again.passed() || old.is_some_and(|old| old.is_current(&self.config)) {
            return;
        }
        *again = Deadline::after(AGAIN);
        if let Some(fresh) = loaded(&self.name, self.is_named, &self.config) {
            let (policy, hash) = (&*fresh.name, &fresh.hash);
            tracing::info!(policy, hash, receives = fresh.receives(), "a policy is in force");
            *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        }
    }

    fn current(&self) -> Option<Arc<Policy>> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The policy, if it wants to be asked.
    pub(super) fn asked(&self) -> Option<Arc<Policy>> {
        self.current().filter(|policy| policy.receives())
    }

    /// What the policy answers to a request. An answer that rests on a list that could not be read
    /// is none.
    pub(super) fn answer(&self, policy: &Policy, request: &PolicyRequest<'_>) -> Result<PolicyAnswer> {
        let (at_ms, word, seed) = (clock::now_ms(), self.config.message.seed.as_deref(), fastrand::u64(..));
        let mail = Mail::for_recipient(Content::read(Arc::default()), request.envelope(), seed, at_ms);
        let mail = mail.seeded_by(word);
        let unread = Rc::default();
        let facts = Rc::new(self.facts(request, &mail, &unread));
        let now_ms = u64::try_from(at_ms).unwrap_or(0);
        let received = policy.receive_in(&self.places, &facts, mail.seed, now_ms);
        if let Some(error) = unread.take() {
            return Err(error);
        }
        let too_many = || Error::new("too many questions to the policy at a time: answering without it");
        let received = received.ok_or_else(too_many)?.map_err(Error::new)?;
        // A refusal of the sink says what a classifier should make of it.
        if let (PolicyAnswer::Refuse(reply), Some(expect)) = (&received.answer, received.decision.plan.expect)
        {
            let verdict = Verdict::of_refusal(reply.clone());
            self.log.append_refusal(policy, &mail, &verdict, Some(expect));
        }
        Ok(received.answer)
    }

    /// What the policy may know: the session, and no message. A list that cannot be read is left in
    /// `unread`.
    fn facts(
        &self,
        request: &PolicyRequest<'_>,
        mail: &Mail,
        unread: &Rc<Cell<Option<Error>>>,
    ) -> RecipientFacts {
        let (config, dns, deadline) = (self.config.clone(), self.dns.clone(), Deadline::after(PATIENCE));
        let message = MessageFacts::new(mail.content.clone(), config, dns, deadline);
        let (store, unread) = (self.store.clone(), unread.clone());
        let suppressed = move |address: &str, domain: &str| {
            let found = store.suppressed(address, undotted(domain), clock::now_ms());
            found.map_err(|error| unread.set(Some(error))).is_ok_and(|found| found.is_some())
        };
        RecipientFacts::new(Rc::new(message), mail.envelope.clone())
            .with_suppressed(Box::new(suppressed))
            .in_session(request.session())
            .with_dns_later()
    }
}

/// `None`: it cannot be loaded, or is not to be asked. A shipped policy has to be named: most hosts
/// that run it want no other answers than those of `[access]`, and asking takes time and memory.
fn loaded(name: &str, is_named: bool, config: &Config) -> Option<Arc<Policy>> {
    if !is_named && policy::is_shipped(name, config) {
        return None;
    }
    let loaded = Policy::load(name, config, SIDE_BY_SIDE).and_then(|policy| {
        if policy.receives() { policy.start_clock().map(|()| policy) } else { Ok(policy) }
    });
    let fail = |error| tracing::error!(%error, "the policy cannot be asked; answering without it");
    loaded.map_err(fail).ok().map(Arc::new)
}
