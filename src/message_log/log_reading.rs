//! The message log as people read it: a row as one line of text.
//!
//! Not here: finding the rows (`trail`), and fitting them to a terminal (`cli/log`). Invariant: a
//! line that a crash or a full disk has cut off is shown as such, and no other line is missing for
//! it.

use super::logged_event::LoggedEvent;
use super::step_now::StepNow;
use super::trail_row::TrailRow;
use crate::mailbox_syntax::with_needed_quotes;
use crate::plan::Verdict;
use crate::text::{counted, one_line};
use serde_json::{Map, Value, json};

/// What is known about a line that was cut off.
const TORN: &str = "its line was cut off, when the disk was full or the power failed";

/// A JSON line of the log as people read it; any other line as it is.
pub(crate) fn readable(json: &str) -> String {
    TrailRow::alone(json).text()
}

impl TrailRow {
    /// The whole row.
    pub(crate) fn text(&self) -> String {
        let Some(event) = &self.event else { return self.torn() };
        one_line(&(self.beginning(event) + &self.story()))
    }

    /// Its time, its queue id and its envelope. What is about no message, such as an alert or a
    /// release, has none: the step names the address.
    pub(crate) fn beginning(&self, event: &LoggedEvent) -> String {
        let is_of_message = !event.sender.is_empty() || !event.recipient.is_empty();
        let envelope = if is_of_message { self.envelope() + "  " } else { String::new() };
        format!("{}  {}  {envelope}", event.time, self.queue_id())
    }

    /// A line that was cut off, by what is left of it.
    fn torn(&self) -> String {
        let word = |name: &str| {
            let start = self.line.find(&format!("\"{name}\":\""))? + name.len() + 4;
            let end = self.line[start..].find('"')?;
            Some(one_line(&self.line[start..start + end]))
        };
        let part = |name| word(name).unwrap_or_else(|| "-".to_owned());
        let envelope = word("recipient").map(|to| format!("to <{to}>  ")).unwrap_or_default();
        format!("{}  {}  {envelope}{TORN}", part("time"), part("queue_id"))
    }

    /// The line as it was written, with what is known now: `status`, `tries` and `steps`. `None`:
    /// it is cut off.
    pub(crate) fn json(&self) -> Option<Value> {
        let mut line: Map<String, Value> = serde_json::from_str(&self.line).ok()?;
        let event = self.event.as_ref()?;
        if let Some(name) = event.event.as_ref().filter(|_| !line.contains_key("event")) {
            // A record of another delivery: nothing came of it.
            line.insert("event".into(), name.as_str().into());
            line.insert("counted".into(), json!({}));
            line.insert("results".into(), json!([]));
        }
        line.insert("status".into(), self.status().into());
        if self.is_only_line {
            line.insert("verdict".into(), json!(event.verdict));
        }
        if self.is_counted {
            line.insert("counted".into(), json!(event.counted));
        }
        if let Some((tries, first)) = &self.deferred {
            line.insert("tries".into(), (*tries).into());
            line.insert("first_time".into(), first.as_str().into());
        }
        if !self.steps.is_empty() {
            line.insert("steps".into(), json!(self.steps));
        }
        Some(line.into())
    }

    pub(crate) fn queue_id(&self) -> &str {
        let queue_id = self.event.as_ref().and_then(|event| event.queue_id.as_deref());
        queue_id.filter(|id| !id.is_empty()).unwrap_or("-")
    }

    pub(crate) fn envelope(&self) -> String {
        let event = self.event.as_ref();
        event.map_or(String::new(), |event| {
            format!("<{}> to <{}>", with_needed_quotes(&event.sender), with_needed_quotes(&event.recipient))
        })
    }

    /// What became of the message: a word, the reason, and the steps.
    pub(crate) fn story(&self) -> String {
        [vec![self.outcome()], self.steps.iter().map(|step| step.text()).collect()].concat().join("  ")
    }

