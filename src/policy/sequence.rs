//! Failures of one sender domain, decided one after the other: by one instance, if the policy
//! exports `sequence`, else by a fresh one each.
//!
//! Not here: which failures (`crate::log_failures`). Invariant: each question has its limits; what
//! earlier questions left behind in an instance makes no failure.

use super::failure::Failure;
use super::instance::PolicyInstance;
use super::questions::Decision;
use super::ready::Policy;
use super::recipient_facts::RecipientFacts;
use std::rc::Rc;

/// Questions to one instance: what guests do not free must not add up.
const MOST: u32 = 256;

pub(crate) struct DecisionSequence<'p> {
    pub(crate) policy: &'p Policy,
    /// It has answered this many questions.
    instance: Option<(PolicyInstance, u32)>,
}

impl Policy {
    /// For failures of one sender domain.
    pub(crate) fn sequence(&self) -> DecisionSequence<'_> {
        DecisionSequence { policy: self, instance: None }
    }
}

impl DecisionSequence<'_> {
    /// What to do about the next failure, as `Policy::decide`.
    pub(crate) fn decide(
        &mut self,
        facts: &Rc<RecipientFacts>,
        seed: u64,
        now_ms: u64,
    ) -> Result<Decision, Failure> {
        if !self.policy.linked.decides_several() {
            return self.policy.decide(facts, seed, now_ms).map(|(decision, _)| decision);
        }
        if let Some((mut instance, answered)) = self.instance.take().filter(|(_, answered)| *answered < MOST)
        {
            self.policy.renew(&mut instance, facts, (seed, now_ms));
            // If it fails, what it has kept may be the cause.
            if let Ok(decision) = self.put(instance, answered) {
                return Ok(decision);
            }
        }
        let instance = self.policy.instance(facts, (seed, now_ms))?;
        self.put(instance, 0)
    }

    fn put(&mut self, mut instance: PolicyInstance, answered: u32) -> Result<Decision, Failure> {
        let decided = self.policy.put(&mut instance, |guest, store| match &guest.sequence {
            Some(several) => several.carom_policy_sequence().call_decide_next(store),
            None => guest.policy.carom_policy_decision().call_decide(store),
        })?;
        decided.map_err(|refusal| self.policy.refused(&refusal))?;
        let decision = Decision::of(&mut instance.store);
        self.instance = Some((instance, answered + 1));
        Ok(decision)
    }
}
