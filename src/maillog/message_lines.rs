//! The lines of a log that are about some messages: in its files, or in the journal.
//!
//! Not here: reading parts of files (`tail`); records (`kumomta`, `powermta`). Invariant: a line is
//! about a message only if the mail server wrote its queue id in front of the text, on its host,
//! between its arrival and its end: a text of a stranger that holds the id puts no line there.

use super::correlate::{LifeLine, QueueLife};
use super::journald::entries_between;
use super::kumomta::RecordSearch;
use super::logged_message::{FoundLines, LoggedMessage};
use super::postfix::{Grammar, LogLine, LogServer, is_unknown, lossy};
use super::powermta::AccountingSearch;
use super::server_lines::ServerLines;
use super::stamp::Stamps;
use super::tail::{FoundLine, LineSearch, LinesAbout, SearchedFile};
use super::wrapped::Unwrapper;
use crate::config::{LogKind, MailLog};
use crate::deadline::Deadline;
use std::path::Path;

/// A message is removed after its last delivery, and what had its queue id before is told apart by
/// the lines before its first.
const AROUND_MS: i64 = 10 * 60 * 1000;

/// The lines, in the order of the log.
pub(crate) fn lines_about(messages: &[LoggedMessage<'_>], log: &MailLog, deadline: Deadline) -> FoundLines {
    let from = messages.iter().map(|message| message.first_ms).min();
    let to = messages.iter().map(|message| message.last_ms).max();
    let Some((from_ms, to_ms)) = from.zip(to).map(|(from, to)| (from - AROUND_MS, to + AROUND_MS)) else {
        return FoundLines { lines: Vec::new(), is_complete: true };
    };
    let path = log.path.as_deref();
    let in_files = |texts: &[&str], search: &mut dyn LineSearch| {
        path.is_none_or(|path| LinesAbout { texts, from_ms, to_ms, deadline }.find(path, search))
    };
    match log.kind {
        LogKind::Postfix | LogKind::Exim => {
            let server = if log.kind == LogKind::Exim { LogServer::Exim } else { LogServer::Postfix };
            let grammar = Grammar { zone: log.zone.clone(), server, ..Grammar::default() };
            let mut search = ServerSearch::new(messages, &grammar, to_ms);
            let is_complete = in_files(&search.lives.queue_ids(), &mut search);
            FoundLines { lines: search.lives.lines(messages), is_complete }
        }
        LogKind::Journald => in_journal(messages, path, (from_ms, to_ms), deadline),
        LogKind::KumoMta => {
            let mut search = RecordSearch::new(messages);
            let is_complete = in_files(&search.texts(), &mut search);
            FoundLines { lines: search.into_lines(), is_complete }
        }
        LogKind::PowerMta => {
            let mut search = AccountingSearch::new(messages, log.zone.clone(), to_ms);
            let texts = search.texts();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let is_complete = in_files(&texts, &mut search);
            FoundLines { lines: search.into_lines(), is_complete }
        }
    }
}

/// The entries of the journal, as lines of a log file.
fn in_journal(
    messages: &[LoggedMessage<'_>],
    path: Option<&Path>,
    time: (i64, i64),
    deadline: Deadline,
) -> FoundLines {
    let mut lives = LivesById::of(messages);
    if lives.0.is_empty() {
        return FoundLines { lines: Vec::new(), is_complete: true };
    }
    let read = entries_between(path, time, deadline, |entry| {
        if let Ok(line) = entry.parse() {
            lives.take(&line, || entry.as_line().into_bytes());
        }
    });
    if let Err(error) = &read {
        tracing::warn!(%error, "the journal was not searched to its end");
    }
    FoundLines { lines: lives.lines(messages), is_complete: read.is_ok() }
}

/// Finds the lines of a mail server in files.
struct ServerSearch<'a> {
    lives: LivesById<'a>,
    stamps: Stamps,
    reader: ServerLines,
    unwrapper: Unwrapper,
}

impl<'a> ServerSearch<'a> {
    fn new(messages: &[LoggedMessage<'a>], grammar: &Grammar, to_ms: i64) -> ServerSearch<'a> {
        ServerSearch {
            lives: LivesById::of(messages),
            stamps: Stamps::new(grammar.zone.clone(), to_ms),
            reader: ServerLines::new(grammar, to_ms),
            unwrapper: Unwrapper::default(),
        }
    }
}

impl LineSearch for ServerSearch<'_> {
    fn time(&mut self, file: &SearchedFile, line: &[u8]) -> Option<i64> {
        self.stamps.set_reference(file.modified_ms);
        self.stamps.read(line).map(|(at_ms, _)| at_ms)
    }

    fn take(&mut self, found: &FoundLine<'_>) {
        let (text, reader) = (found.line(), &mut self.reader);
        reader.set_reference(found.file.modified_ms);
        let parsed = reader.read(text);
        let parsed = if is_unknown(&parsed) { self.unwrapper.read(text, reader) } else { Some(parsed) };
        if let Some(Ok(line)) = parsed {
            self.lives.take(&line, || text.to_vec());
        }
    }
}

/// The lives of one queue id on one host, in the order of the log.
struct QueueLives<'a> {
    host: &'a str,
    queue_id: &'a str,
    lives: Vec<QueueLife>,
}

impl QueueLives<'_> {
    fn is_of(&self, host: &str, queue_id: &str) -> bool {
        self.host == host && self.queue_id == queue_id
    }
}

