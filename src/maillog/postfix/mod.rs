//! What one line of a Postfix log says.
//!
//! Bytes in, borrowed bytes out: nothing is copied. Not here: what several lines say together (`correlate`).
//! Invariant: every line is something: an event, known to say nothing of a message, another program's, or
//! unknown; and no text that a stranger chose (an address, a header, a reply) is taken for what Postfix
//! itself says.

mod attempt;
mod session_envelope;
mod event;
mod early_decision;

pub(crate) use attempt::{Attempt, AttemptResult};
pub(crate) use early_decision::{EarlyAction, HeaderDecision, SessionDecision};
pub(crate) use event::{Event, NotificationKind};
pub(crate) use session_envelope::SessionEnvelope;

use super::stamp::Stamps;
use crate::clock;
use jiff::tz::TimeZone;
use memchr::memchr;
use std::borrow::Cow;

/// Bytes of a line that are read; what comes after is cut off.
pub(crate) const LINE: usize = 64 * 1024;

/// How lines are to be read.
#[derive(Clone, Debug)]
pub(crate) struct Grammar {
    /// The zone of stamps that name none.
    pub(crate) zone: TimeZone,
    /// The header that carries the client id, as header_checks logs it; case does not matter.
    pub(crate) client_header: String,
}

impl Default for Grammar {
    fn default() -> Grammar {
        Grammar { zone: clock::local_zone(), client_header: "client-id".into() }
    }
}

/// A line of Postfix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LogLine<'a> {
    /// Milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// The host's name; empty if the line has none.
    pub(crate) host: &'a [u8],
    /// The program: `postfix/smtp`, `postfix/submission/smtpd`, `postfix-out/smtp`.
    pub(crate) tag: &'a [u8],
    /// The process.
    pub(crate) pid: u32,
    /// The queue id before the text. `NOQUEUE` is none.
    pub(crate) queue_id: Option<&'a [u8]>,
    /// What happened.
    pub(crate) event: Event<'a>,
    /// The whole line, if it is known to be UTF-8.
    pub(crate) whole: Option<&'a str>,
}

impl<'a> LogLine<'a> {
    /// A part of the line as text; what is not UTF-8 becomes U+FFFD.
    pub(crate) fn text(&self, part: &'a [u8]) -> Cow<'a, str> {
        let known = self.whole.and_then(|whole| {
            let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
            whole.get(start..start.checked_add(part.len())?).filter(|text| text.as_ptr() == part.as_ptr())
        });
        known.map_or_else(|| lossy(part), Cow::Borrowed)
    }
}

/// Text of a log, which is mostly UTF-8; what is not becomes U+FFFD.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // The first is the faster.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// What a line turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Parsed<'a> {
    /// A line of Postfix; its event may still be `Unknown`.
    Postfix(LogLine<'a>),
    /// Another program's.
    Foreign,
    /// Nothing with a stamp and a program in front.
    Unknown,
}

/// Reads lines one after the other.
pub(crate) struct LineReader {
    stamps: Stamps,
    client_header: Box<[u8]>,
    /// The host of the last line and the space behind it: most likely that of the next.
    host: Vec<u8>,
}

impl LineReader {
    /// `reference_ms`: no line is younger than this (see `Stamps`).
    pub(crate) fn new(grammar: &Grammar, reference_ms: i64) -> LineReader {
        let client_header = grammar.client_header.trim_end_matches(':').as_bytes().into();
        let stamps = Stamps::new(grammar.zone.clone(), reference_ms);
        LineReader { stamps, client_header, host: Vec::new() }
    }

    /// Goes on behind lines that were read before, up to this time.
    pub(crate) fn go_on_from(&mut self, latest_ms: i64) {
        self.stamps.in_order_from(latest_ms);
    }

    /// Sets what no line that follows is younger than.
    pub(crate) fn set_reference(&mut self, reference_ms: i64) {
        self.stamps.set_reference(reference_ms);
    }

    /// The name of the header that carries the client id.
    pub(crate) fn client_header(&self) -> &[u8] {
        &self.client_header
    }

