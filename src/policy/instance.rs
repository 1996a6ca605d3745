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
use super::settings_in_force::AcceptedSettings;
use super::trapped;
use crate::config::AddedRules;
use crate::error::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::{Result, Store, UpdateDeadline};

/// It may be asked about the same message again, or forgotten.
pub(crate) struct PolicyInstance {
    guest: Guest,
    pub(super) store: Store<Host>,
}

impl Policy {
    /// The settings that it is asked with.
    pub(crate) fn settings(&self, facts: &Rc<RecipientFacts>) -> &Arc<str> {
        match &self.settings.added {
            None => &self.settings.written,
            Some(added) => &self.judged(added, facts).settings,
        }
    }

    /// What is wrong with the installed rules that it is asked without.
    pub(crate) fn rules_left_out(&self, facts: &Rc<RecipientFacts>) -> &[Error] {
        self.settings.added.as_ref().map_or(&[], |added| &self.judged(added, facts).left_out)
    }

    fn judged(&self, added: &AddedRules, facts: &Rc<RecipientFacts>) -> &AcceptedSettings {
        self.settings.accepted(added, |settings| {
            let complaints = self.ask_with(settings, facts, (0, 0), |guest, store| {
                guest.policy.carom_policy_settings().call_validate(store, settings)
            });
            complaints.map_or_else(|failure| vec![failure.text], |(complaints, _)| complaints)
        })
    }

    /// Asks a new instance. `seed` determines all randomness, `now_ms` the time that the guest
    /// sees.
    pub(crate) fn ask<R>(
        &self,
        facts: &Rc<RecipientFacts>,
        (seed, now_ms): (u64, u64),
        question: impl FnOnce(&Guest, &mut Store<Host>) -> Result<R>,
    ) -> Result<(R, Store<Host>), Failure> {
        self.ask_with(self.settings(facts), facts, (seed, now_ms), question)
    }

    /// The same with other settings.
    pub(super) fn ask_with<R>(
        &self,
        settings: &Arc<str>,
        facts: &Rc<RecipientFacts>,
        (seed, now_ms): (u64, u64),
        question: impl FnOnce(&Guest, &mut Store<Host>) -> Result<R>,
    ) -> Result<(R, Store<Host>), Failure> {
        let mut instance = self.instance_of(self.host(settings, facts, seed, now_ms))?;
        let answer = self.put(&mut instance, question)?;
        Ok((answer, instance.store))
    }

    /// A new instance, to be asked about these facts.
    pub(super) fn instance(
        &self,
        facts: &Rc<RecipientFacts>,
        (seed, now_ms): (u64, u64),
    ) -> Result<PolicyInstance, Failure> {
        self.instance_of(self.host(self.settings(facts), facts, seed, now_ms))
    }

    fn instance_of(&self, host: Host) -> Result<PolicyInstance, Failure> {
        let mut store = Store::new(&self.engine, host);
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
        let peak = host.meter.peak;
        *host = self.host(self.settings(facts), facts, seed, now_ms);
        host.meter.peak = peak;
        self.begin(&mut instance.store);
    }

    /// Puts a question to an instance. One that failed can be asked nothing more.
    pub(super) fn put<R>(
        &self,
        instance: &mut PolicyInstance,
        question: impl FnOnce(&Guest, &mut Store<Host>) -> Result<R>,
    ) -> Result<R, Failure> {
        let answer = question(&instance.guest, &mut instance.store);
        // Its time limit interrupts nothing that is done before the next question.
        instance.store.data_mut().run = None;
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.explain(&error, instance.store.data())),
        }
    }

    fn host(&self, settings: &Arc<str>, facts: &Rc<RecipientFacts>, seed: u64, now_ms: u64) -> Host {
        let (policy, settings) = (self.name.clone(), (settings.clone(), self.trust));
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
