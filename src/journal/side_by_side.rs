//! The steps of many messages, done side by side and settled together: one transaction for all that
//! have ended, not one for each.
//!
//! Not here: which steps are due (the store), and the threads (`action::lanes`). Invariant: a step
//! that takes long holds up neither another step nor the record of one that has ended.

use super::LEASE_MS;
use crate::action::lanes::LaneScope;
use crate::action::{self, Doors};
use crate::clock;
use crate::deadline::{Deadline, stopping};
use crate::error::Result;
use crate::mail::Mail;
use crate::plan::{Plan, Step, StepEnd};
use crate::store::{DueSteps, Ended, Performed};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// When no step has ended for this long, those that have are settled: the rest is slow.
const QUIET: Duration = Duration::from_millis(20);
/// The same if others go on ending: no end waits longer for its record.
const LONGEST: Duration = Duration::from_millis(100);

/// How long the store is tried for an end while other steps run.
const WHILE_OTHERS_RUN: Duration = Duration::from_secs(2);

/// A message with steps that are this process's to do.
pub(crate) struct Underway<'a> {
    mail: &'a Mail,
    plan: &'a Plan,
    /// Those that can be done now.
    ready: Vec<usize>,
    /// The most tries any of them has had.
    attempts: u32,
}

/// The work on a message is over, for now.
pub(crate) struct RunEnd {
    /// Its place among the messages.
    pub(crate) index: usize,
    pub(crate) ended: Vec<Ended>,
    /// Everything is on record: what is left to do, and the message if it is needed for that.
    pub(crate) on_record: bool,
}

impl<'a> Underway<'a> {
    /// A message that was just promised.
    pub(crate) fn promised(mail: &'a Mail, plan: &'a Plan) -> Underway<'a> {
        let starts = |(number, step): (usize, &Step)| step.starts_at_once().then_some(number);
        let ready = plan.steps.iter().enumerate().filter_map(starts).collect();
        Underway { mail, plan, ready, attempts: 0 }
    }

    /// A message whose first steps were done when it was promised: `ready` can be done now.
    pub(crate) fn begun(mail: &'a Mail, plan: &'a Plan, ready: Vec<usize>) -> Underway<'a> {
        Underway { mail, plan, ready, attempts: 0 }
    }

    /// A message on record.
    pub(crate) fn claimed(due: &'a DueSteps) -> Underway<'a> {
        let DueSteps { mail, plan, steps, attempts } = due;
        Underway { mail, plan, ready: steps.clone(), attempts: *attempts }
    }
}

/// What is known of one message while its steps are done.
#[derive(Default)]
struct Progress {
    /// Steps that have not ended, whether they have begun or not.
    open: usize,
    /// What has ended since it was last settled.
    unsettled: Vec<Ended>,
    ended: Vec<Ended>,
    over: bool,
}

/// Does the steps of these messages, and the steps that wait for them. `report` hears of each
/// message once, as soon as its work has ended.
pub(crate) fn run_all(
    doors: &Doors,
    work: Vec<Underway<'_>>,
    deadline: Deadline,
    report: &mut dyn FnMut(Vec<RunEnd>),
) {
    if work.is_empty() {
        return;
    }
    let (ends, ended) = channel();
    let progress = work.iter().map(|_| Progress::default()).collect();
    let mut run = Run {
        doors,
        work: &work,
        deadline,
        progress,
        waiting: VecDeque::new(),
        running: 0,
        oldest: None,
        ends,
    };
    for (index, one) in work.iter().enumerate() {
        run.open(index, &one.ready, one.attempts);
    }
    loop {
        run.leave_if_asked();
        if run.waiting.is_empty() || run.is_alone() {
            if let Some(next) = run.waiting.pop_front() {
                run.running += 1;
                run.job(next)();
                ended.try_iter().for_each(|(index, end)| run.note(index, end));
            }
            report(run.settle());
        } else {
            doors.lanes.side_by_side(|lanes| run.go(lanes, &ended, report));
        }
        if run.waiting.is_empty() {
            return;
        }
    }
}

