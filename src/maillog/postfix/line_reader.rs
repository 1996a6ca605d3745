//! Reads lines of a Postfix log, one after another.
//!
//! Not here: what the text says (`event_text`). Invariant: every line is something: a line of
//! Postfix, another program's, or unknown.

use super::event::Event;
use super::event_text;
use super::line_end::without_line_end;
use super::logged_headers::LoggedHeaders;
use super::program::{self, ProgramLine};
use super::queue_id::split_prefix;
use crate::clock;
use crate::config::OwnMail;
use crate::maillog::stamp::Stamps;
use jiff::tz::TimeZone;
use memchr::memmem;
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes of a line that are read; the rest is cut off.
pub(crate) const LINE: usize = 64 * 1024;

/// The mail server that wrote a log of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogServer {
    Postfix,
    Exim,
}

/// How lines are to be read.
#[derive(Clone, Debug)]
pub(crate) struct Grammar {
    /// Whose lines they are.
    pub(crate) server: LogServer,
    /// The zone of stamps that name none.
    pub(crate) zone: TimeZone,
    /// The header that names the client, as header_checks logs it; case does not matter.
    pub(crate) client_header: String,
    /// The headers that name the campaign.
    pub(crate) campaign_headers: Vec<String>,
    /// Which mail is our own.
    pub(crate) own: Arc<OwnMail>,
}

impl Default for Grammar {
    fn default() -> Grammar {
        Grammar {
            server: LogServer::Postfix,
            zone: clock::local_zone(),
            client_header: "client-id".into(),
            campaign_headers: Vec::new(),
            own: Arc::default(),
        }
    }
}

/// A line of Postfix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LogLine<'a> {
    /// Milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// Empty if the line names none.
    pub(crate) host: &'a [u8],
    /// The program: `postfix/smtp`, `postfix/submission/smtpd`, `postfix-out/smtp`.
    pub(crate) tag: &'a [u8],
    pub(crate) pid: u32,
    /// The queue id in front of the text, if there is one.
    pub(crate) queue_id: Option<&'a [u8]>,
    pub(crate) event: Event<'a>,
    /// The whole line, if it is known to be UTF-8.
    pub(crate) whole: Option<&'a str>,
}

impl<'a> LogLine<'a> {
    /// A part of the line as text; what is not UTF-8 becomes U+FFFD.
    pub(crate) fn text(&self, part: &'a [u8]) -> Cow<'a, str> {
        let known = self.whole.and_then(|whole| subtext(whole, part));
        known.map_or_else(|| lossy(part), Cow::Borrowed)
    }
}

/// `part` as a part of `whole`, if it is one. Chunks of a log are checked for UTF-8 as a whole,
/// which is much faster than a check of every part that is kept; the address of the part tells
/// where it lies.
fn subtext<'a>(whole: &'a str, part: &[u8]) -> Option<&'a str> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    whole.get(start..start.checked_add(part.len())?)
}

/// Text of a log, which is mostly UTF-8; what is not becomes U+FFFD.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // Faster than `from_utf8_lossy` alone.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// What a line turned out to be: a line of Postfix, whose event may still be `Unknown`, or not.
pub(crate) type Parsed<'a> = Result<LogLine<'a>, NotPostfix>;

/// Whether nothing is known of a line, not even that another program wrote it.
pub(crate) fn is_unknown(parsed: &Parsed<'_>) -> bool {
    matches!(parsed, Err(NotPostfix::Unknown) | Ok(LogLine { event: Event::Unknown, .. }))
}

/// Why a line is not Postfix's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotPostfix {
    /// It is another program's.
    Foreign,
    /// There is no stamp and program in front.
    Unknown,
}

pub(crate) struct LineReader {
    stamps: Stamps,
    headers: LoggedHeaders,
    /// The host of the last line and a space: most likely the next line has the same.
    host_and_space: Vec<u8>,
}

impl LineReader {
    /// `reference_ms`: no line is younger than this (see `Stamps`).
    pub(crate) fn new(grammar: &Grammar, reference_ms: i64) -> LineReader {
        let headers = LoggedHeaders::new(&grammar.client_header, &grammar.campaign_headers);
        let stamps = Stamps::new(grammar.zone.clone(), reference_ms);
        LineReader { stamps, headers, host_and_space: Vec::new() }
    }

    /// Continues after lines that were read before, up to this time.
    pub(crate) fn go_on_from(&mut self, latest_ms: i64) {
        self.stamps.in_order_from(latest_ms);
    }

    /// Sets the reference for the lines that follow.
    pub(crate) fn set_reference(&mut self, reference_ms: i64) {
        self.stamps.set_reference(reference_ms);
    }

    /// The headers whose values matter.
    pub(crate) fn headers(&self) -> &LoggedHeaders {
        &self.headers
    }

    /// Reads a line without its newline that is known to be UTF-8.
    pub(crate) fn read_text<'a>(&mut self, line: &'a str) -> Parsed<'a> {
        self.parse(line.as_bytes(), Some(line))
    }

    /// Reads a line without its newline.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8]) -> Parsed<'a> {
        self.parse(line, None)
    }

    fn parse<'a>(&mut self, line: &'a [u8], whole: Option<&'a str>) -> Parsed<'a> {
        let line = &line[..line.len().min(LINE)];
        let line = without_line_end(line);
        let Some((at_ms, rest)) = self.stamps.read(line) else { return without_program(line) };
        if let Some(program) = program::read_usual(rest, &self.host_and_space) {
            return of_program(at_ms, &program, whole);
        }
        let Some(program) = program::read(rest) else { return without_program(rest) };
        self.host_and_space.clear();
        if rest.get(program.host.len()) == Some(&b' ') && rest.starts_with(program.host) {
            self.host_and_space.extend_from_slice(&rest[..=program.host.len()]);
        }
        of_program(at_ms, &program, whole)
    }
}

/// Reads a text whose time, host, program and process are known, as the journal has them.
pub(crate) fn message<'a>(at_ms: i64, host: &'a [u8], tag: &'a [u8], pid: u32, text: &'a [u8]) -> Parsed<'a> {
    let text = without_line_end(text);
    of_program(at_ms, &ProgramLine { host, tag, daemon: program::daemon(tag), pid, text }, None)
}

fn of_program<'a>(at_ms: i64, program: &ProgramLine<'a>, whole: Option<&'a str>) -> Parsed<'a> {
    let ProgramLine { host, tag, daemon, pid, text } = *program;
    let Some(daemon) = daemon else { return Err(NotPostfix::Foreign) };
    let (prefix, text) = split_prefix(program::unwrapped(without_blank(text)));
    let event = event_text::read(daemon, prefix, text);
    Ok(LogLine { at_ms, host, tag, pid, queue_id: prefix.queue_id(), event, whole })
}

/// A text without the second blank that some templates write before it.
fn without_blank(text: &[u8]) -> &[u8] {
    if text.first() == Some(&b' ') { text.trim_ascii_start() } else { text }
}

/// A line that syslogd or journalctl wrote about itself, or an unknown one.
fn without_program<'a>(text: &[u8]) -> Parsed<'a> {
    let is_of_syslog = text.starts_with(b"-- ")
        || text.ends_with(b"-- MARK --")
        || memmem::find(text, b"last message repeated ").is_some();
    if is_of_syslog { Err(NotPostfix::Foreign) } else { Err(NotPostfix::Unknown) }
}
