//! Reads the lines of a mail server, whichever it is.
//!
//! Not here: what they say (`postfix`, `exim`). Invariant: what comes after does not ask which
//! server wrote a line.

use super::exim::EximLines;
use super::postfix::{Grammar, LineReader, LogServer, LoggedHeaders, Parsed};

pub(crate) enum ServerLines {
    Postfix(LineReader),
    Exim(EximLines),
}

impl ServerLines {
    /// `reference_ms`: no line is younger than this (see `Stamps`).
    pub(crate) fn new(grammar: &Grammar, reference_ms: i64) -> ServerLines {
        match grammar.server {
            LogServer::Postfix => ServerLines::Postfix(LineReader::new(grammar, reference_ms)),
            LogServer::Exim => ServerLines::Exim(EximLines::new(grammar, reference_ms)),
        }
    }

    /// Continues after lines that were read before, up to this time.
    pub(crate) fn go_on_from(&mut self, latest_ms: i64) {
        match self {
            ServerLines::Postfix(lines) => lines.go_on_from(latest_ms),
            ServerLines::Exim(lines) => lines.stamps().in_order_from(latest_ms),
        }
    }

    /// Sets the reference for the lines that follow.
    pub(crate) fn set_reference(&mut self, reference_ms: i64) {
        match self {
            ServerLines::Postfix(lines) => lines.set_reference(reference_ms),
            ServerLines::Exim(lines) => lines.stamps().set_reference(reference_ms),
        }
    }

    /// The headers whose values matter.
    pub(crate) fn headers(&self) -> &LoggedHeaders {
        match self {
            ServerLines::Postfix(lines) => lines.headers(),
            ServerLines::Exim(lines) => lines.headers(),
        }
    }

    /// Reads a line without its newline that is known to be UTF-8.
    pub(crate) fn read_text<'a>(&mut self, line: &'a str) -> Parsed<'a> {
        match self {
            ServerLines::Postfix(lines) => lines.read_text(line),
            ServerLines::Exim(lines) => lines.read(line.as_bytes(), Some(line)),
        }
    }

    /// Reads a line without its newline.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8]) -> Parsed<'a> {
        match self {
            ServerLines::Postfix(lines) => lines.read(line),
            ServerLines::Exim(lines) => lines.read(line, None),
        }
    }
}
