//! Which pending steps an operator means, by an id, the key of a message or an address.
//!
//! Not here: what is done with them (`crate::store`). Invariant: an id that fits no step, or
//! several messages, is an error.

use crate::error::{Error, Result};
use crate::store::PendingStep;
use std::collections::HashSet;

/// The steps with this id, of this message (the first characters of its key are enough), or for
/// this address.
pub(crate) fn of_id<'a>(id: &str, pending: &'a [PendingStep]) -> Result<Vec<&'a PendingStep>> {
    let fitting =
        |fits: &dyn Fn(&PendingStep) -> bool| pending.iter().filter(|step| fits(step)).collect::<Vec<_>>();
    if id.contains('@') {
        let meant = fitting(&|step| step.target().eq_ignore_ascii_case(id));
        if !meant.is_empty() {
            return Ok(meant);
        }
    }
    let mut meant = fitting(&|step| step.id == id || step.key == id);
    if meant.is_empty() && !id.is_empty() {
        meant = fitting(&|step| step.key.starts_with(id));
    }
    let remedy = "`carom outbox` shows the ids of all pending steps";
    let Some(first) = meant.first() else {
        return Err(Error::new(format_args!("{id}: no pending step has this id or address")).remedy(remedy));
    };
    if meant.iter().any(|step| step.key != first.key) {
        return Err(Error::new(format_args!("{id}: several messages have keys that begin with it"))
            .remedy("give more characters of the key"));
    }
    Ok(meant)
}

/// The steps with these keys and numbers, as the log has them when an operator has dropped them.
pub(crate) fn dropped(steps: &[(String, usize)], pending: Vec<PendingStep>) -> Vec<PendingStep> {
    let given_up: HashSet<(&str, usize)> = steps.iter().map(|(key, step)| (key.as_str(), *step)).collect();
    let mut dropped: Vec<PendingStep> =
        pending.into_iter().filter(|step| given_up.contains(&(step.key.as_str(), step.step))).collect();
    dropped.iter_mut().for_each(|step| "dropped by an operator".clone_into(&mut step.note));
    dropped.sort_by(|a, b| (&a.key, a.step).cmp(&(&b.key, b.step)));
    dropped
}
