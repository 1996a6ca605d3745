//! A row of the trail: a line of the log, and what is known about its message now.
//!
//! Not here: finding rows (`trail`), and their text (`log_reading`). Invariant: a row has the
//! status of its message now, not of when the line was written.

use super::logged_event::LoggedEvent;
use super::step_now::{self, StepNow};
use crate::clock;
use crate::error::Result;
use crate::plan::Verdict;
use crate::store::{PromisedLine, Store};

/// A line, and what is known about its message now.
#[derive(Clone)]
pub(crate) struct TrailRow {
    pub(crate) at_ms: i64,
    pub(crate) line: String,
    /// `None`: the line was cut off.
    pub(crate) event: Option<LoggedEvent>,
    pub(crate) steps: Vec<StepNow>,
    /// How often the message was deferred, and the time of the first.
    pub(crate) deferred: Option<(u32, String)>,
    /// It was deferred, and is decided since.
    pub(crate) is_decided: bool,
    /// It is the line of a redelivery, or of steps that were done later, and the first delivery
    /// died before its own.
    pub(crate) is_only_line: bool,
    /// What that has counted is known: earlier builds promised a message without it.
    pub(super) is_counted: bool,
    /// It was kept, and its copy has expired, was displaced, or was erased.
    pub(crate) copy_is_gone: bool,
}

impl TrailRow {
    pub(super) fn without_event(line: &[u8], at_ms: i64) -> TrailRow {
        TrailRow {
            at_ms,
            line: String::from_utf8_lossy(line).into_owned(),
            event: None,
            steps: Vec::new(),
            deferred: None,
            is_decided: false,
            is_only_line: false,
            is_counted: false,
            copy_is_gone: false,
        }
    }

    /// A line by itself, as it is written.
    pub(crate) fn alone(line: &str) -> TrailRow {
        let Some(event) = LoggedEvent::read(line.as_bytes()) else {
            return TrailRow::without_event(line.as_bytes(), 0);
        };
        let steps = event.results.iter().map(|step| StepNow::logged(step, None)).collect();
        let at_ms = clock::parse(&event.time).unwrap_or(0);
        TrailRow { event: Some(event), steps, ..TrailRow::without_event(line.as_bytes(), at_ms) }
    }

    /// The same with what the store has on record of its steps now.
    pub(crate) fn look_up(&mut self, store: &Store) -> Result<()> {
        let Some(event) = self.event.as_ref().filter(|event| !event.is_deferral()) else { return Ok(()) };
        let message = event.message().unwrap_or_default();
        step_now::look_up(&mut self.steps, Some(store), message, event.is_decision())
    }

    /// Lets it stand for the decision about its message, which has no line. Returns whether it
    /// does: a line of steps needs to know the decision.
    pub(super) fn stand_for(&mut self, decided: Option<(Option<Verdict>, Option<PromisedLine>)>) -> bool {
        let Some(event) = &mut self.event else { return false };
        let (verdict, line) = decided.unwrap_or_default();
        event.verdict = event.verdict.take().or(verdict);
        if event.verdict.is_none() {
            return self.is_only_line;
        }
        self.is_only_line = true;
        if let Some(line) = line {
            event.counted = line.counted.iter().map(|(name, many)| (name.to_owned(), many)).collect();
            event.about = event.about.take().or(line.about);
            event.message_id = event.message_id.take().or(line.message_id);
            self.is_counted = true;
        }
        true
    }

    /// The word for what became of the message.
    pub(crate) fn status(&self) -> &str {
        let Some(event) = &self.event else { return "" };
        let word = if self.is_only_line { event.decision_word() } else { event.word() };
        match word {
            "accepted" if self.was_kept() && !self.copy_is_gone => "kept",
            "accepted" if self.steps.iter().any(StepNow::has_forwarded) => "forwarded",
            word => word,
        }
    }

    /// Whether it was kept because it has no effect.
    pub(super) fn was_kept(&self) -> bool {
        self.steps.iter().any(StepNow::has_kept)
            || self.event.as_ref().is_some_and(LoggedEvent::counts_as_kept)
    }

    /// The words for its state, by which rows are chosen.
    pub(crate) fn statuses(&self) -> Vec<&str> {
        let Some(event) = &self.event else { return Vec::new() };
        let mut statuses = if self.is_decided { Vec::new() } else { vec![self.status()] };
        if event.is_policy_failure() && !self.is_decided {
            statuses.push("policy-failed");
        }
        for step in &self.steps {
            match step.state {
                "given up" => statuses.push("given-up"),
                "pending" | "parked" => statuses.push(step.state),
                _ if step.has_forwarded() => statuses.push("forwarded"),
                _ if step.has_kept() && !self.copy_is_gone => statuses.push("kept"),
                _ => {}
            }
        }
        statuses
    }
}
