//! Finds the records of some messages in KumoMTA's log.
//!
//! Not here: reading parts of files (`tail`). Invariant: a record is about a message only if its
//! own field has the message's id, on its node, so no text in another field is one.

use super::log_record::LogRecord;
use super::record_delivery::Told;
use crate::maillog::correlate::{LifeLine, LineMeaning};
use crate::maillog::logged_message::LoggedMessage;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::postfix::lossy;
use crate::maillog::tail::{FoundLine, LineSearch, SearchedFile};

pub(crate) struct RecordSearch<'a> {
    messages: &'a [LoggedMessage<'a>],
    lines: Vec<LifeLine>,
}

impl<'a> RecordSearch<'a> {
    pub(crate) fn new(messages: &'a [LoggedMessage<'a>]) -> RecordSearch<'a> {
        RecordSearch { messages, lines: Vec::new() }
    }

    /// What a line of theirs has.
    pub(crate) fn texts(&self) -> Vec<&'a str> {
        let mut ids: Vec<&str> = self.messages.iter().map(|message| message.queue_id).collect();
        ids.retain(|id| !id.is_empty());
        ids.dedup();
        ids
    }

    pub(crate) fn into_lines(self) -> Vec<LifeLine> {
        self.lines
    }
}

impl LineSearch for RecordSearch<'_> {
    fn time(&mut self, _: &SearchedFile, line: &[u8]) -> Option<i64> {
        serde_json::from_slice::<LogRecord<'_>>(line).ok()?.timestamp.ms()
    }

    fn take(&mut self, found: &FoundLine<'_>) {
        let Ok(record) = serde_json::from_slice::<LogRecord<'_>>(found.line()) else { return };
        let Some(at_ms) = record.timestamp.ms() else { return };
        let node = record.nodeid.as_deref().unwrap_or_default();
        let is_of = |message: &&LoggedMessage<'_>| message.queue_id == record.id && message.host == node;
        let Some(message) = self.messages.iter().find(is_of) else { return };
        let line = LifeLine {
            at_ms,
            means: meaning(&record.kind),
            text: lossy(found.line()).into_owned(),
            is_attempt: false,
            named: record.recipient.iter().map(str::to_lowercase).collect(),
        };
        if message.shows(&line) {
            self.lines.push(line);
        }
    }
}

fn meaning(kind: &str) -> LineMeaning {
    match (Told::of(kind), kind) {
        (Some(Told::Ended(status)), _) => LineMeaning::of_status(status),
        (Some(Told::CameBack), _) => LineMeaning::CameBack,
        (Some(Told::Refused), _) => LineMeaning::Decided(LoggedStatus::Rejected),
        (_, "Reception") => LineMeaning::HandedIn,
        (_, "Feedback") => LineMeaning::Complaint,
        (_, "Delayed" | "Delay") => LineMeaning::Queued,
        _ => LineMeaning::Other,
    }
}
