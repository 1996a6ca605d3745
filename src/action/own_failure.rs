//! Steps that fail on this machine: a full disk, a locked store. They are retried without limit.

use super::doors::retry_time::Patience;
use crate::clock;
use crate::mail::Mail;
use crate::plan::StepEnd;
use crate::store::Performed;

pub(crate) fn retry_own_failure(mail: &Mail, attempts: u32, note: String) -> Performed {
    let (patience, now_ms) = (Patience::with_ourselves(), clock::now_ms());
    let next = patience.next_try(attempts + 1, mail.at_ms, now_ms, mail.key.text(), 0);
    Performed::new(next.map_or(StepEnd::GivenUp, |at_ms| StepEnd::Later { at_ms }), "", note)
}