    /// Reads a line that is known to be UTF-8, as `read` does.
    pub(crate) fn read_text<'a>(&mut self, line: &'a str) -> Parsed<'a> {
        self.parse(line.as_bytes(), Some(line))
    }

    /// Reads a line without its newline.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8]) -> Parsed<'a> {
        self.parse(line, None)
    }

    fn parse<'a>(&mut self, line: &'a [u8], whole: Option<&'a str>) -> Parsed<'a> {
        let line = &line[..line.len().min(LINE)];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some((at_ms, rest)) = self.stamps.read(line) else { return without_program(line) };
        if let Some(program) = self.usual(rest) {
            return of_program(at_ms, program, whole);
        }
        let Some(program) = program(rest) else { return without_program(rest) };
        self.host.clear();
        if rest.get(program.host.len()) == Some(&b' ') && rest.starts_with(program.host) {
            self.host.extend_from_slice(&rest[..=program.host.len()]);
        }
        of_program(at_ms, program, whole)
    }

    /// `mx postfix/smtp[123]: text` of the same host as the line before, as nearly all lines are.
    fn usual<'a>(&self, rest: &'a [u8]) -> Option<Program<'a>> {
        let after = rest.strip_prefix(&self.host[..])?;
        let host = &rest[..self.host.len().saturating_sub(1)];
        let name = after.strip_prefix(b"postfix")?;
        let (mut end, mut slash) = (0, None);
        let mut at = loop {
            match name.get(end)? {
                b'[' => break end + 1,
                b' ' | b':' => return None,
                b'/' => slash = Some(end),
                _ => {}
            }
            end += 1;
        };
        let mut pid: u32 = 0;
        while let Some(digit @ b'0'..=b'9') = name.get(at) {
            pid = pid.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'));
            at += 1;
        }
        let text = name[at..].strip_prefix(b"]: ")?;
        let daemon = slash.map(|slash| &name[slash + 1..end]);
        Some(Program { host, tag: &after[..7 + end], daemon, pid, text })
    }
}

/// Reads a message whose time, host, program and process are known already, as journald has them.
pub(crate) fn message<'a>(at_ms: i64, host: &'a [u8], tag: &'a [u8], pid: u32, text: &'a [u8]) -> Parsed<'a> {
    of_program(at_ms, Program { host, tag, daemon: daemon(tag), pid, text }, None)
}

fn of_program<'a>(at_ms: i64, program: Program<'a>, whole: Option<&'a str>) -> Parsed<'a> {
    let Program { host, tag, daemon, pid, text } = program;
    let Some(daemon) = daemon else { return Parsed::Foreign };
    let text = unwrapped(text);
    let (queue_id, text, no_queue) = match split_id(text) {
        Some((id, rest)) => (Some(id), rest, false),
        None => match text.strip_prefix(b"NOQUEUE: ") {
            Some(rest) => (None, rest, true),
            None => (None, text, false),
        },
    };
    let event = event::read(daemon, queue_id.is_some(), no_queue, text);
    Parsed::Postfix(LogLine { at_ms, host, tag, pid, queue_id, event, whole })
}

/// What syslogd and journalctl say themselves.
fn without_program<'a>(text: &[u8]) -> Parsed<'a> {
    let known = text.starts_with(b"-- ")
        || text.ends_with(b"-- MARK --")
        || memchr::memmem::find(text, b"last message repeated ").is_some();
    if known { Parsed::Foreign } else { Parsed::Unknown }
}

/// What follows the stamp.
struct Program<'a> {
    host: &'a [u8],
    tag: &'a [u8],
    /// The daemon's name, if the program is Postfix.
    daemon: Option<&'a [u8]>,
    pid: u32,
    text: &'a [u8],
}

