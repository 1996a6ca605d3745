//! The state of a step now, in one vocabulary for `carom log`, `carom find` and the text log.
//!
//! Not here: reading lines (`logged_event`), and rows of the store. Invariant: the words are
//! `succeeded`, `pending`, `parked`, `given up`, `noted` (it ended without an effect, as meant) and
//! `tried` (a later line says how it went on).

use super::logged_event::LoggedStep;
use crate::clock;
use crate::store::StepOnRecord;
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
        let state = match (step.result.as_str(), step.note.starts_with('!')) {
            ("succeeded", _) => "succeeded",
            ("later", _) => "pending",
            ("parked", _) => "parked",
            ("failed", false) => "noted",
            _ => "given up",
        };
        let at = at.map(str::to_owned);
        let (action, note) = (step.action.clone(), step.note.clone());
        StepNow { step: step.step, action, state, at, due_ms: None, tries: None, note, retry: None }
    }

    /// As the store has it; `None`: it never ran, because it waited for another end.
    pub(crate) fn on_record(key: &str, row: StepOnRecord) -> Option<StepNow> {
        let StepOnRecord { step, action, state, due_ms, attempts, note } = row;
        let state = match state.as_str() {
            "succeeded" => "succeeded",
            "pending" => "pending",
            "parked" => "parked",
            "skipped" => return None,
            _ if note.starts_with('!') => "given up",
            _ => "noted",
        };
        let due_ms = (state == "pending").then_some(due_ms);
        let retry = (state == "parked").then(|| format!("carom outbox retry {key}/{step}"));
        Some(StepNow { step, action, state, at: None, due_ms, tries: Some(attempts), note, retry })
    }

    /// A line that is newer says more.
    pub(crate) fn tried(self) -> StepNow {
        let state = if matches!(self.state, "pending" | "parked") { "tried" } else { self.state };
        StepNow { state, ..self }
    }

    /// Action, state and note.
    pub(crate) fn text(&self) -> String {
        let StepNow { action, state, at, due_ms, tries, note, retry, .. } = self;
        let mut text = format!("{action} {state}");
        if let Some(at) = at {
            text.push_str(&format!(" {at}"));
        }
        let due = due_ms.map(|due_ms| format!("next try {}", clock::rfc3339_ms(due_ms)));
        let tries =
            tries.filter(|tries| *tries > 1 || *state == "pending").map(|tries| counted(tries, "try"));
        let more: Vec<String> = tries.into_iter().chain(due).collect();
        if !more.is_empty() {
            text.push_str(&format!(" ({})", more.join(", ")));
        }
        // The mark tells a failure from an end without an effect; the state says that.
        let note = note.trim_start_matches('!');
        if !note.is_empty() {
            text.push_str(&format!(": {note}"));
        }
        if let Some(retry) = retry {
            text.push_str(&format!("; to retry: {retry}"));
        }
        text
    }
}
