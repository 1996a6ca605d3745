//! The two logs: one line for each message, and what carom has to say about itself.
//!
//! Both go to files named after the day (UTC), so that a day ends without anything being renamed and no writer, of
//! however many, can lose a line. Invariant: a line is one write(2) in append mode, and holds no control character; and
//! nothing is ever logged to standard output or standard error, which belong to the mail server.

use crate::clock::{self, DAY_MS};
use crate::config::{Config, LogFormat};
use crate::envelope::Envelope;
use crate::error::{Context, Result};
use crate::files::owner;
use crate::files::publish::publish_link;
use crate::plan::Verdict;
use crate::store::{Ended, Tally};
use crate::text::one_line;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tracing_subscriber::fmt::MakeWriter;

/// Longest line in bytes: one write of this size is never split by the kernel among appenders.
const MAX_LINE: usize = 16 << 10;

/// One line of the message log.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MessageLine<'a> {
    /// When the message was decided (RFC 3339, UTC).
    pub(crate) time: String,
    /// The envelope.
    #[serde(flatten)]
    pub(crate) envelope: &'a Envelope,
    /// The policy that decided, and what.
    #[serde(flatten)]
    pub(crate) decided_by: Policed<'a>,
    /// With this seed it decides the same again.
    pub(crate) seed: u64,
    /// What the mail server was told.
    pub(crate) verdict: &'a Verdict,
    /// What was counted when it was decided.
    pub(crate) counted: Tally,
    /// What was done, and what came of it.
    pub(crate) results: Vec<Ended>,
}

/// The policy that decided, exactly.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Policed<'a> {
    /// Its name.
    #[serde(rename = "policy")]
    pub(crate) name: &'a str,
    /// The first digits of the SHA-256 of its component.
    #[serde(rename = "policy_hash")]
    pub(crate) hash: &'a str,
    /// The same for the same plan.
    pub(crate) plan: String,
}

impl<'a> MessageLine<'a> {
    /// A line about a message that came at `at_ms`.
    pub(crate) fn new(
        at_ms: i64,
        envelope: &'a Envelope,
        decided_by: Policed<'a>,
        verdict: &'a Verdict,
        seed: u64,
    ) -> MessageLine<'a> {
        let (counted, results) = (Tally::default(), Vec::new());
        MessageLine { time: clock::rfc3339(at_ms), envelope, decided_by, seed, verdict, counted, results }
    }
}

/// The log of messages.
pub(crate) struct MessageLog {
    directory: PathBuf,
    format: LogFormat,
}

impl MessageLog {
    /// A log that opens its file when there is something to write.
    pub(crate) fn open(config: &Config) -> MessageLog {
        MessageLog { directory: config.log_dir(), format: config.log.format }
    }

    /// Adds a line. A log that cannot be written does not stop mail: the message is on record in the store.
    pub(crate) fn append(&self, entry: &MessageLine<'_>) {
        let json = serde_json::to_string(entry).unwrap_or_default();
        let text = match self.format {
            LogFormat::Json => bounded_json(json, entry),
            LogFormat::Text => readable(&json),
        };
        if let Err(error) = append(&self.directory, "messages", &text) {
            tracing::warn!(%error, directory = %self.directory.display(), "the message log cannot be written");
        }
    }
}

