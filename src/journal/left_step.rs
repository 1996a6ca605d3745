//! A step that a tick has parked or given up, named for the operator.
//!
//! Not here: steps that ended without an effect, as meant: they need nobody.

use super::StepsDone;
use crate::plan::StepEnd;
use crate::store::{Ended, PendingStep};
use serde::Serialize;
use std::fmt;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeftStep {
    /// `parked` or `given up`.
    pub(crate) state: &'static str,
    /// Its name for operators: `KEY/NUMBER`.
    pub(crate) id: String,
    pub(crate) action: String,
    /// The recipient of its message.
    pub(crate) recipient: String,
    /// What happened at the last try.
    pub(crate) note: String,
}

impl LeftStep {
    /// Steps that a tick names, at most.
    pub(crate) const MOST: usize = 1000;

    pub(crate) fn of(done: &StepsDone<'_>) -> Vec<LeftStep> {
        let (key, recipient) = (done.mail.key.text(), &done.mail.envelope.recipient);
        let is_left = |ended: &&Ended| matches!(ended.done.end, StepEnd::Parked | StepEnd::GivenUp);
        let left = |ended: &Ended| LeftStep {
            state: ended.done.end.word(),
            id: format!("{key}/{}", ended.step),
            action: ended.action.to_string(),
            recipient: recipient.clone(),
            note: ended.done.note.clone(),
        };
        done.ended.iter().filter(is_left).map(left).collect()
    }

    pub(crate) fn given_up(step: &PendingStep) -> LeftStep {
        let PendingStep { id, action, recipient, note, .. } = step.clone();
        LeftStep { state: StepEnd::GivenUp.word(), id, action, recipient, note }
    }
}

impl fmt::Display for LeftStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LeftStep { state, id, action, recipient, note } = self;
        let message = id.rsplit_once('/').map_or(id.as_str(), |(message, _)| message);
        let show = match *state {
            "parked" => format!("to retry: carom outbox retry {id}"),
            _ => format!("see carom find {message}"),
        };
        // An alert is about no message.
        let for_whom = if recipient.is_empty() { String::new() } else { format!(" for {recipient}") };
        write!(f, "{state}: {action}{for_whom}: {note}; {show}")
    }
}
