//! One life of a queue id: the lines of one message, until it leaves the queue.
//!
//! Not here: reading the log (`message_lines`). Invariant: where a message begins is decided as it
//! is for deliveries (`queue_id_reuse`), and only by what Postfix says in its own fields; once it
//! has left the queue, nothing but a late attempt is about it.

use super::line_meaning::LineMeaning;
use super::queue_id_reuse::{has_left_the_queue, has_other_message_id, is_same_arrival};
use super::queued_message::QueuedMessage;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::postfix::{Event, LogLine, lossy};

/// Lines that are kept of one message.
const KEPT: usize = 500;

pub(crate) struct QueueLife {
    message: QueuedMessage,
    /// Its first line is that of an arrival.
    pub(crate) arrives: bool,
    /// It had another queue id before.
    pub(crate) is_requeued: bool,
    pub(crate) lines: Vec<LifeLine>,
}

#[derive(Clone, Debug)]
pub(crate) struct LifeLine {
    pub(crate) at_ms: i64,
    pub(crate) means: LineMeaning,
    /// As it is in the log.
    pub(crate) text: String,
    pub(crate) is_attempt: bool,
    /// The recipients that it names, and every address in a text that has no fields; in lower case.
    pub(crate) named: Vec<String>,
}

impl QueueLife {
    /// The life that a line begins, if it can begin one.
    pub(crate) fn begun_by(line: &LogLine<'_>) -> Option<QueueLife> {
        let begins = match &line.event {
            Event::Attempt(attempt) => attempt.result.status().is_some(),
            Event::Client(_)
            | Event::Arrived(_)
            | Event::Pickup { .. }
            | Event::MessageId(_)
            | Event::TakenUp(_)
            | Event::SessionDecision(_)
            | Event::HeaderDecision(_)
            | Event::Held
            | Event::Expired { .. }
            | Event::Deleted
            | Event::Notification { .. } => true,
            _ => false,
        };
        let queue_id = line.queue_id.filter(|_| begins)?;
        let mut message = QueuedMessage::default();
        message.begin(&lossy(line.host), &lossy(queue_id), line.at_ms);
        let arrives = matches!(
            &line.event,
            Event::Client(_) | Event::Arrived(_) | Event::Pickup { .. } | Event::MessageId(_)
        );
        let is_requeued = matches!(&line.event, Event::Pickup { original: Some(_), .. });
        Some(QueueLife { message, arrives, is_requeued, lines: Vec::new() })
    }

    pub(crate) fn first_ms(&self) -> i64 {
        self.message.first_ms
    }

    pub(crate) fn message_id(&self) -> Option<&str> {
        self.message.message_id()
    }

    /// Whether a line with its queue id and host is not about the next message.
    pub(crate) fn goes_on_with(&self, line: &LogLine<'_>) -> bool {
        match &line.event {
            Event::Client(_) | Event::Pickup { original: None, .. } => {
                is_same_arrival(&self.message, line.at_ms)
            }
            Event::Pickup { original: Some(_), .. } => false,
            Event::MessageId(id) => !has_other_message_id(&self.message, &bare(id)),
            Event::TakenUp(_) => !has_left_the_queue(&self.message),
            _ => true,
        }
    }

    /// Takes a line with which it goes on.
    pub(crate) fn take(&mut self, line: &LogLine<'_>, text: &[u8]) {
        let is_attempt = matches!(&line.event, Event::Attempt(_));
        if (!self.message.closed || is_attempt) && self.lines.len() < KEPT {
            let text = lossy(text).into_owned();
            let named = named(&line.event, &text);
            let means = LineMeaning::of(&line.event);
            self.lines.push(LifeLine { at_ms: line.at_ms, means, text, is_attempt, named });
        }
        match &line.event {
            Event::MessageId(id) if self.message.message_id().is_none() => {
                self.message.set_message_id(&bare(id));
            }
            Event::TakenUp(_) | Event::Attempt(_) => self.message.active = true,
            Event::Removed | Event::Deleted => self.message.closed = true,
            Event::SessionDecision(decision) if decision.stage != b"RCPT" => {
                self.message.closed |= ends(decision.action.status());
            }
            Event::HeaderDecision(decision) => self.message.closed |= ends(decision.action.status()),
            _ => {}
        }
    }
}

/// Whether a message that was decided about with this status is not queued.
fn ends(status: Option<LoggedStatus>) -> bool {
    status.is_some_and(|status| status != LoggedStatus::Held)
}

/// A Message-ID without its brackets.
fn bare(id: &[u8]) -> String {
    let text = lossy(id.trim_ascii());
    text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(&text).to_owned()
}

fn named(event: &Event<'_>, text: &str) -> Vec<String> {
    let of =
        |address: Option<&[u8]>| address.map(|address| lossy(address).to_lowercase()).into_iter().collect();
    match event {
        Event::Attempt(attempt) => of(Some(attempt.recipient)),
        Event::SessionDecision(decision) => of(decision.envelope.recipient),
        Event::HeaderDecision(decision) => of(decision.envelope.recipient),
        Event::Ignored | Event::Unknown => addresses(text),
        _ => Vec::new(),
    }
}

/// Every word of a text with an at sign.
fn addresses(text: &str) -> Vec<String> {
    let is_edge = |one: char| one.is_whitespace() || "<>()[]\"',:;=".contains(one);
    let words = text.split(is_edge).filter(|word| word.contains('@'));
    words.map(|word| word.trim_matches('.').to_lowercase()).collect()
}
