//! Which pending steps an operator means, by an id, the key of a message or an address.
//!
//! Not here: what is done with them (`crate::store`). Invariant: an id that fits no step, or
//! several messages, is an error.

use crate::error::{Error, Result};
use crate::store::{PendingStep, Store};
use std::collections::HashSet;

/// What names a step: the key of its message, and its number.
pub(crate) type StepName = (String, usize);

/// The steps with this id, of this message (the first characters of its key are enough), or for
/// this address.
pub(crate) fn of_id(id: &str, store: &Store) -> Result<Vec<StepName>> {
    of_ids(&[id.to_owned()], store)
}

/// The same for several ids.
pub(crate) fn of_ids(ids: &[String], store: &Store) -> Result<Vec<StepName>> {
    let mut meant: Vec<Meant<'_>> = ids.iter().map(|id| Meant { id, ..Meant::default() }).collect();
    store.visit_steps(&mut |step| {
        meant.iter_mut().for_each(|meant| meant.look(&step));
        Ok(true)
    })?;
    let mut all = Vec::new();
    for meant in meant {
        all.extend(meant.end()?);
    }
    Ok(all)
}

/// What one id could mean.
#[derive(Default)]
struct Meant<'i> {
    id: &'i str,
    for_address: Vec<StepName>,
    exactly: Vec<StepName>,
    beginning: Vec<StepName>,
    /// Another message has a key that begins with it.
    is_ambiguous: bool,
}

impl Meant<'_> {
    fn look(&mut self, step: &PendingStep) {
        let (id, name) = (self.id, || (step.key.clone(), step.step));
        if id.contains('@') && step.target().eq_ignore_ascii_case(id) {
            self.for_address.push(name());
        }
        if step.id == id || step.key == id {
            self.exactly.push(name());
        } else if !id.is_empty() && step.key.starts_with(id) {
            match self.beginning.first() {
                Some((key, _)) if *key != step.key => self.is_ambiguous = true,
                _ => self.beginning.push(name()),
            }
        }
    }

    fn end(self) -> Result<Vec<StepName>> {
        let Meant { id, for_address, exactly, beginning, is_ambiguous } = self;
        match (for_address.is_empty(), exactly.is_empty(), beginning.is_empty()) {
            (false, ..) => Ok(for_address),
            (_, false, _) => Ok(exactly),
            (.., false) if !is_ambiguous => Ok(beginning),
            (.., false) => {
                Err(Error::new(format_args!("{id}: several messages have keys that begin with it"))
                    .remedy("give more characters of the key"))
            }
            _ => Err(Error::new(format_args!("{id}: no pending step has this id or address"))
                .remedy("`carom outbox` shows the ids of all pending steps")),
        }
    }
}

/// The steps with these keys and numbers, as the log has them when an operator has dropped them.
pub(crate) fn dropped(steps: &[StepName], pending: Vec<PendingStep>) -> Vec<PendingStep> {
    let given_up: HashSet<(&str, usize)> = steps.iter().map(|(key, step)| (key.as_str(), *step)).collect();
    let mut dropped: Vec<PendingStep> =
        pending.into_iter().filter(|step| given_up.contains(&(step.key.as_str(), step.step))).collect();
    dropped.iter_mut().for_each(|step| "dropped by an operator".clone_into(&mut step.note));
    dropped.sort_by(|a, b| (&a.key, a.step).cmp(&(&b.key, b.step)));
    dropped
}