/// A run of messages.
struct Run<'r> {
    doors: &'r Doors,
    work: &'r [Underway<'r>],
    deadline: Deadline,
    progress: Vec<Progress>,
    /// Steps that wait for a thread: message, step, tries before.
    waiting: VecDeque<(usize, usize, u32)>,
    running: usize,
    /// When the first of the steps ended that are not settled.
    oldest: Option<Instant>,
    ends: Sender<(usize, Ended)>,
}

impl<'r> Run<'r> {
    fn open(&mut self, index: usize, steps: &[usize], attempts: u32) {
        self.progress[index].open += steps.len();
        self.waiting.extend(steps.iter().map(|step| (index, *step, attempts)));
    }

    /// Whether one step is all there is to do, and this thread has nothing better to do.
    fn is_alone(&self) -> bool {
        self.running == 0 && self.waiting.len() == 1 && self.doors.lanes.one_message()
    }

    /// If the process is to end, the steps that have not begun are for whoever comes next.
    fn leave_if_asked(&mut self) {
        if stopping::asked() {
            for (index, ..) in self.waiting.drain(..) {
                self.progress[index].open -= 1;
            }
        }
    }

    /// Does steps until none is left, or only one that needs no thread.
    fn go<'scope>(
        &mut self,
        lanes: &LaneScope<'_, 'scope>,
        ended: &Receiver<(usize, Ended)>,
        report: &mut dyn FnMut(Vec<RunEnd>),
    ) where
        'r: 'scope,
    {
        loop {
            self.leave_if_asked();
            self.start(lanes);
            let next = match self.running {
                0 => Err(RecvTimeoutError::Timeout),
                _ => ended.recv_timeout(QUIET),
            };
            match next {
                Ok((index, end)) => self.note(index, end),
                Err(_) => report(self.settle()),
            }
            let has_waited = self.oldest.is_some_and(|oldest| oldest.elapsed() >= LONGEST);
            if has_waited || self.running == 0 && self.waiting.is_empty() {
                report(self.settle());
            }
            if self.running == 0 && (self.waiting.is_empty() || self.is_alone()) {
                return;
            }
        }
    }

    /// Starts as many of the waiting steps as there are free threads.
    fn start<'scope>(&mut self, lanes: &LaneScope<'_, 'scope>)
    where
        'r: 'scope,
    {
        // A thread is waited for only if nothing of ours could end meanwhile.
        while let Some(next) = self.waiting.front().copied()
            && lanes.start(self.job(next), self.running == 0)
        {
            self.waiting.pop_front();
            self.running += 1;
        }
    }

    fn job(&self, (index, step, attempts): (usize, usize, u32)) -> impl FnOnce() + Send + use<'r> {
        let (doors, work, deadline, ends) = (self.doors, self.work, self.deadline, self.ends.clone());
        move || {
            let Underway { mail, plan, .. } = &work[index];
            let done = action::perform(plan, step, mail, doors, attempts, deadline);
            // The receiver lives as long as the run.
            let _ = ends.send((index, Ended { step, action: plan.steps[step].action.name().into(), done }));
        }
    }

    /// A step has ended. A counter that waits for it needs no transaction for itself: it is settled
    /// with that step.
    fn note(&mut self, index: usize, one: Ended) {
        let (step, end) = (one.step, one.done.end);
        let progress = &mut self.progress[index];
        self.running -= 1;
        self.oldest.get_or_insert_with(Instant::now);
        progress.open -= 1;
        progress.unsettled.push(one);
        if !end.is_open() {
            let counts = self.work[index].plan.counts_after(step, end == StepEnd::Succeeded);
            progress.unsettled.extend(counts.into_iter().map(|(step, name)| {
                let done = Performed::new(StepEnd::Succeeded, name, name.to_owned());
                Ended { step, action: "count".into(), done }
            }));
        }
    }

    /// Puts on record what has ended, and finds what can be done next. Returns the messages whose
    /// work is over.
    fn settle(&mut self) -> Vec<RunEnd> {
        let unsettled = |index: &usize| !self.progress[*index].unsettled.is_empty();
        let some: Vec<usize> = (0..self.work.len()).filter(unsettled).collect();
        let finished = self.settle_these(&some);
        let mut over = Vec::new();
        let mut unfinished = Vec::new();
        for (index, finished) in some.iter().copied().zip(finished) {
            match finished {
                Some(true) => over.push((index, true)),
                _ if self.progress[index].open > 0 => {}
                Some(false) => unfinished.push(index),
                None => over.push((index, false)),
            }
        }
        // Messages that came without a step that can be done now, or whose steps were left.
        unfinished.extend((0..self.work.len()).filter(|index| {
            let progress = &self.progress[*index];
            progress.open == 0 && !progress.over && !some.contains(index)
        }));
        let left = self.claim_next(unfinished);
        let released = self.release(&left);
        over.extend(left.into_iter().map(|index| (index, released)));
        let end = |(index, on_record): (usize, bool)| {
            let progress = &mut self.progress[index];
            progress.over = true;
            RunEnd { index, ended: std::mem::take(&mut progress.ended), on_record }
        };
        over.into_iter().map(end).collect()
    }

    /// Whether each message is finished now; `None`: its ends are not on record.
    fn settle_these(&mut self, some: &[usize]) -> Vec<Option<bool>> {
        if some.is_empty() {
            return Vec::new();
        }
        let ends: Vec<(&str, &[Ended])> =
            some.iter().map(|index| (self.key(*index), &*self.progress[*index].unsettled)).collect();
        // While other steps run, their ends must not wait for a store that is locked: the file has
        // these.
        let by = match self.running > 0 {
            true => self.deadline.within(WHILE_OTHERS_RUN),
            false => self.deadline,
        };
        let settled = self.doors.store.settle(&ends, clock::now_ms(), by);
        if let Err(error) = &settled {
            for (key, _) in &ends {
                tracing::error!(%error, key, "finished steps are not on record yet; whoever claims steps next records them");
            }
        }
        self.oldest = None;
        for index in some {
            let progress = &mut self.progress[*index];
            progress.ended.append(&mut progress.unsettled);
        }
        settled.map_or_else(|_| vec![None; some.len()], |finished| finished.into_iter().map(Some).collect())
    }

    /// Takes the steps that can be done now that others have ended. Returns the messages that have
    /// none.
    fn claim_next(&mut self, unfinished: Vec<usize>) -> Vec<usize> {
        if self.deadline.passed() || stopping::asked() {
            return unfinished;
        }
        let keys: Vec<&str> = unfinished.iter().map(|index| self.key(*index)).collect();
        let claimed = self.doors.store.claim(&keys, clock::now_ms(), LEASE_MS);
        let claimed = claimed.unwrap_or_else(|error| {
            tracing::error!(%error, "the next tick does the remaining steps");
            vec![Vec::new(); unfinished.len()]
        });
        let mut left = Vec::new();
        for (index, ready) in unfinished.into_iter().zip(claimed) {
            self.open(index, &ready, 0);
            if ready.is_empty() {
                left.push(index);
            }
        }
        left
    }

    /// What is pending is for whoever comes next. Returns whether that is on record.
    fn release(&self, left: &[usize]) -> bool {
        let messages: Vec<_> =
            left.iter().map(|index| (self.key(*index), self.work[*index].mail.raw())).collect();
        let released: Result<()> = self.doors.store.release(&messages);
        if let Err(error) = &released {
            for (key, _) in messages {
                tracing::warn!(%error, key, "the message stays marked as in progress until this process ends");
            }
        }
        released.is_ok()
    }

    fn key(&self, index: usize) -> &'r str {
        self.work[index].mail.key.text()
    }
}
