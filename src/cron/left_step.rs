//! A step that a tick has parked or given up, named for the operator.
//!
//! Not here: steps that ended without an effect, as meant: they need nobody.

use crate::journal::StepsDone;
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
    pub(super) fn of(done: &StepsDone<'_>) -> Vec<LeftStep> {
        let (key, recipient) = (done.mail.key.text(), &done.mail.envelope.recipient);
        let left = |ended: &Ended| {
            let state = match ended.done.end {
                StepEnd::Parked => "parked",
                StepEnd::Failed if ended.done.note.starts_with('!') => "given up",
                _ => return None,
            };
            Some(LeftStep {
                state,
                id: format!("{key}/{}", ended.step),
                action: ended.action.to_string(),
                recipient: recipient.clone(),
                note: ended.done.note.clone(),
            })
        };
        done.ended.iter().filter_map(left).collect()
    }

    pub(super) fn given_up(step: &PendingStep) -> LeftStep {
        let PendingStep { id, action, recipient, note, .. } = step.clone();
        LeftStep { state: "given up", id, action, recipient, note }
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
        write!(f, "{state}: {action} for {recipient}: {}; {show}", note.trim_start_matches('!'))
    }
}
