//! Whether something follows from a plan, besides counting and the report that it was delivered.
//!
//! Invariant: what nothing proves has no effect: such a suppression always fails, and such a soft
//! bounce counts for nothing. Nor has a notification that no application gets.

use super::{Action, Condition, Notification, Plan};

impl Plan {
    /// Whether it acts on an address that is proven.
    pub(crate) fn has_proven_step(&self) -> bool {
        self.steps.iter().any(|step| match &step.action {
            Action::Strike(strike) => strike.proven,
            Action::Suppress(suppression) => !suppression.unproven,
            _ => false,
        })
    }

    /// Notes which notifications an application gets: they wait for it if it goes.
    pub(crate) fn note_applications(&mut self, is_received: impl Fn(&Notification) -> bool) {
        for step in &mut self.steps {
            if let Action::Notify(notification) = &mut step.action {
                notification.has_application = is_received(notification);
            }
        }
    }

    /// Notes in each notification when that happened which it tells of: each try says the same.
    pub(crate) fn note_time(&mut self, at_ms: i64) {
        for step in &mut self.steps {
            if let Action::Notify(notification) = &mut step.action {
                notification.happened_ms = Some(at_ms);
            }
        }
    }

    /// Whether a step does something that lasts. `is_received`: whether an application gets a
    /// notification.
    pub(crate) fn has_effect(&self, is_received: impl Fn(&Notification) -> bool) -> bool {
        let mut fails = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let never_runs = matches!(step.after, Some((earlier, Condition::Succeeded)) if fails[earlier]);
            let is_void = match &step.action {
                Action::Strike(strike) => !strike.proven,
                Action::Suppress(suppression) => suppression.unproven,
                Action::Notify(notification) => !is_received(notification),
                _ => false,
            };
            let only_tells =
                matches!(step.action, Action::Count { .. } | Action::Verdict | Action::ReportSuccess(_));
            if !never_runs && !is_void && !only_tells {
                return true;
            }
            fails.push(never_runs || is_void);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Step, Suppression};

    fn plan(steps: Vec<(Option<(usize, Condition)>, Action)>) -> Plan {
        let step = |(after, action)| Step { after, delay: 0, action };
        Plan { steps: steps.into_iter().map(step).collect(), ..Plan::default() }
    }

    fn suppress(unproven: bool) -> Action {
        let (address, sender_domain, reason) = ("a@b.example".into(), String::new(), String::new());
        let (days, grounds) = (0, crate::plan::Grounds::default());
        Action::Suppress(Suppression { address, sender_domain, reason, days, unproven, grounds })
    }

    fn notify() -> Action {
        let (event, address, sender_domain) = (String::new(), String::new(), String::new());
        Action::Notify(Notification {
            event,
            address,
            sender_domain,
            fields: Vec::new(),
            bounce: None,
            has_application: false,
            happened_ms: None,
        })
    }

    #[test]
    fn what_nothing_proves_and_what_nobody_gets_is_no_effect() {
        let after = Some((0, Condition::Succeeded));
        let count = || Action::Count { name: "x".into() };
        for (steps, with_application, without) in [
            (vec![(None, Action::Verdict), (None, count())], false, false),
            (vec![(None, suppress(true)), (after, notify())], false, false),
            (vec![(None, suppress(false)), (after, notify())], true, true),
            (vec![(None, notify())], true, false),
            (vec![(None, suppress(true)), (Some((0, Condition::Failed)), Action::Keep)], true, true),
        ] {
            let plan = plan(steps);
            assert_eq!((plan.has_effect(|_| true), plan.has_effect(|_| false)), (with_application, without));
        }
    }
}
