//! Whether something follows from a plan, besides counting.
//!
//! Invariant: what nothing proves has no effect: such a suppression always fails, and such a soft
//! bounce counts for nothing.

use super::{Action, Condition, Plan};

impl Plan {
    /// Whether it acts on an address that is proven.
    pub(crate) fn has_proven_step(&self) -> bool {
        self.steps.iter().any(|step| match &step.action {
            Action::Strike(strike) => strike.proven,
            Action::Suppress(suppression) => !suppression.unproven,
            _ => false,
        })
    }

    /// Whether a step does something that lasts.
    pub(crate) fn has_effect(&self) -> bool {
        let mut fails = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let never_runs = matches!(step.after, Some((earlier, Condition::Succeeded)) if fails[earlier]);
            let is_unproven = match &step.action {
                Action::Strike(strike) => !strike.proven,
                Action::Suppress(suppression) => suppression.unproven,
                _ => false,
            };
            let only_counts = matches!(step.action, Action::Count { .. } | Action::Verdict);
            if !never_runs && !is_unproven && !only_counts {
                return true;
            }
            fails.push(never_runs || is_unproven);
        }
        false
    }
}
