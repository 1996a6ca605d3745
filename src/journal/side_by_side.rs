//! The steps of many messages, done side by side and settled together: one transaction for all that
//! have ended, not one for each.
//!
//! Not here: which steps are due (the store), and the threads (`action::lanes`). Invariant: a step
//! that takes long holds up neither another step nor the record of one that has ended.

use super::LEASE_MS;
use super::step_queue::{StepQueue, WaitingStep};
use crate::action::lanes::LaneScope;
use crate::action::{self, Doors};
use crate::clock;
use crate::deadline::{Deadline, stopping};
use crate::error::Result;
use crate::mail::Mail;
use crate::plan::{Plan, Step, StepEnd};
use crate::store::{DueSteps, Ended, Performed};
use std::time::{Duration, Instant};

/// When no step has ended for this long, those that have are settled: the rest is slow.
const QUIET: Duration = Duration::from_millis(20);
/// The same if others go on ending: no end waits longer for its record.
const LONGEST: Duration = Duration::from_millis(100);

/// Lanes of a run at first. While steps take long, there are twice as many after each wait.
const FIRST_LANES: usize = 4;

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
    let (queue, progress) = (StepQueue::default(), work.iter().map(|_| Progress::default()).collect());
    let mut run = Run { doors, work: &work, deadline, progress, queue: &queue, oldest: None, latest: None };
    for (index, one) in work.iter().enumerate() {
        run.open(index, &one.ready, one.attempts);
    }
    loop {
        run.leave_if_asked();
        if queue.is_over() || run.is_alone() {
            run.do_next();
            run.note_all(Duration::ZERO);
            report(run.settle());
        } else {
            doors.lanes.side_by_side(|lanes| run.go(lanes, report));
        }
        if queue.is_over() {
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
    queue: &'r StepQueue,
    /// When the first and the last of the steps ended that are not settled.
    oldest: Option<Instant>,
    latest: Option<Instant>,
}

impl<'r> Run<'r> {
    fn open(&mut self, index: usize, steps: &[usize], attempts: u32) {
        self.progress[index].open += steps.len();
        self.queue.add(steps.iter().map(|step| WaitingStep { index, step: *step, attempts }));
    }

    /// Whether one step is all there is to do, and this thread has nothing better to do.
    fn is_alone(&self) -> bool {
        self.queue.counts() == (1, 0) && self.doors.lanes.one_message()
    }

    /// If the process is to end, the steps that have not begun are for whoever comes next.
    fn leave_if_asked(&mut self) {
        if stopping::asked() {
            for left in self.queue.withdraw() {
                self.progress[left.index].open -= 1;
            }
        }
    }

    /// Does steps until none is left, or only one that needs no thread.
    fn go<'scope>(&mut self, lanes: &LaneScope<'_, 'scope>, report: &mut dyn FnMut(Vec<RunEnd>))
    where
        'r: 'scope,
    {
        let mut more = FIRST_LANES;
        loop {
            self.leave_if_asked();
            self.start(lanes, more);
            let ended = self.note_all(QUIET);
            more = match self.queue.lanes() {
                0 => FIRST_LANES,
                lanes if ended == 0 => lanes,
                _ => 0,
            };
            let is_done = self.queue.is_over();
            let is_due = |since: Option<Instant>, time| since.is_some_and(|since| since.elapsed() >= time);
            if is_done || is_due(self.latest, QUIET) || is_due(self.oldest, LONGEST) {
                report(self.settle());
            }
            if self.queue.is_over() || self.is_alone() {
                return;
            }
        }
    }

    /// Lets some more lanes take the steps that wait, as far as lanes are free.
    fn start<'scope>(&mut self, lanes: &LaneScope<'_, 'scope>, more: usize)
    where
        'r: 'scope,
    {
        for _ in 0..self.queue.counts().0.min(more) {
            // A lane is waited for only if nothing of ours could end meanwhile.
            let limit = if self.queue.lanes() == 0 { QUIET } else { Duration::ZERO };
            self.queue.enter_lane();
            if !lanes.start(self.lane(), limit) {
                self.queue.leave_lane();
                return;
            }
            // This thread was the lane, or there is not much to do.
            if self.queue.lanes() == 0 {
                return;
            }
        }
    }

    /// What a lane does: steps, as many as it may, until none waits, the process is to end or,
    /// after some time, another run needs the lane.
    fn lane(&self) -> impl FnOnce(usize) + Send + use<'r> {
        let (doors, work, deadline, queue) = (self.doors, self.work, self.deadline, self.queue);
        move |most| {
            let began = Instant::now();
            let is_needed = || doors.lanes.is_wanted() && began.elapsed() >= LONGEST;
            for _ in 0..most {
                if stopping::asked() || !do_next(doors, work, deadline, queue) || is_needed() {
                    break;
                }
            }
            queue.leave_lane();
        }
    }

    /// Does the step that waits longest, in this thread.
    fn do_next(&self) {
        do_next(self.doors, self.work, self.deadline, self.queue);
    }

    /// Notes what ends until all lanes are done, or for so long; returns how many steps that were.
    fn note_all(&mut self, limit: Duration) -> usize {
        let ended = self.queue.wait(limit);
        let many = ended.len();
        ended.into_iter().for_each(|(index, end)| self.note(index, end));
        many
    }

    /// A step has ended. A counter that waits for it needs no transaction for itself: it is settled
    /// with that step.
    fn note(&mut self, index: usize, one: Ended) {
        let (step, end) = (one.step, one.done.end);
        let progress = &mut self.progress[index];
        let now = Instant::now();
        self.oldest.get_or_insert(now);
        self.latest = Some(now);
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
        let by = match self.queue.counts().1 > 0 {
            true => self.deadline.within(WHILE_OTHERS_RUN),
            false => self.deadline,
        };
        let settled = self.doors.store.settle(&ends, clock::now_ms(), by);
        if let Err(error) = &settled {
            for (key, _) in &ends {
                tracing::error!(%error, key, "finished steps are not on record yet; whoever claims steps next records them");
            }
        }
        (self.oldest, self.latest) = (None, None);
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

/// Does the step that waits longest; returns whether there was one.
fn do_next(doors: &Doors, work: &[Underway<'_>], deadline: Deadline, queue: &StepQueue) -> bool {
    let Some(WaitingStep { index, step, attempts }) = queue.take() else { return false };
    let Underway { mail, plan, .. } = &work[index];
    let done = action::perform(plan, step, mail, doors, attempts, deadline);
    queue.end(index, Ended { step, action: plan.steps[step].action.name().into(), done });
    true
}
