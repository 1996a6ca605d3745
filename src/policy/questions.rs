//! The questions to a policy about one message: what to do with it, whether its return path may be
//! answered, and whether the settings make sense.
//!
//! Not here: what delivery failures mean (`classes`), and one instance for several failures
//! (`sequence`). Invariant: an answer is complete, or it is a `Failure`.

use super::failure::{Failure, FailureKind, status_line};
use super::host::Host;
use super::instance::PolicyInstance;
use super::ready::Policy;
use super::recipient_facts::RecipientFacts;
use crate::plan::Plan;
use serde::Serialize;
use std::rc::Rc;
use std::time::Duration;
use wasmtime::Store;

/// The answer to "may this return path be answered, and where".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mapping {
    /// Hosts that may be connected to, in order.
    pub(crate) hosts: Vec<String>,
    /// Where complaints go.
    pub(crate) feedback_address: Option<String>,
}

/// A decision and what it cost.
pub(crate) struct Decision {
    pub(crate) plan: Plan,
    /// The imports that the guest called, in order, and how long carom took to answer.
    pub(crate) asked: Vec<(&'static str, Duration)>,
    /// Time that the guest itself used.
    pub(crate) used: Duration,
    /// The most memory that it had, in bytes.
    pub(crate) memory: usize,
    /// Instructions that it ran; `None` unless it was loaded to be measured.
    pub(crate) fuel: Option<u64>,
}

impl Decision {
    /// What a guest has built, and what that cost.
    pub(super) fn of(store: &mut Store<Host>) -> Decision {
        let fuel = store.get_fuel().ok().map(|left| u64::MAX - left);
        let host = store.data_mut();
        let (used, memory, asked) = (host.used(), host.meter.peak, std::mem::take(&mut host.asked));
        let mut plan = std::mem::take(&mut host.plan);
        plan.tell_bounces();
        Decision { plan, asked, used, memory, fuel }
    }
}

/// Nothing random, and no time.
pub(crate) const FIXED: (u64, u64) = (0, 0);

impl Policy {
    /// What to do with a message, and who has decided that. `seed` determines all randomness,
    /// `now_ms` the time that the guest sees.
    pub(crate) fn decide(
        &self,
        facts: &Rc<RecipientFacts>,
        seed: u64,
        now_ms: u64,
    ) -> Result<(Decision, PolicyInstance), Failure> {
        let mut instance = self.instance(facts, (seed, now_ms))?;
        let decided =
            self.put(&mut instance, |guest, store| guest.policy.carom_policy_decision().call_decide(store))?;
        decided.map_err(|refusal| self.refused(&refusal))?;
        Ok((Decision::of(&mut instance.store), instance))
    }

    /// The policy says itself that it cannot decide.
    pub(super) fn refused(&self, why: &str) -> Failure {
        self.failure(FailureKind::Refused, &status_line(why))
    }

    /// Whether `return_path` may be answered; `hosts` are its mail exchangers. `decided`: the
    /// instance that has decided about the message, which is asked if there is one. It has read the
    /// settings already.
    pub(crate) fn map(
        &self,
        decided: &mut Option<PolicyInstance>,
        facts: &Rc<RecipientFacts>,
        return_path: &str,
        hosts: &[String],
    ) -> Result<Option<Mapping>, Failure> {
        let may_answer = |instance: &mut PolicyInstance| {
            self.put(instance, |guest, store| {
                guest.policy.carom_policy_mapping().call_may_answer(store, return_path, hosts)
            })
        };
        let known = decided.take().and_then(|mut instance| {
            self.renew(&mut instance, facts, FIXED);
            // If it fails, what it has kept may be the cause.
            let route = may_answer(&mut instance).ok()?;
            *decided = Some(instance);
            Some(route)
        });
        let route = match known {
            Some(route) => route,
            None => may_answer(&mut self.instance(facts, FIXED)?)?,
        };
        Ok(route.map(|route| Mapping { hosts: route.hosts, feedback_address: route.feedback_address }))
    }

    /// What the policy finds wrong with its settings.
    pub(crate) fn validate_settings(&self, facts: &Rc<RecipientFacts>) -> Result<Vec<String>, Failure> {
        let settings = self.settings(facts);
        let validated = self.ask_with(settings, facts, FIXED, |guest, store| {
            guest.policy.carom_policy_settings().call_validate(store, settings)
        });
        validated.map(|(faults, _)| faults)
    }
}
