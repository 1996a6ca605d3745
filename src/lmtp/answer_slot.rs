//! Where the answers for the recipients of one message are put by who decides about it, and taken
//! by the session that waits for them.
//!
//! Invariant: an answer that was given does not change; whoever drops its end without all answers
//! leaves "try again later" for the rest.

use super::loop_bell::SessionBell;
use crate::deadline::Deadline;
use crate::plan::Verdict;
use crate::smtp_reply::SmtpReply;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How soon a session that waits notices that it must end.
const SLICE: Duration = Duration::from_millis(200);

/// The session's end.
pub(super) struct AwaitedAnswers(Arc<AnswerSlot>);

/// The end of who decides.
pub(super) struct GivenAnswers(Arc<AnswerSlot>);

struct AnswerSlot {
    answers: Mutex<Vec<Option<Verdict>>>,
    complete: Condvar,
    /// Rung when they are complete.
    bell: Option<SessionBell>,
}

/// For this many recipients. Who does not wait has a bell.
pub(super) fn answers(recipients: usize, bell: Option<SessionBell>) -> (AwaitedAnswers, GivenAnswers) {
    let answers = Mutex::new(vec![None; recipients]);
    let slot = Arc::new(AnswerSlot { answers, complete: Condvar::new(), bell });
    (AwaitedAnswers(slot.clone()), GivenAnswers(slot))
}

impl AwaitedAnswers {
    /// Whether all answers are there.
    pub(super) fn are_there(&self) -> bool {
        self.0.answers().iter().all(Option::is_some)
    }

    /// Waits until all answers are there, no longer than until `deadline`, or until the session
    /// `must_end`.
    pub(super) fn take(self, deadline: Deadline, mut must_end: impl FnMut() -> bool) -> Vec<Verdict> {
        let mut answers = self.0.answers();
        while answers.iter().any(Option::is_none) && !deadline.passed() && !must_end() {
            let waited = self.0.complete.wait_timeout(answers, deadline.left().min(SLICE));
            answers = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        answers.iter().map(|answer| answer.clone().unwrap_or_else(late)).collect()
    }
}

impl GivenAnswers {
    pub(super) fn give(&self, recipient: usize, verdict: &Verdict) {
        let mut answers = self.0.answers();
        let Some(answer @ None) = answers.get_mut(recipient) else { return };
        *answer = Some(verdict.clone());
        let complete = answers.iter().all(Option::is_some);
        drop(answers);
        if complete {
            match &self.0.bell {
                Some(bell) => bell.ring(),
                None => self.0.complete.notify_one(),
            }
        }
    }
}

/// The answer when there was none in time.
fn late() -> Verdict {
    Verdict::Defer(SmtpReply::try_again_later("not decided in time"))
}

impl Drop for GivenAnswers {
    fn drop(&mut self) {
        let many = self.0.answers().len();
        let failed =
            Verdict::Defer(SmtpReply::try_again_later("carom failed on this message: please report it"));
        (0..many).for_each(|recipient| self.give(recipient, &failed));
    }
}

impl AnswerSlot {
    fn answers(&self) -> MutexGuard<'_, Vec<Option<Verdict>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_answers_is_try_again_later() {
        let (awaited, given) = answers(2, None);
        given.give(1, &Verdict::Accept);
        given.give(1, &Verdict::Defer(SmtpReply::try_again_later("x")));
        drop(given);
        let taken = awaited.take(Deadline::after(Duration::from_secs(60)), || false);
        assert!(matches!(&taken[..], [Verdict::Defer(_), Verdict::Accept]), "{taken:?}");
        let (awaited, _given) = answers(1, None);
        let taken = awaited.take(Deadline::after(Duration::ZERO), || false);
        assert!(matches!(&taken[..], [Verdict::Defer(_)]), "{taken:?}");
        let (awaited, _given) = answers(1, None);
        let taken = awaited.take(Deadline::after(Duration::from_secs(600)), || true);
        assert!(matches!(&taken[..], [Verdict::Defer(_)]), "{taken:?}");
    }
}