/// A line that is too long loses its results' notes, never its form.
fn bounded_json(json: String, entry: &MessageLine<'_>) -> String {
    if json.len() < MAX_LINE {
        return json;
    }
    let mut short = entry.clone();
    for result in &mut short.results {
        result.done.note.truncate(result.done.note.floor_char_boundary(200));
    }
    short.results.truncate(20);
    let shorter = serde_json::to_string(&short).unwrap_or_default();
    if shorter.len() < MAX_LINE { shorter } else { format!(r#"{{"time":"{}","too_long":true}}"#, entry.time) }
}

/// A line of the message log as people read it.
pub(crate) fn readable(json: &str) -> String {
    let Ok(line) = serde_json::from_str::<serde_json::Value>(json) else {
        return one_line(json);
    };
    let text = |key: &str| line.get(key).and_then(serde_json::Value::as_str).unwrap_or("");
    let verdict = match line.get("verdict") {
        Some(serde_json::Value::String(verdict)) => verdict.clone(),
        Some(serde_json::Value::Object(verdict)) => verdict.keys().next().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let mut shown = format!(
        "{}  {}  <{}> to <{}>  {verdict}",
        text("time"),
        if text("queue_id").is_empty() { "-" } else { text("queue_id") },
        text("sender"),
        text("recipient"),
    );
    for name in
        line.get("counted").and_then(serde_json::Value::as_object).into_iter().flat_map(|all| all.keys())
    {
        if name != "total_messages" {
            shown.push_str(&format!("  {name}"));
        }
    }
    for result in line.get("results").and_then(serde_json::Value::as_array).into_iter().flatten() {
        let of = |key: &str| result.get(key).and_then(serde_json::Value::as_str).unwrap_or("");
        shown.push_str(&format!("  {} {}: {}", of("action"), of("result"), of("note")));
    }
    one_line(&shown)
}

/// The last `lines` of the message log, oldest first.
pub(crate) fn tail(config: &Config, lines: usize) -> Result<Vec<String>> {
    let mut days = days(&config.log_dir(), "messages")?;
    let mut found: Vec<String> = Vec::new();
    while let Some(day) = days.pop().filter(|_| found.len() < lines) {
        let mut text = String::new();
        File::open(&day).and_then(|mut file| file.read_to_string(&mut text)).context(day.display())?;
        let wanted = text.lines().rev().take(lines - found.len());
        found.extend(wanted.map(str::to_owned));
    }
    found.reverse();
    Ok(found)
}

/// Removes logs older than `[log] keep_days`, and the oldest days of more than `max_size`; never today's.
pub(crate) fn expire(config: &Config) {
    if config.log.max_size > 0 {
        shrink(config);
    }
    if config.log.keep_days == 0 {
        return;
    }
    let oldest = day(clock::now_ms() - i64::from(config.log.keep_days) * DAY_MS);
    for stem in ["messages", "carom"] {
        for path in days(&config.log_dir(), stem).unwrap_or_default() {
            let older =
                path.file_stem().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(stem));
            if older.is_some_and(|date| date.trim_start_matches('-') < oldest.as_str()) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// Removes the oldest days until all are no bigger than `[log] max_size` together.
fn shrink(config: &Config) {
    let today = day(clock::now_ms());
    let mut files: Vec<(String, PathBuf, u64)> = Vec::new();
    for stem in ["messages", "carom"] {
        for path in days(&config.log_dir(), stem).unwrap_or_default() {
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let size = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            files.push((name.trim_start_matches(stem).trim_start_matches('-').to_owned(), path, size));
        }
    }
    files.sort();
    let mut total = files.iter().fold(0u64, |sum, (_, _, size)| sum.saturating_add(*size));
    for (date, path, size) in &files {
        if total <= config.log.max_size || *date >= today {
            break;
        }
        if fs::remove_file(path).is_ok() {
            total = total.saturating_sub(*size);
        }
    }
}

/// The files of a log, oldest first.
fn days(directory: &Path, stem: &str) -> Result<Vec<PathBuf>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let prefix = format!("{stem}-");
    let mut days: Vec<PathBuf> = fs::read_dir(directory)
        .context(directory.display())?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .collect();
    days.sort_unstable();
    Ok(days)
}

fn day(at_ms: i64) -> String {
    clock::rfc3339(at_ms).chars().take("2026-11-21".len()).collect()
}

/// Appends a line to today's file of a log, and lets `STEM.log` point there.
fn append(directory: &Path, stem: &str, line: &str) -> io::Result<()> {
    let name = format!("{stem}-{}.log", day(clock::now_ms()));
    let path = directory.join(&name);
    let existing = File::options().append(true).open(&path);
    let mut file = match existing {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            owner::make_directory(directory)?;
            owner::make_file(&path)?;
            let file = File::options().append(true).open(&path)?;
            // The log works without it.
            let _ = publish_link(Path::new(&name), &directory.join(format!("{stem}.log")));
            file
        }
        opened => opened?,
    };
    let mut bytes = Vec::with_capacity(line.len() + 1);
    bytes.extend_from_slice(&line.as_bytes()[..line.floor_char_boundary(MAX_LINE)]);
    bytes.push(b'\n');
    file.write_all(&bytes)
}

/// Sends carom's own log (tracing events) to its file, which is opened at the first event.
pub(crate) fn init(config: &Config) {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(config.log.level.0)
        .with_ansi(false)
        .with_target(false)
        .with_writer(Diagnostics { directory: config.log_dir() })
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Where diagnostics go. Without a place to write they are dropped: mail goes on, and `carom check` tells.
struct Diagnostics {
    directory: PathBuf,
}

/// One event on its way to the file.
struct Event<'a> {
    directory: &'a Path,
    bytes: Vec<u8>,
}

impl<'a> MakeWriter<'a> for Diagnostics {
    type Writer = Event<'a>;

    fn make_writer(&'a self) -> Event<'a> {
        Event { directory: &self.directory, bytes: Vec::new() }
    }
}

impl Write for Event<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Event<'_> {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        let _ = append(self.directory, "carom", &one_line(text.trim_end()));
    }
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

    #[test]
    fn logs_go_by_their_age_and_the_oldest_by_what_they_take_together() {
        let directory = std::env::temp_dir().join(format!("carom-log-{:x}", fastrand::u64(..)));
        fs::create_dir(&directory).unwrap();
        let date = |ago: i64| day(clock::now_ms() - ago * DAY_MS);
        for ago in [0, 1, 2, 9, 11] {
            for stem in ["messages", "carom"] {
                fs::write(directory.join(format!("{stem}-{}.log", date(ago))), "x".repeat(100)).unwrap();
            }
        }
        fs::write(directory.join("other-2001-01-01.log"), "not ours").unwrap();
        let left = |max_size: u64| {
            let mut config = Config::default();
            (config.log.directory, config.log.max_size) = (Some(directory.clone()), max_size);
            expire(&config);
            fs::read_dir(&directory).unwrap().count()
        };
        assert_eq!(left(0), 9, "older than ten days");
        assert_eq!(left(650), 7, "the oldest day of what is left");
        assert_eq!(left(350), 4, "and one log of the day before");
        assert!(directory.join(format!("messages-{}.log", date(1))).exists());
        assert_eq!(left(1), 3, "today's stay");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn b40_lines_of_many_writers_are_all_there() {
        let directory = std::env::temp_dir().join(format!("carom-log-{:x}", fastrand::u64(..)));
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let directory = &directory;
                scope.spawn(move || {
                    for number in 0..100 {
                        append(directory, "messages", &format!("{writer} {number} {}", "x".repeat(2000)))
                            .unwrap();
                    }
                });
            }
        });
        let lines: usize = days(&directory, "messages")
            .unwrap()
            .iter()
            .map(|day| fs::read_to_string(day).unwrap().lines().filter(|line| line.len() > 2000).count())
            .sum();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(lines, 800);
    }
}
