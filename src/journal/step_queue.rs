//! The steps of a run between the thread that settles them and the lanes that do them: a lane takes
//! one after the other, and wakes the settling thread only when nothing is left to take.
//!
//! Not here: when ends are settled (`side_by_side`). Invariant: a step is taken once, and its end
//! is there for the settling thread as soon as it has ended.

use crate::store::Ended;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A step that waits for a lane.
#[derive(Clone, Copy)]
pub(super) struct WaitingStep {
    /// The place of its message among those of the run.
    pub(super) index: usize,
    pub(super) step: usize,
    /// Tries before.
    pub(super) attempts: u32,
}

#[derive(Default)]
pub(super) struct StepQueue {
    steps: Mutex<Steps>,
    /// All have ended, or nobody takes those that wait.
    over: Condvar,
}

#[derive(Default)]
struct Steps {
    waiting: VecDeque<WaitingStep>,
    running: usize,
    /// Lanes that take steps.
    lanes: usize,
    ended: Vec<(usize, Ended)>,
}

impl StepQueue {
    pub(super) fn add(&self, steps: impl Iterator<Item = WaitingStep>) {
        self.steps().waiting.extend(steps);
    }

    /// The next step, for whoever does it now.
    pub(super) fn take(&self) -> Option<WaitingStep> {
        let mut steps = self.steps();
        let next = steps.waiting.pop_front()?;
        steps.running += 1;
        Some(next)
    }

    /// A step that was taken has ended.
    pub(super) fn end(&self, index: usize, end: Ended) {
        let mut steps = self.steps();
        steps.ended.push((index, end));
        steps.running -= 1;
    }

    /// A lane is about to take steps.
    pub(super) fn enter_lane(&self) {
        self.steps().lanes += 1;
    }

    /// It takes none any more.
    pub(super) fn leave_lane(&self) {
        let mut steps = self.steps();
        steps.lanes -= 1;
        if steps.lanes == 0 {
            self.over.notify_one();
        }
    }

    /// Waits until no lane takes steps, no longer than `limit`; returns what has ended meanwhile.
    pub(super) fn wait(&self, limit: Duration) -> Vec<(usize, Ended)> {
        let taken = |steps: &mut Steps| steps.lanes > 0;
        let waited = self.over.wait_timeout_while(self.steps(), limit, taken);
        let (mut steps, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut steps.ended)
    }

    /// Steps that wait, and steps that are being done.
    pub(super) fn counts(&self) -> (usize, usize) {
        let steps = self.steps();
        (steps.waiting.len(), steps.running)
    }

    /// Whether nothing waits, and all ends were returned.
    pub(super) fn is_over(&self) -> bool {
        let steps = self.steps();
        steps.waiting.is_empty() && steps.running == 0 && steps.ended.is_empty()
    }

    /// Lanes that take steps.
    pub(super) fn lanes(&self) -> usize {
        self.steps().lanes
    }

    /// Takes all that wait, so that nobody does them.
    pub(super) fn withdraw(&self) -> VecDeque<WaitingStep> {
        std::mem::take(&mut self.steps().waiting)
    }

    fn steps(&self) -> MutexGuard<'_, Steps> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