/// Takes apart what follows the stamp: `mx postfix/smtp[123]: text`, also without a host, with a priority
/// (`<mail.info>`, `mail.info`), and as RFC 5424 has it: `mx postfix/smtp 123 - - text`.
fn program(rest: &[u8]) -> Option<Program<'_>> {
    let (mut host, mut rest): (&[u8], &[u8]) = (b"", rest);
    for tokens in 0..4 {
        let space = memchr(b' ', rest)?;
        let (token, after) = (&rest[..space], &rest[space + 1..]);
        if let Some(tag) = token.strip_suffix(b":") {
            let (tag, pid) = match tag.strip_suffix(b"]").and_then(|tag| Some((tag, memchr(b'[', tag)?))) {
                Some((tag, bracket)) => (&tag[..bracket], decimal(&tag[bracket + 1..])),
                None => (tag, 0),
            };
            return Some(Program { host, tag, daemon: daemon(tag), pid, text: after });
        }
        let tag_of_5424 = tokens > 0 && token.contains(&b'/');
        if tag_of_5424 {
            // Process, message id, structured data: `123 - - ` or `123 - [x y="z"] `.
            let (pid, after) = after.split_at(memchr(b' ', after)?);
            let after = &after[1..];
            let after = &after[memchr(b' ', after)? + 1..];
            let after = match after {
                [b'-', b' ', text @ ..] => text,
                [b'[', ..] => &after[memchr::memmem::find(after, b"] ")? + 2..],
                _ => return None,
            };
            let text = after.strip_prefix(b"\xef\xbb\xbf").unwrap_or(after);
            return Some(Program { host, tag: token, daemon: daemon(token), pid: decimal(pid), text });
        }
        let priority = token.starts_with(b"<") || token.starts_with(b"mail.");
        if host.is_empty() && !priority {
            host = token;
        }
        rest = after;
    }
    None
}

fn decimal(digits: &[u8]) -> u32 {
    digits
        .iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0, |value: u32, byte| value.wrapping_mul(10).wrapping_add(u32::from(byte - b'0')))
}

/// The daemon's name, if the program is Postfix.
fn daemon(tag: &[u8]) -> Option<&[u8]> {
    let slash = tag.iter().rposition(|&byte| byte == b'/')?;
    let (instance, name) = (&tag[..slash], &tag[slash + 1..]);
    (instance.starts_with(b"postfix") || event::is_daemon(name)).then_some(name)
}

/// The text within what rsyslog (`message repeated 2 times: [ text]`) or Solaris (`[ID 197553 mail.info]
/// text`) puts around it.
fn unwrapped(text: &[u8]) -> &[u8] {
    match text.first() {
        Some(b'm') if text.starts_with(b"message repeated ") => {
            match memchr::memmem::find(text, b" times: [ ") {
                Some(found) => text[found + 10..].strip_suffix(b"]").unwrap_or(&text[found + 10..]),
                None => text,
            }
        }
        Some(b'[') if text.starts_with(b"[ID ") => {
            memchr::memmem::find(text, b"] ").map_or(text, |found| &text[found + 2..])
        }
        _ => text,
    }
}

/// A queue id and what follows its colon and space.
///
/// A short id is hexadecimal (microseconds, then the inode number); a long one (enable_long_queue_ids) is
/// made of digits and consonants and has at least ten of them.
fn split_id(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let head = &text[..text.len().min(33)];
    let (mut seen, mut end) = (0, 0);
    loop {
        match CLASSES[usize::from(*head.get(end)?)] {
            NO_ID => break,
            class => seen |= class,
        }
        end += 1;
    }
    let id = if seen & NO_HEX == 0 { end >= 5 } else { seen & DIGIT != 0 && end >= 10 };
    let (id, rest) = id.then(|| text.split_at(end))?;
    Some((id, rest.strip_prefix(b": ")?))
}

/// What a byte may be in a queue id.
const CLASSES: [u8; 256] = {
    let mut classes = [NO_ID; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'F' => HEX,
            b'G'..=b'Z' | b'a'..=b'z' => NO_HEX,
            _ => NO_ID,
        };
        byte += 1;
    }
    classes
};
const NO_ID: u8 = 0;
const DIGIT: u8 = 1;
const HEX: u8 = 2;
const NO_HEX: u8 = 4;

/// Is this the whole of a queue id?
fn is_id(text: &[u8]) -> bool {
    let digits = text.iter().any(u8::is_ascii_digit);
    let hexadecimal = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    let alphanumeric = text.iter().all(u8::is_ascii_alphanumeric);
    text.len() <= 32 && if hexadecimal { text.len() >= 5 } else { alphanumeric && digits && text.len() >= 10 }
}

#[cfg(test)]
mod tests;
