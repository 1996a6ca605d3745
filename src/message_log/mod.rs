//! The message log: one line for each message, in `messages-DATE.log`. The line of a message
//! without side effects is its record, durable before the mail server is answered.
//!
//! A record has a `key`; lines without one are of messages that the store has on record, or are
//! about messages that were decided before (`later_line`). If people want the log as text, the
//! lines of JSON go to `records-DATE.log`. Lines are read back as trails of messages (`trail`). Not
//! here: carom's own log (`diagnostics`), and how the files of days come and go (`files::daily`).
//! Invariant: a message is on record, in the log or in the store, before it is answered; what the
//! store takes from the log (`folding`) counts once.

/// An address is overwritten.
pub(crate) mod blanking;
mod folding;
mod following;
mod later_line;
mod lines_back;
mod log_files;
mod logged_event;
mod log_reading;
mod lost_lines;
mod message_line;
mod new_lines;
mod outlines;
mod recorded_verdicts;
mod stand_ins;
mod step_now;
mod trail;
mod trail_filter;
mod trail_row;
mod unread_parts;
mod unwritten;
mod word_filter;
#[cfg(test)]
mod tests;

pub(crate) use following::Following;
pub(crate) use later_line::LaterLine;
pub(crate) use lines_back::LinesBack;
pub(crate) use log_files::{first_day, why_unreadable};
pub(crate) use log_reading::readable;
pub(crate) use message_line::{DecidedBy, MessageLine};
pub(crate) use new_lines::{LinePlaces, new_lines};
pub(crate) use step_now::StepNow;
pub(crate) use trail::{Trail, trail};
pub(crate) use trail_filter::{SoughtRecipient, TrailFilter};
pub(crate) use trail_row::TrailRow;

use crate::clock;
use crate::config::{Config, LogFormat};
use crate::deadline::Deadline;
use crate::deadline::watchdog::LastLine;
use crate::digest;
use crate::envelope::Envelope;
use crate::error::{Context, Error, Result};
use crate::files::daily;
use crate::journal::StepsDone;
use crate::mail::Mail;
use crate::plan::{StepEnd, Verdict};
use crate::policy::Policy;
use crate::smtp_reply::SmtpReply;
use crate::store::{Ended, PendingStep, Performed, Store, Tally};
use log_files::{NAME, RECORDS};
use recorded_verdicts::RecordedVerdicts;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// Where lines are that it could not take.
    unwritten: PathBuf,
    recorded: Mutex<RecordedVerdicts>,
}

impl MessageLog {
    /// Opens no file before the first line.
    pub(crate) fn open(config: &Config) -> MessageLog {
        let [directory, unwritten] = log_files::directories(config);
        MessageLog { directory, unwritten, format: config.log.format, recorded: Mutex::default() }
    }

