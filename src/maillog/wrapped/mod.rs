//! Lines that something else has wrapped: a container's runtime, a journal, a shipper of logs.
//!
//! Docker's json-file, `docker compose logs`, Kubernetes (CRI), `journalctl -o json` and other
//! lines of JSON. Not here: what the line within says (`postfix`). Invariant: only a line that is
//! no plain log line is unwrapped, so that no text within a plain line is taken for one.

mod container_prefix;
mod json_line;
mod json_time;

use super::postfix::{NotPostfix, Parsed};
use super::server_lines::ServerLines;
use json_line::JsonLine;

/// Wrappers within wrappers that are taken off.
const DEPTH: usize = 3;

/// Takes wrappers off lines.
#[derive(Default)]
pub(crate) struct Unwrapper {
    /// The stamp of the wrapper next to the line, or of one around it.
    stamp: Vec<u8>,
    /// Host and program, as JSON names them: `mx postfix/smtp[123]: `.
    program: Vec<u8>,
    /// The line within.
    inner: Vec<u8>,
    /// The line with the stamp in front.
    dated: Vec<u8>,
}

/// What wraps a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrapper {
    /// `{"log":"…","time":"…"}`
    Json,
    /// `postfix-1  | …`
    Prefix,
    /// `2026-01-02T03:04:05.678Z stdout F …`
    Stream,
    /// Colours, tabs, or brackets around the stamp.
    Decoration,
}

impl Unwrapper {
    /// Reads a wrapped line: as it is within, or with the stamp and the program of the wrapper.
    /// None if it is not wrapped.
    pub(crate) fn read<'a>(&'a mut self, line: &[u8], reader: &mut ServerLines) -> Option<Parsed<'a>> {
        self.unwrap(line)?;
        let is_whole = reader.read(&self.inner) != Err(NotPostfix::Unknown);
        if !is_whole {
            if self.stamp.is_empty() {
                return Some(Err(NotPostfix::Unknown));
            }
            self.date();
        }
        Some(reader.read(if is_whole { &self.inner } else { &self.dated }))
    }

    /// Takes the wrappers off a line, and returns the outermost.
    pub(crate) fn unwrap(&mut self, line: &[u8]) -> Option<Wrapper> {
        self.stamp.clear();
        self.program.clear();
        let outermost = self.unwrap_once(line)?;
        for _ in 1..DEPTH {
            let inner = std::mem::take(&mut self.inner);
            if self.unwrap_once(&inner).is_none() {
                self.inner = inner;
                break;
            }
        }
        Some(outermost)
    }

    /// Puts the stamp and the program of the wrapper in front of the line.
    fn date(&mut self) {
        self.dated.clear();
        self.dated.extend_from_slice(&self.stamp);
        self.dated.push(b' ');
        if !self.inner.starts_with(b"postfix") {
            self.dated.extend_from_slice(&self.program);
        }
        self.dated.extend_from_slice(&self.inner);
    }

    fn unwrap_once(&mut self, line: &[u8]) -> Option<Wrapper> {
        if let Some(json) = JsonLine::read(line) {
            if !json.stamp.is_empty() {
                self.stamp = json.stamp;
            }
            if !json.program.is_empty() {
                self.program = json.program;
            }
            self.inner = json.message;
            return Some(Wrapper::Json);
        }
        if let Some((stamp, inner)) = container_prefix::stream(line) {
            self.stamp.clear();
            self.stamp.extend_from_slice(stamp);
            self.inner = inner.to_vec();
            return Some(Wrapper::Stream);
        }
        if let Some(inner) = container_prefix::without_prefix(line) {
            self.inner = inner;
            return Some(Wrapper::Prefix);
        }
        self.inner = container_prefix::undecorated(line)?;
        Some(Wrapper::Decoration)
    }
}

#[cfg(test)]
mod tests;
