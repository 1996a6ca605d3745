//! A cycle on one day: its value, the file that holds it, and the command that is run.
//!
//! Not here: the purge of suppressions.

use crate::clock;
use crate::config::{Config, CycleTable};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::files::command;
use crate::files::publish::publish;
use crate::files::regular;
use crate::store::Store;
use std::time::Duration;

/// Monday 2025-12-22, in days since 1970, as in the sink policy: in 2026 the count of weeks equals
/// the ISO week.
const ANCHOR: i64 = 20_444;
/// The beginning of the line that says who wrote a file.
const HEADER: &str = "# Written by carom ";
/// What is longer is none of ours.
const LONGEST: u64 = 1 << 20;
/// A mark that says so is finished; any other value is still to be done.
const DONE: &str = "done";

pub(super) struct Day<'a> {
    pub(super) cycle: &'a CycleTable,
    pub(super) config: &'a Config,
    pub(super) store: &'a Store,
    pub(super) now_ms: i64,
    /// In days since 1970.
    pub(super) today: i64,
    pub(super) timeout: Duration,
    pub(super) deadline: Deadline,
}

/// The index into a cycle of `length` days.
fn place(day: i64, length: usize) -> usize {
    (day - ANCHOR).rem_euclid(length.max(1) as i64) as usize
}

impl Day<'_> {
    fn value(&self, day: i64) -> f64 {
        let values = &self.cycle.values;
        values.get(place(day, values.len())).copied().unwrap_or_default()
    }

    fn mark(&self, what: &str) -> String {
        format!("cycle {} {what}", self.cycle.name)
    }

    /// Writes the file unless it holds today's value, and runs the reload command if it is due.
    pub(super) fn file(&self) -> Result<Option<String>> {
        let Some(path) = &self.cycle.file else { return Ok(None) };
        self.config.may_publish(path)?;
        let (value, mark) = (self.value(self.today), self.mark("reload"));
        let body = self.cycle.text.replace("{value}", &value.to_string());
        let body = format!("{}\n", body.trim_end_matches('\n'));
        let changes =
            regular::read_text(path, LONGEST).ok().is_none_or(|there| without_header(&there) != body);
        if changes {
            // Recorded before the file changes: if we are killed in between, the reload is still
            // due.
            self.store.mark(&mark, "due")?;
            publish(path, (self.header() + &body).as_bytes(), 0o644)?;
        }
        if self.store.marked(&mark)?.is_some_and(|mark| mark != DONE) {
            command::run(&self.cycle.reload, self.deadline.within(self.timeout))?;
            self.store.mark(&mark, DONE)?;
        }
        Ok(changes.then(|| format!("[[cycle]] {}: {value} in {}", self.cycle.name, path.display())))
    }

    fn header(&self) -> String {
        let (at, name, days) = (clock::rfc3339(self.now_ms), &self.cycle.name, self.cycle.values.len());
        let day = place(self.today, days) + 1;
        format!("{HEADER}at {at}: [[cycle]] {name}, day {day} of {days}. It will be written again.\n")
    }

    /// The name of the mark, if there is something to do today or was on a day without a tick.
    pub(super) fn is_due(&self, what: &str) -> Result<Option<String>> {
        let mark = self.mark(what);
        let done: Option<i64> = self.store.marked(&mark)?.and_then(|day| day.parse().ok());
        if done == Some(self.today) {
            return Ok(None);
        }
        let week = i64::try_from(self.cycle.values.len()).unwrap_or(7);
        // A day in the future comes from a clock that was wrong.
        let first = done.filter(|day| *day < self.today).map_or(self.today, |day| day + 1);
        let is_due = (first.max(self.today - week)..=self.today).any(|day| self.value(day) > 0.0);
        if !is_due {
            self.store.mark(&mark, &self.today.to_string())?;
        }
        Ok(is_due.then_some(mark))
    }

    /// Runs the command of the day.
    pub(super) fn run(&self) -> Result<Option<String>> {
        if self.cycle.run.is_empty() {
            return Ok(None);
        }
        let Some(mark) = self.is_due("run")? else { return Ok(None) };
        command::run(&self.cycle.run, self.deadline.within(self.timeout))?;
        self.store.mark(&mark, &self.today.to_string())?;
        Ok(Some(format!("[[cycle]] {}: ran {}", self.cycle.name, self.cycle.run[0])))
    }
}

/// The text without the line that says who wrote it.
fn without_header(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with(HEADER) => rest,
        _ => text,
    }
}
