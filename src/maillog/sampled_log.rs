//! What a sample of a log holds, read with the readers of `carom cron`: its form, and how much of
//! it is understood.
//!
//! Not here: choosing the sample (`tail`). Invariant: nothing is remembered or written.

use super::kumomta::{RecordLog, RecordState};
use super::line_places::line_places;
use super::log_fault::LogFault;
use super::log_health::{LogHealth, LogReading, understood};
use super::postfix::{self, Event, Grammar, LogLine, LogServer, NotPostfix};
use super::powermta::{Accounting, AccountingState};
use super::server_lines::ServerLines;
use super::tail::{Chunk, LogSample};
use super::unread_line::UnreadLine;
use super::wrapped::Unwrapper;
use super::{Lines, line_form, unread_form};
use crate::config::LogKind;
use jiff::tz::TimeZone;
use std::sync::Arc;

pub(crate) struct SampledLog {
    pub(crate) understood: u64,
    pub(crate) lines: Lines,
    /// The form of the first line that was understood.
    pub(crate) form: &'static str,
    pub(crate) fault: Option<LogFault>,
}

impl SampledLog {
    pub(crate) fn read(kind: LogKind, sample: &LogSample, zone: TimeZone) -> SampledLog {
        let (reading, form) = match kind {
            LogKind::PowerMta => (accounting(sample, zone), "accounting file"),
            LogKind::KumoMta => (records(sample), "JSON Lines"),
            LogKind::Exim => of_lines(LogServer::Exim, sample, zone),
            LogKind::Postfix | LogKind::Journald => of_lines(LogServer::Postfix, sample, zone),
        };
        let lines = reading.lines;
        let mut health = LogHealth::default();
        health.note(kind, reading);
        let head = &sample.lines[..sample.lines.len().min(512)];
        let binary = || if lines.total() == 0 { unread_form::binary(head) } else { None };
        // Other programs may have written the last lines for hours.
        let fault = health
            .fault_of_lines(kind, u64::MAX, |line| unread_form::explain(kind, head, line))
            .or_else(binary);
        SampledLog { understood: understood(kind, &lines), lines, form, fault }
    }
}

fn accounting(sample: &LogSample, zone: TimeZone) -> LogReading {
    let mut accounting = Accounting::new(zone, sample.modified_ms, AccountingState::default());
    let first_line = sample.lines.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let (path, lines) = (sample.path.as_path(), sample.lines.as_slice());
    let reference_ms = sample.modified_ms;
    accounting.read(&Chunk { path, lines, reference_ms, first_line, begins: sample.begins }, |_| {});
    accounting.take_reading()
}

fn records(sample: &LogSample) -> LogReading {
    let mut records = RecordLog::new(Arc::default(), RecordState::default());
    records.read(&sample.lines, |_| {});
    records.take_reading()
}

fn of_lines(server: LogServer, sample: &LogSample, zone: TimeZone) -> (LogReading, &'static str) {
    let grammar = Grammar { server, zone, ..Grammar::default() };
    let mut reader = ServerLines::new(&grammar, sample.modified_ms);
    let mut unwrapper = Unwrapper::default();
    let (mut lines, mut form) = (Lines::default(), "");
    let (mut unread, mut stranger) = (UnreadLine::default(), UnreadLine::default());
    for place in line_places(&sample.lines) {
        let line = &sample.lines[place];
        let line = &line[..line.len().min(postfix::LINE)];
        let plain = reader.read(line);
        let is_plain = plain != Err(NotPostfix::Unknown);
        let parsed = match plain {
            Err(NotPostfix::Unknown) => unwrapper.read(line, &mut reader).unwrap_or(Err(NotPostfix::Unknown)),
            other => other,
        };
        match parsed {
            Err(NotPostfix::Foreign) => {
                lines.foreign += 1;
                stranger.note(line);
            }
            Err(NotPostfix::Unknown) | Ok(LogLine { event: Event::Unknown, .. }) => {
                lines.unknown += 1;
                unread.note(line);
            }
            Ok(LogLine { event, .. }) => {
                let counted = if event == Event::Ignored { &mut lines.ignored } else { &mut lines.events };
                *counted += 1;
                if form.is_empty() {
                    form = line_form::name(line, is_plain);
                }
            }
        }
    }
    (LogReading { lines, unread: unread.take(), stranger: stranger.take(), refusal: None }, form)
}
