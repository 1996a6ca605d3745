//! Reads records of KumoMTA's log, line by line.
//!
//! Not here: segments (`tail`), and what a record says. Invariant: every line is counted, and a
//! line is a whole record or none.

use super::log_record::LogRecord;
use super::record_delivery::{RecordRules, Told, deliveries};
use super::record_state::{RecordState, RecordTimes};
use crate::config::OwnMail;
use crate::maillog::Lines;
use crate::maillog::delivery::Delivery;
use crate::maillog::line_places::line_places;
use crate::maillog::log_health::LogReading;
use crate::maillog::postfix::LINE;
use crate::maillog::unread_line::UnreadLine;
use std::sync::Arc;

pub(crate) struct RecordLog {
    own: Arc<OwnMail>,
    client_header: String,
    campaign_headers: Vec<String>,
    state: RecordState,
    lines: Lines,
    unread: UnreadLine,
}

impl RecordLog {
    /// Starts where another stopped.
    pub(crate) fn new(own: Arc<OwnMail>, state: RecordState) -> RecordLog {
        let (client_header, campaign_headers) = (String::new(), Vec::new());
        let (lines, unread) = (Lines::default(), UnreadLine::default());
        RecordLog { own, client_header, campaign_headers, state, lines, unread }
    }

    pub(crate) fn with_headers(self, client_header: String, campaign_headers: Vec<String>) -> RecordLog {
        RecordLog { client_header, campaign_headers, ..self }
    }

    /// Reads whole lines and gives each delivery to `each`.
    pub(crate) fn read(&mut self, lines: &[u8], mut each: impl FnMut(&Delivery<'_>)) {
        for place in line_places(lines) {
            let line = lines[place].trim_ascii();
            if line.is_empty() {
                self.lines.ignored += 1;
            } else if line.len() > LINE {
                self.lines.cut += 1;
                self.not_understood(line);
            } else if self.take(line, &mut each).is_none() {
                self.not_understood(line);
            }
        }
    }

    fn not_understood(&mut self, line: &[u8]) {
        self.lines.unknown += 1;
        self.unread.note(line);
    }

    /// None if the line is not a record with a time.
    fn take(&mut self, line: &[u8], each: &mut impl FnMut(&Delivery<'_>)) -> Option<()> {
        let record: LogRecord<'_> = serde_json::from_slice(line).ok()?;
        let at_ms = record.timestamp.ms()?;
        let Some(told) = Told::of(&record.kind) else {
            self.lines.ignored += 1;
            return Some(());
        };
        self.lines.events += 1;
        self.state.newest_ms = self.state.newest_ms.max(at_ms);
        let created_ms = record.created.as_ref().and_then(|created| created.ms()).unwrap_or(at_ms);
        let times = RecordTimes { at_ms, created_ms: created_ms.min(at_ms) };
        let campaign_headers: Vec<&str> = self.campaign_headers.iter().map(String::as_str).collect();
        let rules = RecordRules {
            own: &self.own,
            client_header: &self.client_header,
            campaign_headers: &campaign_headers,
        };
        deliveries(&record, told, times, &rules, &mut self.state, each);
        Some(())
    }

    /// What has to be stored.
    pub(crate) fn state(&self) -> &RecordState {
        &self.state
    }

    /// The latest time of a record, milliseconds since 1970.
    pub(crate) fn newest_ms(&self) -> i64 {
        self.state.newest_ms
    }

    /// What the lines were, since the last call.
    pub(crate) fn take_reading(&mut self) -> LogReading {
        let lines = std::mem::take(&mut self.lines);
        LogReading { lines, unread: self.unread.take(), ..LogReading::default() }
    }
}