/// Those of all queue ids that some messages have.
struct LivesById<'a>(Vec<QueueLives<'a>>);

impl<'a> LivesById<'a> {
    fn of(messages: &[LoggedMessage<'a>]) -> LivesById<'a> {
        let mut known: Vec<QueueLives<'_>> = Vec::new();
        for message in messages {
            let named = [Some(message.queue_id).filter(|id| !id.is_empty()), message.requeued_as];
            for queue_id in named.into_iter().flatten() {
                if !known.iter().any(|one| one.is_of(message.host, queue_id)) {
                    known.push(QueueLives { host: message.host, queue_id, lives: Vec::new() });
                }
            }
        }
        LivesById(known)
    }

    fn queue_ids(&self) -> Vec<&'a str> {
        self.0.iter().map(|one| one.queue_id).collect()
    }

    fn take(&mut self, line: &LogLine<'_>, text: impl FnOnce() -> Vec<u8>) {
        let Some(queue_id) = line.queue_id else { return };
        let (host, queue_id) = (lossy(line.host), lossy(queue_id));
        let Some(of_id) = self.0.iter_mut().find(|one| one.is_of(&host, &queue_id)) else { return };
        if !of_id.lives.last().is_some_and(|life| life.goes_on_with(line)) {
            let Some(life) = QueueLife::begun_by(line) else { return };
            of_id.lives.push(life);
        }
        if let Some(life) = of_id.lives.last_mut() {
            life.take(line, &text());
        }
    }

    fn lines(&self, messages: &[LoggedMessage<'_>]) -> Vec<LifeLine> {
        messages.iter().flat_map(|message| self.lines_of(message)).collect()
    }

    fn lines_of(&self, message: &LoggedMessage<'_>) -> Vec<LifeLine> {
        let of = |queue_id: &str| {
            let found = self.0.iter().find(|one| one.is_of(message.host, queue_id));
            found.map_or(&[][..], |one| one.lives.as_slice()).iter().filter(|life| may_be(life, message))
        };
        let mut first: Vec<&QueueLife> =
            of(message.queue_id).filter(|life| life.first_ms() == message.first_ms).collect();
        if first.len() > 1 {
            first.retain(|life| life.arrives);
        }
        // Of two that began in the same second one is another's, and nothing tells which.
        if first.len() > 1 {
            first.clear();
        }
        let within = of(message.queue_id).filter(|life| is_within(life, message));
        let later = message.requeued_as.into_iter().flat_map(of).filter(|life| life.is_requeued);
        let times = message.first_ms..=message.last_ms + AROUND_MS;
        let later = later.filter(|life| times.contains(&life.first_ms()));
        let lives = first.into_iter().chain(within).chain(later);
        let is_shown =
            |line: &&LifeLine| message.shows(line) && !(line.is_attempt && line.at_ms > message.last_ms);
        lives.flat_map(|life| &life.lines).filter(is_shown).cloned().collect()
    }
}

/// Whether they have one Message-ID, as far as it is known.
fn may_be(life: &QueueLife, message: &LoggedMessage<'_>) -> bool {
    match (message.message_id, life.message_id()) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}

/// Whether a life begins while the message is in the queue, whose id no other can have then: the
/// lines before are missing.
fn is_within(life: &QueueLife, message: &LoggedMessage<'_>) -> bool {
    let at_ms = life.first_ms();
    let is_before_the_last = at_ms < message.last_ms || at_ms == message.last_ms && !life.arrives;
    message.requeued_as.is_none() && at_ms > message.first_ms && is_before_the_last
}
