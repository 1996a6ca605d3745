//! Reads lines of Exim's main log, written by Exim itself or through syslog.
//!
//! `2026-01-02 03:04:05.678 +0100 [123] 1rXyzA-00001b-2c <= …`, `Jan  2 03:04:05 mx exim[123]: …`.
//! Not here: what the text says (`exim_event`). Invariant: every line is something: Exim's, another
//! program's, or unknown.

use super::exim_event;
use crate::maillog::postfix::{Event, Grammar, LINE, LogLine, LoggedHeaders, NotPostfix, Parsed, program};
use crate::maillog::stamp::Stamps;
use memchr::memchr;

/// As though a program of this name had written it: its part before the slash is the instance.
const TAG: &[u8] = b"exim/main";

pub(crate) struct EximLines {
    stamps: Stamps,
    headers: LoggedHeaders,
}

impl EximLines {
    /// `reference_ms`: no line is younger than this (see `Stamps`).
    pub(crate) fn new(grammar: &Grammar, reference_ms: i64) -> EximLines {
        let headers = LoggedHeaders::new(&grammar.client_header, &grammar.campaign_headers);
        EximLines { stamps: Stamps::new(grammar.zone.clone(), reference_ms), headers }
    }

    pub(crate) fn stamps(&mut self) -> &mut Stamps {
        &mut self.stamps
    }

    pub(crate) fn headers(&self) -> &LoggedHeaders {
        &self.headers
    }

    /// Reads a line without its newline; `whole` if it is known to be UTF-8.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8], whole: Option<&'a str>) -> Parsed<'a> {
        let line = line[..line.len().min(LINE)].trim_ascii_end();
        if matches!(line.first(), Some(b' ' | b'\t')) {
            // The rest of a text of several lines.
            return Ok(of_nothing(whole));
        }
        let (at_ms, rest) = self.stamps.read(line).ok_or(NotPostfix::Unknown)?;
        if is_own_stamp(line) {
            let (pid, text) = split_pid(rest);
            return Ok(log_line(at_ms, b"", pid, text, whole));
        }
        let written = program::read(rest).ok_or(NotPostfix::Unknown)?;
        if !written.tag.starts_with(b"exim") {
            return Err(NotPostfix::Foreign);
        }
        let text = match part(written.text.trim_ascii_start()) {
            Some(text) => text,
            None => return Ok(of_nothing(whole)),
        };
        // The stamp of Exim itself names the time at least as well as the one of syslog.
        let (at_ms, text) = match is_own_stamp(text) {
            true => self.stamps.read(text).unwrap_or((at_ms, text)),
            false => (at_ms, text),
        };
        let (pid, text) = split_pid(text);
        Ok(log_line(at_ms, written.host, if pid > 0 { pid } else { written.pid }, text, whole))
    }
}

fn log_line<'a>(at_ms: i64, host: &'a [u8], pid: u32, text: &'a [u8], whole: Option<&'a str>) -> LogLine<'a> {
    let (queue_id, event) = match split_id(text) {
        Some((id, text)) => (Some(id), exim_event::of_message(text)),
        None => (None, exim_event::of_session(text)),
    };
    LogLine { at_ms, host, tag: TAG, pid, queue_id, event, whole }
}

fn of_nothing(whole: Option<&str>) -> LogLine<'_> {
    LogLine { at_ms: 0, host: b"", tag: TAG, pid: 0, queue_id: None, event: Event::Ignored, whole }
}

/// `2026-01-02 03:04:05`
fn is_own_stamp(text: &[u8]) -> bool {
    let pattern = b"dddd-dd-dd dd:dd:dd";
    text.len() > pattern.len()
        && pattern.iter().zip(text).all(|(wanted, byte)| match wanted {
            b'd' => byte.is_ascii_digit(),
            other => other == byte,
        })
}

/// `[123] ` in front of a text.
fn split_pid(text: &[u8]) -> (u32, &[u8]) {
    let read = || {
        let open = text.strip_prefix(b"[")?;
        let close = memchr(b']', &open[..open.len().min(12)])?;
        let pid = std::str::from_utf8(&open[..close]).ok()?.parse().ok()?;
        Some((pid, open[close + 1..].strip_prefix(b" ")?))
    };
    read().unwrap_or((0, text))
}

/// The first part of a text that syslog got in parts, `[1/3] `; None for the others.
fn part(text: &[u8]) -> Option<&[u8]> {
    let read = || {
        let open = text.strip_prefix(b"[")?;
        let close = memchr(b']', &open[..open.len().min(10)])?;
        let slash = open[..close].iter().position(|byte| matches!(byte, b'/' | b'\\'))?;
        let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        let is_part = digits(&open[..slash]) && digits(&open[slash + 1..close]);
        is_part.then(|| (&open[..slash], open[close + 1..].trim_ascii_start()))
    };
    match read() {
        Some((b"1", text)) => Some(text),
        Some(_) => None,
        None => Some(text),
    }
}

/// The id of a message, `1rXyzA-00001b-2c` or `1rXyzA-000000001bC-2cDe`, and what follows.
fn split_id(text: &[u8]) -> Option<(&[u8], &[u8])> {
    const FORMS: [(usize, usize); 2] = [(13, 16), (18, 23)];
    FORMS.into_iter().find_map(|(second, length)| {
        let (id, rest) = text.split_at_checked(length)?;
        let fits = |(at, byte): (usize, &u8)| match at == 6 || at == second {
            true => *byte == b'-',
            false => byte.is_ascii_alphanumeric(),
        };
        let rest = rest.strip_prefix(b" ")?;
        id.iter().enumerate().all(fits).then_some((id, rest))
    })
}
