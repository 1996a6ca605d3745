//! One question to a policy: a fresh instance within its limits, and why it failed if it did.
//!
//! Not here: what is asked (`questions`, `classes`). Invariant: whatever a guest does, it is
//! stopped when its time or memory is used up, and the failure names the limit.

use super::failure::{Failure, FailureKind, status_line};
use super::host::Host;
use super::linked::Guest;
use super::ready::Policy;
use super::recipient_facts::RecipientFacts;
use super::trapped;
use std::rc::Rc;
use std::time::Duration;
use wasmtime::{Result, Store, UpdateDeadline};

impl Policy {
    /// Asks a new instance. `seed` determines all randomness, `now_ms` the time that the guest
    /// sees.
    pub(crate) fn ask<R>(
        &self,
        facts: &Rc<RecipientFacts>,
        (seed, now_ms): (u64, u64),
        question: impl FnOnce(&Guest, &mut Store<Host>) -> Result<R>,
    ) -> Result<(R, Store<Host>), Failure> {
        let mut store = self.store(facts, seed, now_ms);
        let asked = self.linked.instantiate(&mut store).and_then(|guest| question(&guest, &mut store));
        match asked {
            Ok(answer) => Ok((answer, store)),
            Err(error) => Err(self.explain(&error, store.data())),
        }
    }

    fn store(&self, facts: &Rc<RecipientFacts>, seed: u64, now_ms: u64) -> Store<Host> {
        let (policy, settings) = (self.name.clone(), (self.settings.clone(), self.trust));
        let host = Host::new(facts.clone(), policy, settings, self.limits.clone(), seed, now_ms);
        let mut store = Store::new(&self.engine, host);
        store.limiter(|host| &mut host.meter);
        if self.measured {
            // Cannot fail: an engine that measures consumes fuel.
            let _ = store.set_fuel(u64::MAX);
        }
        let limit = Duration::from_millis(self.limits.time);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(move |mut context| {
            if context.data().used() < limit {
                return Ok(UpdateDeadline::Continue(1));
            }
            let cause = format!("used more than {} ms", limit.as_millis());
            context.data_mut().stopped = Some((FailureKind::TooSlow, cause));
            Ok(UpdateDeadline::Interrupt)
        });
        store
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
