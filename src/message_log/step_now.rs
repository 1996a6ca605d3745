//! The state of a step now, in one vocabulary for `carom log`, `carom find` and the text log.
//!
//! Not here: reading lines (`logged_event`), and rows of the store. Invariant: the words are
//! `succeeded`, `pending`, `parked`, `given up`, `noted` (it ended without an effect, as meant) and
//! `tried` (a later line says how it went on).

use super::logged_event::LoggedStep;
use crate::clock;
use crate::error::Result;
use crate::plan::state_as_written;
use crate::store::{NotificationState, PendingStep, StepOnRecord, Store};
use crate::text::counted;
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct StepNow {
    pub(crate) step: usize,
    pub(crate) action: String,
    pub(crate) state: &'static str,
    /// When a later line said so (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<String>,
    /// When it is tried next, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) due_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tries: Option<u32>,
    pub(crate) note: String,
    /// The command that makes a parked step due again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<String>,
}

impl StepNow {
    /// As a line says it.
    pub(crate) fn logged(step: &LoggedStep, at: Option<&str>) -> StepNow {
        let (state, note) = state_as_written(&step.result, &step.note);
        let (action, note, at) = (step.action.clone(), note.to_owned(), at.map(str::to_owned));
        StepNow { step: step.step, action, state, at, due_ms: None, tries: None, note, retry: None }
    }

    /// As the store has it; `None`: it never ran, because it waited for another end.
    pub(crate) fn on_record(key: &str, row: StepOnRecord) -> Option<StepNow> {
        let StepOnRecord { step, action, state, due_ms, attempts, note } = row;
        if state == "skipped" {
            return None;
        }
        let due_ms = (state == "pending").then_some(due_ms);
        let retry = (state == "parked").then(|| retry(&format!("{key}/{step}")));
        Some(StepNow { step, action, state, at: None, due_ms, tries: Some(attempts), note, retry })
    }

    /// The same of a notification, which is named by its event.
    pub(crate) fn of_notification(one: &NotificationState) -> StepNow {
        let NotificationState { id, event, state, due_ms, attempts, note, .. } = one.clone();
        let due_ms = (state == "pending").then_some(due_ms);
        let retry = (state == "parked").then(|| retry(&id));
        StepNow { step: 0, action: event, state, at: None, due_ms, tries: Some(attempts), note, retry }
    }

    /// The same of a step that waits.
    pub(crate) fn of_pending(step: &PendingStep) -> StepNow {
        let state = if step.is_parked() { "parked" } else { "pending" };
        let PendingStep { id, step, action, due_ms, attempts, note, .. } = step.clone();
        let retry = (state == "parked").then(|| retry(&id));
        let due_ms = (state == "pending").then_some(due_ms);
        StepNow { step, action, state, at: None, due_ms, tries: Some(attempts), note, retry }
    }

    /// Whether it has forwarded the message to an operator.
    pub(super) fn has_forwarded(&self) -> bool {
        self.action == "forward" && self.state == "succeeded"
    }

    /// Whether it has kept the message because that has no effect. A complaint that came before is
    /// kept again, and noted.
    pub(super) fn has_kept(&self) -> bool {
        matches!(
            (self.action.as_str(), self.state),
            ("keep-unproven", "succeeded") | ("keep-unmatched", "succeeded" | "noted")
        )
    }

    /// A line that is newer says more.
    pub(crate) fn tried(self) -> StepNow {
        let state = if matches!(self.state, "pending" | "parked") { "tried" } else { self.state };
        StepNow { state, ..self }
    }

    /// Whether it waits for something, or has failed.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, "pending" | "parked" | "given up")
    }

    /// Action, state, note, and the command that makes it due again.
    pub(crate) fn text(&self) -> String {
        let retry = self.retry.as_ref().map(|retry| format!("; to retry: {retry}"));
        self.brief() + &retry.unwrap_or_default()
    }

    /// Action, state and note.
    pub(crate) fn brief(&self) -> String {
        let StepNow { action, state, at, due_ms, tries, note, .. } = self;
        let mut text = format!("{action} {state}");
        if let Some(at) = at {
            text.push_str(&format!(" {at}"));
        }
        let due = due_ms.map(|due_ms| format!("next try {}", clock::rfc3339(due_ms)));
        let tries = tries.filter(|tries| *tries > 1 || *state == "pending");
        let tries =
            tries.map(|tries| if tries == 0 { "not tried yet".to_owned() } else { counted(tries, "try") });
        let more: Vec<String> = tries.into_iter().chain(due).collect();
        if !more.is_empty() {
            text.push_str(&format!(" ({})", more.join(", ")));
        }
        if !note.is_empty() {
            text.push_str(&format!(": {note}"));
        }
        text
    }
}

/// What the store has on record of a message's steps counts more than what the log says.
/// `is_whole`: those that are missing are added.
pub(super) fn look_up(
    steps: &mut Vec<StepNow>,
    store: Option<&Store>,
    message: &str,
    is_whole: bool,
) -> Result<()> {
    let Some(store) = store.filter(|_| !message.is_empty()) else { return Ok(()) };
    for row in store.steps_of(message)? {
        let Some(now) = StepNow::on_record(message, row) else { continue };
        match steps.iter_mut().find(|one| one.step == now.step && one.action == now.action) {
            Some(one) => *one = StepNow { at: one.at.take(), ..now },
            None if is_whole && now.action != "count" => steps.push(now),
            None => {}
        }
    }
    steps.sort_by_key(|one| one.step);
    Ok(())
}

/// The command that makes a parked step due again.
fn retry(id: &str) -> String {
    format!("carom outbox retry {id}")
}
