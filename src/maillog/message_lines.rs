//! The lines of a log that are about some messages.
//!
//! Not here: reading parts of files (`tail`). Invariant: a line is about a message only if Postfix
//! wrote its queue id in front of the text, on its host, between its arrival and its end: a text of
//! a stranger that holds the id puts no line there.

use super::correlate::{LifeLine, QueueLife};
use super::postfix::{Event, Grammar, LogLine, NotPostfix, Parsed, lossy};
use super::server_lines::ServerLines;
use super::tail::LinesAbout;
use super::wrapped::Unwrapper;
use jiff::tz::TimeZone;
use std::path::Path;

/// A message is removed after its last delivery, and what had its queue id before is told apart by
/// the lines before its first.
const AROUND_MS: i64 = 10 * 60 * 1000;

/// A message, as its deliveries have it.
pub(crate) struct LoggedMessage<'a> {
    /// Empty if the log names none.
    pub(crate) host: &'a str,
    pub(crate) queue_id: &'a str,
    pub(crate) requeued_as: Option<&'a str>,
    /// Without brackets.
    pub(crate) message_id: Option<&'a str>,
    /// Of its first line, in milliseconds since 1970.
    pub(crate) first_ms: i64,
    /// Of the last line about a delivery.
    pub(crate) last_ms: i64,
    /// Lines that name other recipients are left out (lower case); `None`: all may be named.
    pub(crate) recipients: Option<Vec<String>>,
}

/// The lives of one queue id on one host, in the order of the log.
struct QueueLives<'a> {
    host: &'a str,
    queue_id: &'a str,
    lives: Vec<QueueLife>,
}

/// The lines, with their times, in the order of the log.
pub(crate) fn lines_about(messages: &[LoggedMessage<'_>], log: &Path, zone: &TimeZone) -> Vec<(i64, String)> {
    let from = messages.iter().map(|message| message.first_ms).min();
    let to = messages.iter().map(|message| message.last_ms).max();
    let (Some(from_ms), Some(to_ms)) = (from, to) else { return Vec::new() };
    let mut known: Vec<QueueLives<'_>> = Vec::new();
    for message in messages {
        for queue_id in [Some(message.queue_id), message.requeued_as].into_iter().flatten() {
            if !known.iter().any(|one| one.is_of(message.host, queue_id)) {
                known.push(QueueLives { host: message.host, queue_id, lives: Vec::new() });
            }
        }
    }
    let queue_ids: Vec<&str> = known.iter().map(|one| one.queue_id).collect();
    let (from_ms, to_ms) = (from_ms - AROUND_MS, to_ms + AROUND_MS);
    let about = LinesAbout { queue_ids: &queue_ids, from_ms, to_ms, zone };
    let grammar = Grammar { zone: zone.clone(), ..Grammar::default() };
    let (mut reader, mut unwrapper) = (ServerLines::new(&grammar, to_ms), Unwrapper::default());
    about.find(log, &mut |text, reference_ms| {
        reader.set_reference(reference_ms);
        let parsed = reader.read(text);
        let parsed = if is_unknown(&parsed) { unwrapper.read(text, &mut reader) } else { Some(parsed) };
        if let Some(Ok(line)) = parsed {
            take(&mut known, &line, text);
        }
    });
    messages.iter().flat_map(|message| message.lines(&known)).collect()
}

fn is_unknown(parsed: &Parsed<'_>) -> bool {
    matches!(parsed, Err(NotPostfix::Unknown) | Ok(LogLine { event: Event::Unknown, .. }))
}

fn take(known: &mut [QueueLives<'_>], line: &LogLine<'_>, text: &[u8]) {
    let Some(queue_id) = line.queue_id else { return };
    let (host, queue_id) = (lossy(line.host), lossy(queue_id));
    let Some(of_id) = known.iter_mut().find(|one| one.is_of(&host, &queue_id)) else { return };
    if !of_id.lives.last().is_some_and(|life| life.goes_on_with(line)) {
        let Some(life) = QueueLife::begun_by(line) else { return };
        of_id.lives.push(life);
    }
    if let Some(life) = of_id.lives.last_mut() {
        life.take(line, text);
    }
}

impl QueueLives<'_> {
    fn is_of(&self, host: &str, queue_id: &str) -> bool {
        self.host == host && self.queue_id == queue_id
    }
}

impl LoggedMessage<'_> {
    fn lines(&self, known: &[QueueLives<'_>]) -> Vec<(i64, String)> {
        let of = |queue_id: &str| {
            let found = known.iter().find(|one| one.is_of(self.host, queue_id));
            found.map_or(&[][..], |one| one.lives.as_slice()).iter().filter(|life| self.may_be(life))
        };
        let mut first: Vec<&QueueLife> =
            of(self.queue_id).filter(|life| life.first_ms() == self.first_ms).collect();
        if first.len() > 1 {
            first.retain(|life| life.arrives);
        }
        // Of two that began in the same second one is another's, and nothing tells which.
        if first.len() > 1 {
            first.clear();
        }
        let within = of(self.queue_id).filter(|life| self.has_within(life));
        let later = self.requeued_as.into_iter().flat_map(of).filter(|life| life.is_requeued);
        let later =
            later.filter(|life| (self.first_ms..=self.last_ms + AROUND_MS).contains(&life.first_ms()));
        let lives = first.into_iter().chain(within).chain(later);
        let lines = lives.flat_map(|life| &life.lines).filter(|line| self.shows(line));
        lines.map(|line| (line.at_ms, line.text.clone())).collect()
    }

    /// Whether they have one Message-ID, as far as it is known.
    fn may_be(&self, life: &QueueLife) -> bool {
        match (self.message_id, life.message_id()) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        }
    }

    /// Whether a life begins while the message is in the queue, whose id no other can have then:
    /// the lines before are missing.
    fn has_within(&self, life: &QueueLife) -> bool {
        let at_ms = life.first_ms();
        let is_before_the_last = at_ms < self.last_ms || at_ms == self.last_ms && !life.arrives;
        self.requeued_as.is_none() && at_ms > self.first_ms && is_before_the_last
    }

    fn shows(&self, line: &LifeLine) -> bool {
        let may_name = |name: &String| self.recipients.as_ref().is_none_or(|known| known.contains(name));
        line.named.iter().all(may_name) && !(line.is_attempt && line.at_ms > self.last_ms)
    }
}
