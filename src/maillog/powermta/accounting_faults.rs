//! What is wrong with an accounting file: no column with a time, or times that cannot be read.
//!
//! Not here: records of an unknown type, which are lines that are not understood. Invariant: the
//! fault names the file, and of a time that cannot be read the line and the column.

use crate::maillog::log_fault::LogFault;
use crate::maillog::log_health::LogReading;
use crate::maillog::unread_line::{UnreadLine, shown};
use std::path::{Path, PathBuf};

const FIX: &str = "add timeLogged to record-fields of the acct-file in PowerMTA's config";
const WRITTEN: &str = "let PowerMTA write times as seconds since 1970 or as 2026-01-02 03:04:05+0100";

#[derive(Default)]
pub(crate) struct AccountingFaults {
    path: PathBuf,
    unread: UnreadLine,
    refusal: Option<LogFault>,
}

impl AccountingFaults {
    pub(crate) fn begin_file(&mut self, path: &Path) {
        if self.path != path {
            path.clone_into(&mut self.path);
        }
    }

    /// A record that is not understood.
    pub(crate) fn unread(&mut self, record: &[u8]) {
        self.unread.note(record);
    }

    /// The file has no column timeLogged.
    pub(crate) fn without_time_logged(&mut self) {
        if self.refusal.is_none() {
            let why = format!(
                "{}: no column timeLogged; records are dated by timeFirstAttempt, timeQueued or timeImprinted, \
                 and not read without them",
                self.path.display()
            );
            self.refuse(why, FIX);
        }
    }

    /// A record has no time, or one that cannot be read: its column and value.
    pub(crate) fn without_time(&mut self, line: u64, time: Option<(&str, &str)>) {
        if self.refusal.is_some() {
            return;
        }
        let path = self.path.display();
        match time {
            Some((column, value)) => self.refuse(
                format!("{path} line {line}: column {column}: {:?} is not a time", shown(value.as_bytes())),
                WRITTEN,
            ),
            None => self.refuse(format!("{path} line {line}: no time in column timeLogged"), WRITTEN),
        }
    }

    /// What was found since the last call; the counts of lines are the caller's.
    pub(crate) fn take(&mut self) -> LogReading {
        let (unread, refusal) = (self.unread.take(), self.refusal.take());
        LogReading { unread, refusal, ..LogReading::default() }
    }

    fn refuse(&mut self, why: String, fix: &str) {
        self.refusal = Some(LogFault::new(why, fix));
    }
}
