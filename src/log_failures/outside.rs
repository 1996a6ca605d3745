//! Steps about failures that leave the process, such as notifications, done in a thread while other
//! failures are acted on.
//!
//! Not here: what they are (`crate::action`). Invariant: acting never waits for an application.
//! What cannot be done in time is given back; it was promised, so the outbox does it.

use super::acted_failure::ActedFailure;
use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::house::House;
use crate::journal::{LeftStep, RunEnd, StepsDone, run_all};
use crate::policy::Policy;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Failures that wait for the thread, at most.
const WAITING: usize = 4096;
/// Failures whose steps are done side by side.
const TOGETHER: usize = 64;

/// The thread, and the way to it.
pub(super) struct Outside<'s> {
    entrance: SyncSender<ActedFailure>,
    thread: ScopedJoinHandle<'s, Undone>,
    /// How many it was given, and how many of them have their lines in the message log.
    handed_over: u64,
    written: Arc<AtomicU64>,
    /// Keys of what found no place.
    left: Vec<String>,
}

/// Keys of what was not done, and the steps that are parked or were given up, the first of them.
type Undone = (Vec<String>, Vec<LeftStep>);

/// What the thread needs.
struct Desk<'h> {
    house: &'h House,
    policy: &'h Policy,
    deadline: Deadline,
    written: Arc<AtomicU64>,
}

impl<'s> Outside<'s> {
    pub(super) fn new<'h>(
        scope: &'s Scope<'s, 'h>,
        (house, policy): (&'h House, &'h Policy),
        deadline: Deadline,
    ) -> Result<Outside<'s>> {
        let (entrance, queue) = sync_channel(WAITING);
        let written = Arc::new(AtomicU64::new(0));
        let desk = Desk { house, policy, deadline, written: written.clone() };
        let thread = Builder::new().name("outside".into()).spawn_scoped(scope, move || desk.work(&queue));
        let thread = thread.context("cannot start a thread for notifications")?;
        Ok(Outside { entrance, thread, handed_over: 0, written, left: Vec::new() })
    }

    /// Has the steps done that are ready. Never waits: returns what found no place.
    pub(super) fn hand_over(&mut self, acted: ActedFailure) -> Option<ActedFailure> {
        let Err(TrySendError::Full(acted) | TrySendError::Disconnected(acted)) =
            self.entrance.try_send(acted)
        else {
            self.handed_over += 1;
            return None;
        };
        self.left.push(acted.key().to_owned());
        Some(acted)
    }

    pub(super) fn handed_over(&self) -> u64 {
        self.handed_over
    }

    /// How many of those have their lines in the message log, in the order in which they came.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Relaxed)
    }

    /// Waits for the thread.
    pub(super) fn end(self) -> Result<Undone> {
        let Outside { entrance, thread, left: mut undone, .. } = self;
        drop(entrance);
        let (too_late, left) = thread.join().map_err(|_| Error::new("a thread has panicked"))?;
        undone.extend(too_late);
        Ok((undone, left))
    }
}

impl Desk<'_> {
    /// Until the way in is closed.
    fn work(&self, queue: &Receiver<ActedFailure>) -> Undone {
        let (mut too_late, mut left) = (Vec::new(), Vec::new());
        while let Ok(first) = queue.recv() {
            let some: Vec<ActedFailure> =
                std::iter::once(first).chain(queue.try_iter().take(TOGETHER - 1)).collect();
            if self.deadline.passed() {
                too_late.extend(some.iter().map(|one| one.key().to_owned()));
                let lines: Vec<String> = some.iter().map(|one| one.noted.clone()).collect();
                self.house.log.append_json(&lines);
            } else {
                self.run(&some, &mut left);
                left.truncate(LeftStep::MOST);
            }
            self.written.fetch_add(some.len() as u64, Relaxed);
        }
        (too_late, left)
    }

    fn run(&self, some: &[ActedFailure], left: &mut Vec<LeftStep>) {
        let policy = (&*self.policy.name, self.policy.short_hash());
        let work = some.iter().map(ActedFailure::underway).collect();
        run_all(&self.house.doors, work, self.deadline, &mut |ends| {
            for RunEnd { index, ended, .. } in &ends {
                left.extend(LeftStep::of(&StepsDone { mail: &some[*index].failure.mail, ended }));
            }
            let line = |end: RunEnd| some[end.index].line(policy, end.ended);
            self.house.log.append(&ends.into_iter().map(line).collect::<Vec<_>>());
        });
    }
}
