//! An instance of a policy and a question to it, within its limits, and why it failed if it did.
//!
//! Not here: what is asked (`questions`, `classes`), and who is asked more than once (`sequence`).
//! Invariant: whatever a guest does, it is stopped when its time or memory is used up, and the
//! failure names the limit.

use super::failure::{Failure, FailureKind, status_line};
use super::host::Host;
use super::linked::Guest;
use super::ready::Policy;
use super::recipient_facts::RecipientFacts;
use super::trapped;
use std::rc::Rc;
use std::time::Duration;
use wasmtime::{Result, Store, UpdateDeadline};

pub(super) struct PolicyInstance {
    guest: Guest,
    pub(super) store: Store<Host>,
}

impl Policy {
    /// Asks a new instance. `seed` determines all randomness, `now_ms` the time that the guest
    /// sees.
    pub(crate) fn ask<R>(
        &self,
        facts: &Rc<RecipientFacts>,
        (seed, now_ms): (u64, u64),
        question: impl FnOnce(&Guest, &mut Store<Host>) -> Result<R>,
    ) -> Result<(R, Store<Host>), Failure> {
        let mut instance = self.instance(facts, (seed, now_ms))?;
        let answer = self.put(&mut instance, question)?;
        Ok((answer, instance.store))
    }

    /// A new instance, to be asked about these facts.
    pub(super) fn instance(
        &self,
        facts: &Rc<RecipientFacts>,
        (seed, now_ms): (u64, u64),
    ) -> Result<PolicyInstance, Failure> {
        let mut store = Store::new(&self.engine, self.host(facts, seed, now_ms));
        store.limiter(|host| &mut host.meter);
        let limit = Duration::from_millis(self.limits.time);
        store.epoch_deadline_callback(move |mut context| {
            if context.data_mut().used_at_tick() < limit {
                return Ok(UpdateDeadline::Continue(1));
            }
            let cause = format!("used more than {} ms", limit.as_millis());
            context.data_mut().stopped = Some((FailureKind::TooSlow, cause));
            Ok(UpdateDeadline::Interrupt)
        });
        self.begin(&mut store);
        match self.linked.instantiate(&mut store) {
            Ok(guest) => Ok(PolicyInstance { guest, store }),
            Err(error) => Err(self.explain(&error, store.data())),
        }
    }

    /// Makes an instance that was asked before ready for the next question: its limits begin again.
    pub(super) fn renew(
        &self,
        instance: &mut PolicyInstance,
        facts: &Rc<RecipientFacts>,
        (seed, now_ms): (u64, u64),
    ) {
        let host = instance.store.data_mut();
        // Before the next one begins.
        host.run = None;
        let peak = host.meter.peak;
        *host = self.host(facts, seed, now_ms);
        host.meter.peak = peak;
        self.begin(&mut instance.store);
    }

    /// Puts a question to an instance. One that failed can be asked nothing more.
    pub(super) fn put<R>(
        &self,
        instance: &mut PolicyInstance,
        question: impl FnOnce(&Guest, &mut Store<Host>) -> Result<R>,
    ) -> Result<R, Failure> {
        match question(&instance.guest, &mut instance.store) {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.explain(&error, instance.store.data())),
        }
    }

    fn host(&self, facts: &Rc<RecipientFacts>, seed: u64, now_ms: u64) -> Host {
        let (policy, settings) = (self.name.clone(), (self.settings.clone(), self.trust));
        Host::new(facts.clone(), policy, settings, self.limits.clone(), seed, now_ms)
    }

    fn begin(&self, store: &mut Store<Host>) {
        if self.measured {
            // Cannot fail: an engine that measures consumes fuel.
            let _ = store.set_fuel(u64::MAX);
        }
        store.set_epoch_deadline(1);
    }

    pub(crate) fn failure(&self, kind: FailureKind, cause: &str) -> Failure {
        Failure { kind, text: format!("policy {} ({}): {cause}", self.name, self.short_hash()) }
    }

    fn explain(&self, error: &wasmtime::Error, host: &Host) -> Failure {
        if let Some((kind, cause)) = &host.stopped {
            return self.failure(*kind, cause);
        }
        let (kind, cause) = trapped::cause(error, host, self.limits.memory);
        self.failure(kind, &status_line(&cause))
    }
}