    /// Adds lines, in one write. A log that cannot be written does not stop mail: a tick adds them
    /// later.
    pub(crate) fn append(&self, lines: &[MessageLine<'_>]) {
        self.append_json(&lines.iter().map(MessageLine::json).collect::<Vec<_>>());
    }

    /// Adds the line of a recipient that a policy has refused before there is a message.
    pub(crate) fn append_refusal(
        &self,
        policy: &Policy,
        mail: &Mail,
        verdict: &Verdict,
        expect: Option<String>,
    ) {
        let line = MessageLine::of_mail(mail, DecidedBy::of(policy, String::new()), verdict);
        self.append(&[line.expecting(expect)]);
    }

    /// Adds a line for each recipient that was refused without a policy.
    pub(crate) fn append_undecided(&self, envelopes: &[Envelope], verdict: &Verdict) {
        let now_ms = clock::now_ms();
        let line = |envelope| MessageLine::new(now_ms, envelope, DecidedBy::default(), verdict, 0);
        let lines: Vec<MessageLine<'_>> = envelopes.iter().map(line).collect();
        self.append(&lines);
    }

    /// A line that whatever ends the process writes. `None`: the log cannot be opened.
    pub(crate) fn last_line(&self, line: &MessageLine<'_>) -> Option<LastLine> {
        let open = |directory| daily::open_today(directory, self.json_name());
        let log = open(&self.directory).or_else(|_| open(&self.unwritten)).ok()?;
        Some(LastLine { log, line: (line.json() + "\n").into_bytes() })
    }

    /// Adds the line of a message that nothing was decided about, for a fault of ours.
    pub(crate) fn append_fault(&self, envelope: &Envelope, reply: &SmtpReply) {
        with_fault(envelope, reply, |line| self.append(&[line]));
    }

    /// The same, for whatever ends the process.
    pub(crate) fn last_fault(&self, envelope: &Envelope, reply: &SmtpReply) -> Option<LastLine> {
        with_fault(envelope, reply, |line| self.last_line(&line))
    }

    /// Adds a line for each message about its steps that were done after it was answered. What the
    /// config holds back has none: nothing was done.
    pub(crate) fn append_steps(&self, done: &[StepsDone<'_>]) {
        let is_told = |one: &&StepsDone<'_>| {
            one.ended.iter().any(|ended| !matches!(ended.done.end, StepEnd::Held { .. }))
        };
        let told = done.iter().filter(is_told).copied();
        self.append_later(&told.map(LaterLine::outbox).collect::<Vec<_>>());
    }

    /// Adds a line for each message about its steps that were given up without another try.
    pub(crate) fn append_given_up(&self, steps: &[PendingStep]) {
        let ended = |step: &PendingStep| Ended {
            step: step.step,
            action: step.action.clone().into(),
            done: Performed::new(StepEnd::GivenUp, "", step.note.clone()),
        };
        for steps in steps.chunk_by(|a, b| a.key == b.key) {
            let results: Vec<Ended> = steps.iter().map(ended).collect();
            self.append_later(&[LaterLine::of_steps(&steps[0].key, &steps[0].envelope, &results)]);
        }
    }

    /// Adds lines about messages that were decided before.
    pub(crate) fn append_later(&self, lines: &[LaterLine<'_>]) {
        self.append_json(&lines.iter().map(LaterLine::json).collect::<Vec<_>>());
    }

    /// Adds a line for each message of a file that was given up.
    pub(crate) fn append_failed(&self, id: &str, envelopes: &[Envelope], file: &str, why: &str) {
        let line = |envelope| LaterLine::failed(id, envelope, file, why);
        self.append_later(&envelopes.iter().map(line).collect::<Vec<_>>());
    }

    /// Adds lines as they are written: of JSON. If people want text, that is added beside them.
    pub(crate) fn append_json(&self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let json = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
        let written = daily::put_some(&self.directory, self.json_name(), json.as_bytes());
        let written = written.unwrap_or_else(|error| {
            self.complain(&error);
            0
        });
        if written < json.len() {
            let whole = memchr::memrchr(b'\n', &json.as_bytes()[..written]).map_or(0, |end| end + 1);
            return self.put_aside(&json[whole..]);
        }
        self.put_text(lines.iter().map(String::as_str));
    }

    /// Keeps lines for the next tick.
    fn put_aside(&self, json: &str) {
        if json.is_empty() {
            return;
        }
        let kept = daily::put(&self.unwritten, self.json_name(), json.as_bytes());
        kept.unwrap_or_else(|error| self.complain(&error));
    }

    fn put_text<'l>(&self, lines: impl Iterator<Item = &'l str>) {
        if self.format == LogFormat::Text {
            let text: String = lines.map(|line| readable(line) + "\n").collect();
            let shown = daily::put(&self.directory, NAME, text.as_bytes());
            shown.unwrap_or_else(|error| self.complain(&error));
        }
    }

    fn json_name(&self) -> &'static str {
        match self.format {
            LogFormat::Json => NAME,
            LogFormat::Text => RECORDS,
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
        let mut recorded = self.recorded();
        lines[..from]
            .iter()
            .filter_map(MessageLine::promised)
            .for_each(|(key, verdict)| recorded.put(key, verdict));
        drop(recorded);
        if from < lines.len() {
            if written > 0 {
                self.complain(&io::ErrorKind::StorageFull.into());
            }
            let records = lines[from..].iter().filter_map(MessageLine::record).collect();
            let recorded = store.record(records);
            // What the store has counted, a line that comes into the log later counts no more. What
            // is on record nowhere is tried again: only that it was deferred is true of it.
            let aside = |line: &MessageLine<'_>| match &recorded {
                Ok(()) => Some(line.recorded_elsewhere().json() + "\n"),
                Err(_) => line.is_deferral().then(|| line.json() + "\n"),
            };
            self.put_aside(&lines[from..].iter().filter_map(aside).collect::<String>());
            recorded.map_err(|error| Unrecorded { from, error })?;
        } else {
            self.put_text(json.lines());
        }
        Ok(())
    }

    /// What this process has recorded about a message, if the log has it and the store may not.
    pub(crate) fn verdict_of(&self, key: &str) -> Option<Verdict> {
        self.recorded().get(key)
    }

    fn recorded(&self) -> MutexGuard<'_, RecordedVerdicts> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns how many bytes were written.
    fn put(&self, lines: &str, durable: bool) -> io::Result<usize> {
        let name = self.json_name();
        match durable {
            true => daily::append_durably(&self.directory, name, lines.as_bytes()),
            false => daily::put(&self.directory, name, lines.as_bytes()).map(|()| lines.len()),
        }
    }

    fn complain(&self, error: &io::Error) {
        tracing::warn!(%error, directory = %self.directory.display(), "the message log cannot be written");
    }
}

fn with_fault<R>(envelope: &Envelope, reply: &SmtpReply, then: impl FnOnce(MessageLine<'_>) -> R) -> R {
    let (verdict, mut counted) = (Verdict::Defer(reply.clone()), Tally::default());
    counted.add("deferred");
    let key = format!("undecided-{}", digest::random_token(8));
    let line = MessageLine::new(clock::now_ms(), envelope, DecidedBy::default(), &verdict, 0);
    then(line.counting(counted).on_record(key))
}

/// Removes what `[log] keep_days` and `max_size` no longer allow, of this log and of carom's own. A
/// file stays until the store has all of its records.
pub(crate) fn expire(config: &Config, store: Option<&Store>) -> Result<()> {
    let log = &config.log;
    let is_needed = folding::unfolded(store);
    let [directory, unwritten] = log_files::directories(config);
    daily::expire(&directory, &log_files::WITH_OWN, log.keep_days, log.max_size, is_needed);
    daily::expire(&unwritten, &log_files::WITH_JSON, log.keep_days, log.max_size, |_| false);
    store.map_or(Ok(()), |store| folding::forget_gone(store, &config.log_dir()))
}

/// Makes it known which words each piece of the log has, until the deadline.
pub(crate) fn outline(config: &Config, deadline: Deadline) -> Result<()> {
    let logs: Vec<PathBuf> = log_files::all(config)?.into_iter().map(|file| file.path).collect();
    for log in logs.iter().take_while(|_| !deadline.passed()) {
        outlines::outline(config, log, deadline).context(log.display())?;
    }
    outlines::forget_others(config, &logs);
    Ok(())
}