    /// The word, what was counted, and the reason.
    pub(crate) fn outcome(&self) -> String {
        let Some(event) = &self.event else { return self.torn() };
        let parts = [self.words(event), counted_words(event), self.reason_words(event)].concat();
        one_line(&parts.join("  "))
    }

    /// The word and the reason, without what was counted.
    pub(crate) fn headline(&self) -> String {
        let Some(event) = &self.event else { return self.torn() };
        one_line(&[self.words(event), self.reason_words(event)].concat().join("  "))
    }

    /// What was counted, and the steps that nobody has to do anything about.
    pub(crate) fn details(&self) -> String {
        let counted = self.event.as_ref().map(counted_words).unwrap_or_default();
        let ended = self.steps.iter().filter(|step| !step.is_open()).map(StepNow::text);
        one_line(&counted.into_iter().chain(ended).collect::<Vec<_>>().join("  "))
    }

    fn words(&self, event: &LoggedEvent) -> Vec<String> {
        let mut parts = vec![self.status().to_owned()];
        if let Some(file) = event.nameless_file().filter(|_| event.is_end() || event.is_deferral()) {
            parts.push(format!("file {file}"));
        }
        if event.from_log {
            parts.push("a failure in the mail log".into());
        }
        if event.is_policy_failure() {
            parts.push("policy-failed".into());
        }
        if let Some(said) = said(event) {
            parts[0] = format!("{} {said}", parts[0]);
        }
        if let Some((tries, first)) = self.deferred.as_ref().filter(|(tries, _)| *tries > 1) {
            parts.push(format!("{} since {first}", counted(*tries, "try")));
        }
        if self.is_decided {
            parts.push("decided since".into());
        }
        if self.copy_is_gone {
            parts.push("its copy is gone".into());
        }
        parts
    }

    /// The reason, unless the reply says it.
    fn reason_words(&self, event: &LoggedEvent) -> Vec<String> {
        let said = said(event).unwrap_or_default();
        event.reason.iter().filter(|reason| !said.contains(*reason)).cloned().collect()
    }
}

/// The reply of a message that was not accepted.
fn said(event: &LoggedEvent) -> Option<String> {
    match &event.verdict {
        Some(Verdict::Defer(reply) | Verdict::Reject(reply)) => {
            Some(format!("{} {} {}", reply.code, reply.enhanced, reply.in_one_line()))
        }
        _ => None,
    }
}

fn counted_words(event: &LoggedEvent) -> Vec<String> {
    let names = event.counted.keys().map(String::as_str).filter(|name| *name != "total_messages");
    let names: Vec<&str> = names.collect();
    if names.is_empty() { Vec::new() } else { vec![format!("counted: {}", names.join(", "))] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readable_line_holds_no_control_character() {
        let json = r#"{"time":"t","sender":"a\nb","recipient":"c","verdict":"accept","results":[{"action":"bounce","result":"failed","note":"!x\r\ny"}]}"#;
        let line = readable(json);
        assert!(!line.contains(char::is_control), "{line}");
        assert!(line.contains("bounce given up: x  y"), "{line}");
    }

    #[test]
    fn a_step_has_one_of_the_words_for_its_state() {
        for (result, note, word) in [
            ("succeeded", "sent", "bounce succeeded: sent"),
            ("later", "!refused", "bounce pending: refused"),
            ("parked", "!refused", "bounce parked: refused"),
            ("failed", "!refused", "bounce given up: refused"),
            ("failed", "1 of 5", "bounce noted: 1 of 5"),
            ("noted", "1 of 5", "bounce noted: 1 of 5"),
            ("given up", "refused", "bounce given up: refused"),
            ("pending", "refused", "bounce pending: refused"),
        ] {
            let result = format!(r#"{{"step":0,"action":"bounce","result":"{result}","note":"{note}"}}"#);
            let line = readable(&format!(r#"{{"verdict":"accept","results":[{result}]}}"#));
            assert!(line.ends_with(word), "{line}");
        }
    }
}
