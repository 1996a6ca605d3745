//! The message log: one line for each message, in `messages-DATE.log`. The line of a message
//! without side effects is its record, durable before the mail server is answered.
//!
//! A record has a `key`; lines without one are of messages that the store has on record, or are
//! about messages that were decided before (`later_line`). If people
//! want the log as text, records go to `records-DATE.log`. Not here: carom's own log
//! (`diagnostics`), and how the files of days come and go (`files::daily`). Invariant: a message is
//! on record, in the log or in the store, before it is answered; what the store takes from the log
//! (`folding`) counts once.

/// An address is overwritten.
pub(crate) mod blanking;
mod folding;
mod later_line;
mod log_reading;
mod message_line;
#[cfg(test)]
mod tests;

pub(crate) use later_line::LaterLine;
pub(crate) use log_reading::{readable, tail};
pub(crate) use message_line::{DecidedBy, MessageLine};

use crate::config::{Config, LogFormat};
use crate::deadline::watchdog::LastLine;
use crate::diagnostics;
use crate::error::{Error, Result};
use crate::files::daily;
use crate::journal::StepsDone;
use crate::store::Store;
use std::io;
use std::path::PathBuf;

/// What the files are named after.
const NAME: &str = "messages";
/// The same for records, if the log is text.
const RECORDS: &str = "records";

/// Lines that are on record nowhere.
#[derive(Debug)]
pub(crate) struct Unrecorded {
    /// The first of them; those before it are on record.
    pub(crate) from: usize,
    pub(crate) error: Error,
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

    /// Adds lines, in one write. A log that cannot be written does not stop mail.
    pub(crate) fn append(&self, lines: &[MessageLine<'_>]) {
        self.put_shown(&lines.iter().map(|line| self.shown(line)).collect::<String>());
    }

    /// A line that whatever ends the process writes. `None`: the log cannot be opened.
    pub(crate) fn last_line(&self, line: &MessageLine<'_>) -> Option<LastLine> {
        let log = daily::open_today(&self.directory, NAME).ok()?;
        Some(LastLine { log, line: self.shown(line).into_bytes() })
    }

    fn shown(&self, line: &MessageLine<'_>) -> String {
        match self.format {
            LogFormat::Json => line.json() + "\n",
            LogFormat::Text => readable(&line.json()) + "\n",
        }
    }

    /// Adds a line for each message about its steps that were done after it was answered.
    pub(crate) fn append_steps(&self, done: &[StepsDone<'_>]) {
        self.append_later(&done.iter().copied().map(LaterLine::outbox).collect::<Vec<_>>());
    }

    /// Adds lines about messages that were decided before.
    pub(crate) fn append_later(&self, lines: &[LaterLine<'_>]) {
        let shown = |line: &LaterLine<'_>| match self.format {
            LogFormat::Json => line.json() + "\n",
            LogFormat::Text => readable(&line.json()) + "\n",
        };
        self.put_shown(&lines.iter().map(shown).collect::<String>());
    }

    fn put_shown(&self, text: &str) {
        if !text.is_empty() {
            let written = daily::put(&self.directory, NAME, text.as_bytes());
            written.unwrap_or_else(|error| self.complain(&error));
        }
    }

    /// Records messages without side effects, each with its key: in the log, in one write, or what
    /// has no room there in the store. When it returns, they are on the disk, or those from
    /// `Unrecorded::from` on are not; deferrals need not be, because the mail server has those
    /// messages.
    pub(crate) fn record(
        &self,
        lines: &[MessageLine<'_>],
        store: &Store,
    ) -> std::result::Result<(), Unrecorded> {
        if lines.is_empty() {
            return Ok(());
        }
        let mut json = String::new();
        for line in lines {
            json.push_str(&line.json());
            json.push('\n');
        }
        let durable = lines.iter().any(|line| !line.is_deferral());
        let written = self.put(&json, durable).unwrap_or_else(|error| {
            self.complain(&error);
            0
        });
        let from = memchr::memchr_iter(b'\n', &json.as_bytes()[..written]).count();
        if from < lines.len() {
            if written > 0 {
                self.complain(&io::ErrorKind::StorageFull.into());
            }
            let records = lines[from..].iter().filter_map(MessageLine::record).collect();
            store.record(records).map_err(|error| Unrecorded { from, error })?;
        } else if self.format == LogFormat::Text {
            let text: String = json.lines().map(|line| readable(line) + "\n").collect();
            let shown = daily::put(&self.directory, NAME, text.as_bytes());
            shown.unwrap_or_else(|error| self.complain(&error));
        }
        Ok(())
    }

    /// Returns how many bytes were written.
    fn put(&self, lines: &str, durable: bool) -> io::Result<usize> {
        let name = match self.format {
            LogFormat::Json => NAME,
            LogFormat::Text => RECORDS,
        };
        match durable {
            true => daily::append_durably(&self.directory, name, lines.as_bytes()),
            false => daily::put(&self.directory, name, lines.as_bytes()).map(|()| lines.len()),
        }
    }

    fn complain(&self, error: &io::Error) {
        tracing::warn!(%error, directory = %self.directory.display(), "the message log cannot be written");
    }
}

/// Removes what `[log] keep_days` and `max_size` no longer allow, of this log and of carom's own. A
/// file stays until the store has all of its records.
pub(crate) fn expire(config: &Config, store: Option<&Store>) -> Result<()> {
    let log = &config.log;
    let is_needed = folding::unfolded(store);
    let names = [NAME, RECORDS, diagnostics::NAME];
    daily::expire(&config.log_dir(), &names, log.keep_days, log.max_size, is_needed);
    store.map_or(Ok(()), |store| folding::forget_gone(store, &config.log_dir()))
}
