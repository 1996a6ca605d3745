//! The message log: one line for each message, in `messages-DATE.log`.
//!
//! Not here: carom's own log (`diagnostics`), and how the files of days come and go
//! (`files::daily`). Invariant: a message is on record in the store before its line is written, so
//! that a full disk loses lines and no mail.

use crate::clock;
use crate::config::{Config, LogFormat};
use crate::diagnostics;
use crate::envelope::Envelope;
use crate::error::{Context, Result};
use crate::files::daily;
use crate::plan::Verdict;
use crate::store::{Ended, Tally};
use crate::text::one_line;
use serde::Serialize;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// What the files are named after.
const NAME: &str = "messages";

#[derive(Clone, Debug, Serialize)]
pub(crate) struct MessageLine<'a> {
    /// When the message was decided (RFC 3339, UTC).
    pub(crate) time: String,
    #[serde(flatten)]
    pub(crate) envelope: &'a Envelope,
    #[serde(flatten)]
    pub(crate) decided_by: DecidedBy<'a>,
    /// `carom policy run --seed` with it makes the same decision again.
    pub(crate) seed: u64,
    /// The answer to the mail server.
    pub(crate) verdict: &'a Verdict,
    /// The counters that the decision incremented.
    pub(crate) counted: Tally,
    /// The steps that were run, and how each ended.
    pub(crate) results: Vec<Ended>,
}

/// The policy that decided, down to its bytes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct DecidedBy<'a> {
    #[serde(rename = "policy")]
    pub(crate) name: &'a str,
    /// The first digits of the SHA-256 of its component.
    #[serde(rename = "policy_hash")]
    pub(crate) hash: &'a str,
    /// The digest of the plan: equal plans, equal digests.
    pub(crate) plan: String,
}

impl<'a> MessageLine<'a> {
    /// A line without counters and results, for a message that came at `at_ms`.
    pub(crate) fn new(
        at_ms: i64,
        envelope: &'a Envelope,
        decided_by: DecidedBy<'a>,
        verdict: &'a Verdict,
        seed: u64,
    ) -> MessageLine<'a> {
        let (counted, results) = (Tally::default(), Vec::new());
        MessageLine { time: clock::rfc3339(at_ms), envelope, decided_by, seed, verdict, counted, results }
    }
}

pub(crate) struct MessageLog {
    directory: PathBuf,
    format: LogFormat,
}

impl MessageLog {
    /// Opens no file before the first line.
    pub(crate) fn open(config: &Config) -> MessageLog {
        MessageLog { directory: config.log_dir(), format: config.log.format }
    }

    /// Adds a line. A log that cannot be written does not stop mail.
    pub(crate) fn append(&self, line: &MessageLine<'_>) {
        let json = serde_json::to_string(line).unwrap_or_default();
        let text = match self.format {
            LogFormat::Json => shortened(json, line),
            LogFormat::Text => readable(&json),
        };
        if let Err(error) = daily::append(&self.directory, NAME, &text) {
            tracing::warn!(%error, directory = %self.directory.display(), "the message log cannot be written");
        }
    }
}

/// A line that is too long loses notes and results, and stays JSON.
fn shortened(json: String, line: &MessageLine<'_>) -> String {
    if json.len() < daily::MAX_LINE {
        return json;
    }
    let mut short = line.clone();
    for result in &mut short.results {
        result.done.note.truncate(result.done.note.floor_char_boundary(200));
    }
    short.results.truncate(20);
    let shorter = serde_json::to_string(&short).unwrap_or_default();
    if shorter.len() < daily::MAX_LINE {
        shorter
    } else {
        format!(r#"{{"time":"{}","too_long":true}}"#, line.time)
    }
}

/// A JSON line of the log as people read it; any other line as it is.
pub(crate) fn readable(json: &str) -> String {
    let Ok(line) = serde_json::from_str::<Value>(json) else {
        return one_line(json);
    };
    let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or("");
    let verdict = match line.get("verdict") {
        Some(Value::String(verdict)) => verdict.clone(),
        Some(Value::Object(verdict)) => verdict.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let queue_id = if text("queue_id").is_empty() { "-" } else { text("queue_id") };
    let (time, sender, recipient) = (text("time"), text("sender"), text("recipient"));
    let mut shown = format!("{time}  {queue_id}  <{sender}> to <{recipient}>  {verdict}");
    let counted = line.get("counted").and_then(Value::as_object);
    let names = counted.into_iter().flat_map(|counted| counted.keys());
    for name in names.filter(|name| *name != "total_messages") {
        shown.push_str(&format!("  {name}"));
    }
    for result in line.get("results").and_then(Value::as_array).into_iter().flatten() {
        let of = |key: &str| result.get(key).and_then(Value::as_str).unwrap_or("");
        shown.push_str(&format!("  {} {}: {}", of("action"), of("result"), of("note")));
    }
    one_line(&shown)
}

/// The last `lines` lines, oldest first.
pub(crate) fn tail(config: &Config, lines: usize) -> Result<Vec<String>> {
    let mut days = daily::days(&config.log_dir(), NAME)?;
    let mut found: Vec<String> = Vec::new();
    while let Some(day) = days.pop().filter(|_| found.len() < lines) {
        let text = fs::read_to_string(&day.path).context(day.path.display())?;
        let wanted = text.lines().rev().take(lines - found.len());
        found.extend(wanted.map(str::to_owned));
    }
    found.reverse();
    Ok(found)
}

/// Removes what `[log] keep_days` and `max_size` no longer allow, of this log and of carom's own.
pub(crate) fn expire(config: &Config) {
    let log = &config.log;
    daily::expire(&config.log_dir(), &[NAME, diagnostics::NAME], log.keep_days, log.max_size);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_readable_line_holds_no_control_character() {
        let json = r#"{"time":"t","sender":"a\nb","recipient":"c","verdict":"accept","results":[{"action":"bounce","result":"failed","note":"x\r\ny"}]}"#;
        let line = readable(json);
        assert!(!line.contains(char::is_control), "{line}");
        assert!(line.contains("bounce failed: x  y"), "{line}");
    }
}
