//! Lines of the message log about failures: noted in the transaction of their batch, and forgotten
//! once they are in the log. What a killed process has left is written by the next tick.
//!
//! In the store, because effects and lines are one commit; what the log says of a failure may be
//! more than what was noted, so it is known by its id. Not here: the rows
//! (`store/sqlite/noted_line_rows`), and a log that takes no lines (`message_log/unwritten`).
//! Invariant: each failure has one line, whatever is killed when.

use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::message_log::{LinesBack, MessageLog};
use crate::store::Store;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};

/// Batches of this process whose lines are noted, each with how many failures were handed over up
/// to its end.
#[derive(Default)]
pub(super) struct NotedLines(VecDeque<(u64, u64)>);

impl NotedLines {
    pub(super) fn add(&mut self, batch: u64, handed_over: u64) {
        self.0.push_back((batch, handed_over));
    }

    /// The last batch whose lines are all in the log; `written`: how many that were handed over
    /// have theirs.
    pub(super) fn written_up_to(&mut self, written: u64) -> u64 {
        let mut last = 0;
        while let Some((batch, _)) = self.0.front().filter(|(_, handed_over)| *handed_over <= written) {
            last = *batch;
            self.0.pop_front();
        }
        last
    }

    /// All lines of this process are in the log.
    pub(super) fn end(&self, store: &Store) -> Result<()> {
        self.0.back().map_or(Ok(()), |(last, _)| store.forget_noted_lines(*last))
    }
}

/// What a line is known by.
#[derive(Deserialize)]
struct NotedLine<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(default)]
    from_log: bool,
}

impl NotedLine<'_> {
    fn read(line: &[u8]) -> Option<NotedLine<'_>> {
        serde_json::from_slice(line).ok()
    }

    /// The failure that it is about.
    fn failure(&self) -> Option<&str> {
        self.id.as_deref().filter(|_| self.from_log)
    }
}

/// Writes what processes that were killed have left.
pub(crate) fn write_left(config: &Config, store: &Store) -> Result<()> {
    let left = store.left_lines()?;
    if left.is_empty() {
        return Ok(());
    }
    let lines = left.iter().flat_map(|(_, lines)| lines.lines());
    let noted: Vec<(&str, NotedLine<'_>)> =
        lines.filter_map(|line| Some((line, NotedLine::read(line.as_bytes())?))).collect();
    let oldest_ms = noted.iter().filter_map(|(_, noted)| clock::parse(&noted.time)).min();
    let known = in_log(config, oldest_ms.unwrap_or_else(clock::now_ms))?;
    let missing: Vec<String> = noted
        .iter()
        .filter(|(_, noted)| noted.failure().is_some_and(|id| !known.contains(id)))
        .map(|(line, _)| (*line).to_owned())
        .collect();
    if !missing.is_empty() {
        tracing::info!(lines = missing.len(), "a tick was killed; its lines of the message log are written");
    }
    MessageLog::open(config).append_json(&missing);
    store.forget_left_lines(left.into_iter().map(|(batch, _)| batch).collect())
}

/// The failures that have lines since a time.
fn in_log(config: &Config, since_ms: i64) -> Result<HashSet<String>> {
    let (mut known, mut back) = (HashSet::new(), LinesBack::since(config, since_ms)?);
    while let Some(line) = back.next()? {
        known.extend(NotedLine::read(&line).and_then(|line| line.failure().map(str::to_owned)));
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_in_the_log_after_lines_of_earlier_times() {
        let state = std::env::temp_dir().join(format!("carom-noted-{:x}", fastrand::u64(..)));
        let config = Config { state: Some(state.clone()), ..Config::default() };
        std::fs::create_dir_all(config.log_dir()).unwrap();
        let line = |id: &str, time: &str| {
            format!("{{\"time\":\"2026-11-{time}:00Z\",\"id\":\"{id}\",\"from_log\":true}}\n")
        };
        // Lines that the log could not take come into it late.
        let lines = line("first", "21T12:00") + &line("late", "21T08:00");
        std::fs::write(config.log_dir().join("messages-2026-11-21.log"), lines).unwrap();
        std::fs::write(config.log_dir().join("messages-2026-11-20.log"), line("old", "20T23:59")).unwrap();
        let noon = clock::parse("2026-11-21T12:00:00Z").unwrap();
        let known = in_log(&config, noon).unwrap();
        assert_eq!(known, HashSet::from(["first", "late"].map(str::to_owned)));
        std::fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn a_batch_is_written_when_all_that_was_handed_over_has_its_lines() {
        let mut noted = NotedLines::default();
        assert_eq!(noted.written_up_to(9), 0);
        [(4, 0), (5, 7), (6, 7), (7, 9)].into_iter().for_each(|(batch, many)| noted.add(batch, many));
        assert_eq!([noted.written_up_to(6), noted.written_up_to(8), noted.written_up_to(8)], [4, 6, 0]);
        assert_eq!(noted.written_up_to(9), 7);
    }
}
