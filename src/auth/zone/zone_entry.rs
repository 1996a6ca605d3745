//! The text of a zone file as entries, each a list of fields (RFC 1035 section 5.1).
//!
//! Not here: what a field means. Invariant: every entry knows the line it begins at, and text that
//! is not closed, a parenthesis, a quote or an escape, is an error on its line.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// What is wrong with an entry, and the fix.
#[derive(Debug)]
pub(crate) struct ZoneFault {
    pub(crate) what: String,
    pub(crate) remedy: &'static str,
}

pub(crate) type ZoneResult<T = ()> = Result<T, ZoneFault>;

pub(crate) fn fault<T>(what: impl fmt::Display, remedy: &'static str) -> ZoneResult<T> {
    Err(ZoneFault { what: what.to_string(), remedy })
}

/// A field in an error.
pub(crate) fn show(field: &[u8]) -> String {
    format!("`{}`", field.escape_ascii())
}

pub(crate) fn parsed<T: FromStr>(field: Option<&[u8]>, wanted: &str) -> ZoneResult<T> {
    let field = field.unwrap_or_default();
    match std::str::from_utf8(field).ok().and_then(|text| text.parse().ok()) {
        Some(value) => Ok(value),
        None => fault(format_args!("{} is not {wanted}", show(field)), "correct the value"),
    }
}

/// One logical line: parentheses joined, comments removed, quotes and escapes resolved.
pub(crate) struct ZoneEntry<'a> {
    pub(crate) line: usize,
    /// Begins with a blank: the name is that of the entry before.
    pub(crate) indented: bool,
    pub(crate) fields: Vec<Cow<'a, [u8]>>,
}

pub(crate) struct ZoneLexer<'a> {
    text: &'a [u8],
    at: usize,
    /// From 1.
    pub(crate) line: usize,
}

impl<'a> ZoneLexer<'a> {
    pub(crate) fn new(text: &'a str) -> ZoneLexer<'a> {
        ZoneLexer { text: text.as_bytes(), at: 0, line: 1 }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// The next entry that has fields; `None` at the end of the file.
    pub(crate) fn entry(&mut self) -> ZoneResult<Option<ZoneEntry<'a>>> {
        while let Some(first) = self.peek() {
            let mut entry =
                ZoneEntry { line: self.line, indented: first == b' ' || first == b'\t', fields: Vec::new() };
            let mut open = 0usize;
            while let Some(byte) = self.peek() {
                match byte {
                    b'\n' => {
                        self.line += 1;
                        self.at += 1;
                        if open == 0 {
                            break;
                        }
                    }
                    b' ' | b'\t' | b'\r' => self.at += 1,
                    b';' => self.at = self.end_of_line(),
                    b'(' => {
                        self.at += 1;
                        open += 1;
                    }
                    b')' if open == 0 => return fault("`)` without `(`", "remove it, or quote the value"),
                    b')' => {
                        self.at += 1;
                        open -= 1;
                    }
                    b'"' => entry.fields.push(self.quoted()?),
                    _ => entry.fields.push(self.word()?),
                }
            }
            if open > 0 {
                self.line = entry.line;
                return fault("`(` is never closed", "add the `)`");
            }
            if !entry.fields.is_empty() {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn end_of_line(&self) -> usize {
        let rest = &self.text[self.at..];
        self.at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
    }

    fn quoted(&mut self) -> ZoneResult<Cow<'a, [u8]>> {
        self.at += 1;
        let value = self.run(|byte| byte == b'"' || byte == b'\n')?;
        if self.peek() != Some(b'"') {
            return fault("a quoted string is not closed", "add the `\"` on the same line");
        }
        self.at += 1;
        Ok(value)
    }

    fn word(&mut self) -> ZoneResult<Cow<'a, [u8]>> {
        self.run(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' | b'"'))
    }

    /// Everything up to a byte that ends it, `\X` and `\DDD` resolved.
    fn run(&mut self, ends: impl Fn(u8) -> bool) -> ZoneResult<Cow<'a, [u8]>> {
        let mut value = Cow::Borrowed(&self.text[self.at..self.at]);
        let mut start = self.at;
        while let Some(byte) = self.peek() {
            if byte == b'\\' {
                let plain = &self.text[start..self.at];
                let escaped = self.escaped()?;
                let value = value.to_mut();
                value.extend_from_slice(plain);
                value.push(escaped);
                start = self.at;
            } else if ends(byte) {
                break;
            } else {
                self.at += 1;
            }
        }
        let rest = &self.text[start..self.at];
        if value.is_empty() {
            return Ok(Cow::Borrowed(rest));
        }
        value.to_mut().extend_from_slice(rest);
        Ok(value)
    }

    fn escaped(&mut self) -> ZoneResult<u8> {
        let after = &self.text[self.at + 1..];
        let digits = after.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let (value, length) = match (digits, after.first()) {
            (Some(digits), _) => (parsed::<u8>(Some(digits), "an octet from 000 to 255")?, 3),
            (None, Some(byte)) if *byte != b'\n' => (*byte, 1),
            _ => return fault("`\\` at the end of a line", "write `\\\\` for a backslash"),
        };
        self.at += 1 + length;
        Ok(value)
    }
}
