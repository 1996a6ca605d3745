//! Whether a log can be read, from tick to tick: what was understood of it, and what is wrong.
//!
//! Not here: what a line that is not understood looks like (`unread_form`). Invariant: a log that
//! was understood once is not at fault for a few odd lines, and a fault lasts until a line is
//! understood or the log can be opened again.

use super::log_fault::LogFault;
use super::{Lines, unread_form};
use crate::clock;
use crate::config::LogKind;
use crate::error::Error;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// Lines in a row that are not understood, after which a log that was understood before is at
/// fault.
const ODD_LINES: u64 = 10;
/// Lines of other programs, after which a log without any line of the mail server is at fault.
pub(crate) const FOREIGN_LINES: u64 = 100;

/// What is known of a log between ticks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LogHealth {
    /// When a tick first looked at it, milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// A line of it was understood once.
    pub(crate) understood: bool,
    /// Lines that were not understood since one was.
    unread: u64,
    /// The first of them.
    first: Option<String>,
    /// Lines of other programs since then.
    foreign: u64,
    /// The first of them.
    stranger: Option<String>,
    /// A fault of the file that the lines that were read last had.
    refusal: Option<LogFault>,
    /// Why it cannot be read now.
    pub(crate) fault: Option<LogFault>,
    /// Since when, milliseconds since 1970.
    fault_ms: i64,
}

/// A log that cannot be read, as reports and ticks show it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct UnreadableLog {
    /// Kind and path: `postfix:/var/log/mail.log`.
    pub(crate) log: String,
    /// Since when (RFC 3339).
    pub(crate) since: String,
    pub(crate) why: String,
    pub(crate) fix: String,
}

/// What one tick read of a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogReading {
    pub(crate) lines: Lines,
    /// The first line that was not understood.
    pub(crate) unread: Option<String>,
    /// The first line of another program.
    pub(crate) stranger: Option<String>,
    /// What is wrong with the file itself.
    pub(crate) refusal: Option<LogFault>,
}

impl AddAssign for LogReading {
    fn add_assign(&mut self, more: LogReading) {
        self.lines += more.lines;
        self.unread = self.unread.take().or(more.unread);
        self.stranger = self.stranger.take().or(more.stranger);
        self.refusal = self.refusal.take().or(more.refusal);
    }
}

impl LogHealth {
    /// Of a log that no tick has looked at since logs are inspected.
    pub(crate) fn new(now_ms: i64, understood: bool) -> LogHealth {
        LogHealth { since_ms: now_ms, understood, ..LogHealth::default() }
    }

    /// Takes note of what was read.
    pub(crate) fn note(&mut self, kind: LogKind, reading: LogReading) {
        let LogReading { lines, unread, stranger, refusal } = reading;
        if lines.total() > 0 {
            self.refusal = refusal;
        }
        if understood(kind, &lines) > 0 {
            (self.understood, self.unread, self.foreign) = (true, 0, 0);
            (self.first, self.stranger) = (None, None);
            return;
        }
        self.unread += lines.unknown;
        self.foreign += lines.foreign;
        self.first = self.first.take().or(unread);
        self.stranger = self.stranger.take().or(stranger);
    }

    /// What the lines so far say is wrong. Lines of other programs alone are a fault if there are
    /// many; `explain` knows the fix for the first line that was not understood.
    pub(crate) fn fault_of_lines(
        &self,
        kind: LogKind,
        foreign_limit: u64,
        explain: impl FnOnce(Option<&str>) -> LogFault,
    ) -> Option<LogFault> {
        if let Some(refusal) = &self.refusal {
            return Some(refusal.clone());
        }
        let limit = if self.understood { ODD_LINES } else { 1 };
        if self.unread >= limit {
            let LogFault { why, fix } = explain(self.first.as_deref());
            let first = self.first.as_deref().unwrap_or_default();
            let lines = match self.unread {
                1 => "the only line is not understood".to_owned(),
                unread => format!("none of {unread} lines is understood"),
            };
            let why = format!("{lines}: {why}; the first is: {first}");
            return Some(LogFault { why, fix });
        }
        let stranger = self.stranger.as_deref().filter(|_| !self.understood)?;
        if let Some(other) = unread_form::other_kind(kind, stranger) {
            let LogFault { why, fix } = unread_form::of_other_kind(other);
            let server = kind.server();
            let fix = format!("{fix}, or set path to the file that {server} logs to");
            return Some(LogFault {
                why: format!("no line of {server}: {why}; the first is: {stranger}"),
                fix,
            });
        }
        if stranger.split(" postfix/").nth(1).is_some_and(|line| line.contains("]: ")) {
            return Some(LogFault::new(
                format!("its lines of Postfix are within those of another program; the first is: {stranger}"),
                "let Postfix log to syslog itself, or use Docker's json-file driver instead of syslog",
            ));
        }
        let server = unread_form::other_server(stranger);
        (self.foreign >= foreign_limit || server.is_some()).then(|| LogFault {
            why: format!(
                "no line of {} among {} lines of {}; the first is: {stranger}",
                kind.server(),
                self.foreign,
                server.unwrap_or("other programs")
            ),
            fix: format!("set path of [[logs]] to the file that {} logs to", kind.server()),
        })
    }

    /// Sets the fault, or clears it.
    pub(crate) fn set_fault(&mut self, fault: Option<LogFault>) {
        if self.fault.is_none() {
            self.fault_ms = clock::now_ms();
        }
        self.fault = fault;
    }

    pub(crate) fn unreadable(&self, log: &str) -> Option<UnreadableLog> {
        let LogFault { why, fix } = self.fault.clone()?;
        Some(UnreadableLog { log: log.to_owned(), since: clock::rfc3339(self.fault_ms), why, fix })
    }
}

impl UnreadableLog {
    pub(crate) fn error(&self) -> Error {
        let path = self.log.split_once(':').map_or(self.log.as_str(), |(_, path)| path);
        let path = if path.is_empty() { &self.log } else { path };
        let error = match self.why.starts_with(path) {
            true => Error::new(&self.why),
            false => Error::new(&self.why).within(path),
        };
        error.remedy(&self.fix)
    }
}

/// How many lines were understood: of Postfix, also those that say nothing about a message; of
/// PowerMTA and KumoMTA, records, because a header alone says nothing.
pub(crate) fn understood(kind: LogKind, lines: &Lines) -> u64 {
    match kind {
        LogKind::PowerMta | LogKind::KumoMta => lines.events,
        LogKind::Postfix | LogKind::Journald | LogKind::Exim => lines.events + lines.ignored,
    }
}
