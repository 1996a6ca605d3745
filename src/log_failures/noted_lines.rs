//! Lines of the message log about failures: noted in the transaction of their batch, and forgotten
//! once they are in the log. What a killed process has left is written by the next tick.
//!
//! Not here: the rows (`store/sqlite/noted_line_rows`). Invariant: each failure has one line,
//! whatever is killed when.

use crate::clock;
use crate::config::Config;
use crate::error::Result;
use crate::message_log::{LinesBack, MessageLog};
use crate::store::Store;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};

/// Lines come into the log in about the order of their times.
const OUT_OF_ORDER_MS: i64 = 600_000;

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

/// Writes what processes that were killed have left.
pub(super) fn write_left(config: &Config, store: &Store) -> Result<()> {
    let left = store.left_lines()?;
    if left.is_empty() {
        return Ok(());
    }
    let lines: Vec<&str> = left.iter().flat_map(|(_, lines)| lines.lines()).collect();
    let oldest_ms = lines.iter().filter_map(|line| at_ms(line.as_bytes())).min();
    let known = in_log(config, oldest_ms.unwrap_or_else(clock::now_ms) - OUT_OF_ORDER_MS)?;
    let missing: Vec<String> = lines
        .into_iter()
        .filter(|line| id(line.as_bytes()).is_some_and(|id| !known.contains(&id)))
        .map(str::to_owned)
        .collect();
    if !missing.is_empty() {
        tracing::info!(lines = missing.len(), "a tick was killed; its lines of the message log are written");
    }
    MessageLog::open(config).append_noted(&missing);
    store.forget_left_lines(left.into_iter().map(|(batch, _)| batch).collect())
}

/// The failures that have lines since a time.
fn in_log(config: &Config, since_ms: i64) -> Result<HashSet<String>> {
    let (mut known, mut back) = (HashSet::new(), LinesBack::of(config)?);
    while let Some(line) = back.next()? {
        if at_ms(&line).is_some_and(|at_ms| at_ms < since_ms) {
            break;
        }
        known.extend(id(&line));
    }
    Ok(known)
}

fn at_ms(line: &[u8]) -> Option<i64> {
    let said: NotedLine<'_> = serde_json::from_slice(line).ok()?;
    clock::parse(&said.time)
}

fn id(line: &[u8]) -> Option<String> {
    let said: NotedLine<'_> = serde_json::from_slice(line).ok()?;
    said.id.filter(|_| said.from_log).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_written_when_all_that_was_handed_over_has_its_lines() {
        let mut noted = NotedLines::default();
        assert_eq!(noted.written_up_to(9), 0);
        [(4, 0), (5, 7), (6, 7), (7, 9)].into_iter().for_each(|(batch, many)| noted.add(batch, many));
        assert_eq!([noted.written_up_to(6), noted.written_up_to(8), noted.written_up_to(8)], [4, 6, 0]);
        assert_eq!(noted.written_up_to(9), 7);
    }
}
