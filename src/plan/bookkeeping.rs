//! Steps that only count, and the verdict: they need no promise of their own.
//!
//! Invariant: the other steps keep their order, and each counter is counted exactly when its step
//! would have run.

use super::{Action, Condition, Plan, Step};

impl Plan {
    /// Whether it changes nothing outside.
    pub(crate) fn only_counts(&self) -> bool {
        self.steps.iter().all(|step| is_bookkeeping(step) && step.delay == 0)
    }

    /// Removes the steps that are certain and change nothing outside: the verdict, and counters
    /// that wait for nothing. Returns the names to count. Steps that waited for them now wait for
    /// nothing; steps that waited for their failure are removed.
    pub(crate) fn take_bookkeeping(&mut self) -> Vec<String> {
        let mut counted = Vec::new();
        let mut kept: Vec<Step> = Vec::new();
        let mut fates: Vec<Fate> = Vec::new();
        for mut step in std::mem::take(&mut self.steps) {
            let after = step.after.take().map(|(index, condition)| (fates[index], condition));
            let fate = match after {
                Some((Fate::Never, _) | (Fate::Done, Condition::Failed)) => Fate::Never,
                None | Some((Fate::Done, _)) if is_bookkeeping(&step) && step.delay == 0 => {
                    if let Action::Count { name } = step.action {
                        counted.push(name);
                    }
                    Fate::Done
                }
                after => {
                    step.after = match after {
                        Some((Fate::Kept(index), condition)) => Some((index, condition)),
                        _ => None,
                    };
                    kept.push(step);
                    Fate::Kept(kept.len() - 1)
                }
            };
            fates.push(fate);
        }
        self.steps = kept;
        counted
    }

    /// The counters to add because `step` has ended: their step numbers and names. They wait for it
    /// directly, or through each other.
    pub(crate) fn counts_after(&self, step: usize, succeeded: bool) -> Vec<(usize, &str)> {
        let mut ended = vec![(step, succeeded)];
        let mut counts = Vec::new();
        for (number, next) in self.steps.iter().enumerate().skip(step + 1) {
            let (Some((earlier, condition)), Action::Count { name }, 0) =
                (next.after, &next.action, next.delay)
            else {
                continue;
            };
            let met = |&(ended, succeeded): &(usize, bool)| ended == earlier && condition.is_met(succeeded);
            if ended.iter().any(met) {
                ended.push((number, true));
                counts.push((number, name.as_str()));
            }
        }
        counts
    }
}

impl Condition {
    /// Whether a step that waits for this starts, now that the earlier one has ended.
    pub(crate) fn is_met(self, succeeded: bool) -> bool {
        match self {
            Condition::Succeeded => succeeded,
            Condition::Failed => !succeeded,
            Condition::Finished => true,
        }
    }
}

/// What became of a step while bookkeeping was removed.
#[derive(Clone, Copy)]
enum Fate {
    Kept(usize),
    Done,
    Never,
}

fn is_bookkeeping(step: &Step) -> bool {
    matches!(step.action, Action::Count { .. } | Action::Verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Verdict;

    fn step(action: Action, after: Option<(usize, Condition)>) -> Step {
        Step { after, delay: 0, action }
    }

    fn count(name: &str) -> Action {
        Action::Count { name: name.into() }
    }

    #[test]
    fn bookkeeping_is_taken_out_and_the_rest_keeps_its_order() {
        let mut plan = Plan {
            expect: None,
            verdict: Verdict::Accept,
            steps: vec![
                step(Action::Verdict, None),
                step(count("accept"), Some((0, Condition::Succeeded))),
                step(Action::Keep, Some((1, Condition::Finished))),
                step(count("kept"), Some((2, Condition::Succeeded))),
                step(count("never"), Some((0, Condition::Failed))),
            ],
        };
        assert_eq!(plan.take_bookkeeping(), ["accept"]);
        assert_eq!(
            plan.steps,
            [step(Action::Keep, None), step(count("kept"), Some((0, Condition::Succeeded)))]
        );
    }

    #[test]
    fn counts_that_hang_on_a_step_are_found_through_each_other_but_not_through_other_steps() {
        let later = Step { delay: 60, ..step(count("a_minute_on"), Some((0, Condition::Succeeded))) };
        let plan = Plan {
            expect: None,
            verdict: Verdict::Accept,
            steps: vec![
                step(Action::Keep, None),
                step(count("kept"), Some((0, Condition::Succeeded))),
                step(count("not_kept"), Some((0, Condition::Failed))),
                step(count("through"), Some((1, Condition::Finished))),
                later,
                step(Action::Keep, Some((0, Condition::Succeeded))),
                step(count("again"), Some((5, Condition::Succeeded))),
            ],
        };
        assert_eq!(plan.counts_after(0, true), [(1, "kept"), (3, "through")]);
        assert_eq!(plan.counts_after(0, false), [(2, "not_kept")]);
    }
}
