//! The message log as people read it.
//!
//! Invariant: a line that a crash or a full disk has cut off is shown as it is, and no other line
//! is missing for it.

use super::NAME;
use crate::config::Config;
use crate::error::{Context, Result};
use crate::files::daily;
use crate::text::one_line;
use serde_json::Value;
use std::fs;

/// A JSON line of the log as people read it; any other line as it is.
pub(crate) fn readable(json: &str) -> String {
    let Ok(line) = serde_json::from_str::<Value>(json) else {
        return one_line(json);
    };
    let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or("");
    let verdict = match line.get("verdict") {
        Some(Value::String(verdict)) => verdict.clone(),
        Some(Value::Object(verdict)) => verdict.iter().next().map(answered).unwrap_or_default(),
        _ => text("event").to_owned(),
    };
    let queue_id = if text("queue_id").is_empty() { "-" } else { text("queue_id") };
    let (time, sender, recipient) = (text("time"), text("sender"), text("recipient"));
    let mut shown = format!("{time}  {queue_id}  <{sender}> to <{recipient}>  {verdict}");
    let counted = line.get("counted").and_then(Value::as_object);
    let names = counted.into_iter().flat_map(|counted| counted.keys());
    for name in names.filter(|name| *name != "total_messages") {
        shown.push_str(&format!("  {name}"));
    }
    if !text("reason").is_empty() {
        shown.push_str(&format!("  {}", text("reason")));
    }
    for result in line.get("results").and_then(Value::as_array).into_iter().flatten() {
        let of = |key: &str| result.get(key).and_then(Value::as_str).unwrap_or("");
        shown.push_str(&format!("  {} {}: {}", of("action"), of("result"), of("note")));
    }
    one_line(&shown)
}

/// A verdict with the reply that the mail server was given.
fn answered((verdict, reply): (&String, &Value)) -> String {
    let word = |key: &str| match reply.get(key) {
        Some(Value::String(text)) => format!(" {text}"),
        Some(Value::Number(code)) => format!(" {code}"),
        _ => String::new(),
    };
    format!("{verdict}{}{}{}", word("code"), word("enhanced"), word("text"))
}

/// The last `lines` lines, oldest first.
pub(crate) fn tail(config: &Config, lines: usize) -> Result<Vec<String>> {
    let mut days = daily::days(&config.log_dir(), NAME)?;
    days.retain(|day| day.path.is_file());
    let mut found: Vec<String> = Vec::new();
    while let Some(day) = days.pop().filter(|_| found.len() < lines) {
        let bytes = fs::read(&day.path).context(day.path.display())?;
        let text = String::from_utf8_lossy(&bytes);
        let wanted = text.lines().rev().filter(|line| !line.is_empty()).take(lines - found.len());
        found.extend(wanted.map(str::to_owned));
    }
    found.reverse();
    Ok(found)
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
