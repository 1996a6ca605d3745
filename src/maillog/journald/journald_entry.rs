//! An entry of the journal: the fields that matter.
//!
//! Invariant: a field with an unreadable number counts as absent.

use crate::clock;
use crate::maillog::postfix::{self, Parsed, lossy};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournaldEntry {
    /// The position after it: `journalctl --after-cursor`.
    pub(crate) cursor: String,
    /// When it was received, milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) host: Vec<u8>,
    /// The program: `postfix/smtp`.
    pub(crate) identifier: Vec<u8>,
    pub(crate) pid: u32,
    pub(crate) message: Vec<u8>,
}

impl JournaldEntry {
    /// What the entry says, as if it were a line of a log file.
    pub(crate) fn parse(&self) -> Parsed<'_> {
        postfix::message(self.at_ms, &self.host, &self.identifier, self.pid, &self.message)
    }

    /// The same as a line of a log file.
    pub(crate) fn as_line(&self) -> String {
        let (host, program, text) = (lossy(&self.host), lossy(&self.identifier), lossy(&self.message));
        format!("{} {host} {program}[{}]: {text}", clock::rfc3339(self.at_ms), self.pid)
    }

    /// Takes over a field, if it matters.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"__CURSOR" => self.cursor = String::from_utf8_lossy(value).into_owned(),
            b"__REALTIME_TIMESTAMP" => self.at_ms = number(value).unwrap_or_default() / 1000,
            b"_HOSTNAME" => value.clone_into(&mut self.host),
            b"SYSLOG_IDENTIFIER" => value.clone_into(&mut self.identifier),
            b"SYSLOG_PID" => self.pid = pid(value),
            // Postfix logs through postlogd, whose own process is in `_PID`.
            b"_PID" if self.pid == 0 => self.pid = pid(value),
            b"MESSAGE" => value.clone_into(&mut self.message),
            _ => {}
        }
    }
}

fn pid(value: &[u8]) -> u32 {
    number(value).and_then(|pid| pid.try_into().ok()).unwrap_or_default()
}

fn number(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}
