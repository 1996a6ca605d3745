//! The fields of a line, `H=mx.example [192.0.2.1]:25 X=TLS1.3:…:256 CV=no C="250 OK"`, one after
//! another.
//!
//! Not here: what they mean. Invariant: a value in quotes ends at its closing quote, a host at its
//! address, and any other value at a blank.

use memchr::{memchr, memmem};

pub(super) struct EximFields<'a> {
    rest: &'a [u8],
}

/// A part of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EximField<'a> {
    /// `R=dnslookup`
    Value(&'a [u8], &'a [u8]),
    /// `defer`, `L`, `(-44)`
    Word(&'a [u8]),
    /// What follows the colon that ends the fields.
    Text(&'a [u8]),
}

impl<'a> EximFields<'a> {
    pub(super) fn new(text: &'a [u8]) -> EximFields<'a> {
        EximFields { rest: text }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn leave(&mut self, length: usize) -> &'a [u8] {
        let (value, rest) = self.rest.split_at(length);
        self.rest = rest;
        value
    }
}

impl<'a> Iterator for EximFields<'a> {
    type Item = EximField<'a>;

    fn next(&mut self) -> Option<EximField<'a>> {
        if let Some(text) = self.rest.strip_prefix(b":") {
            self.rest = b"";
            return Some(EximField::Text(text.trim_ascii_start()));
        }
        self.rest = self.rest.trim_ascii_start();
        if self.rest.is_empty() {
            return None;
        }
        let name_length = self.rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let is_value = name_length > 0 && self.rest.get(name_length) == Some(&b'=');
        if !is_value {
            return Some(EximField::Word(self.leave(plain_length(self.rest))));
        }
        let name = &self.rest[..name_length];
        self.rest = &self.rest[name_length + 1..];
        let length = match (name, self.rest.first()) {
            (b"H", _) => host_length(self.rest),
            (_, Some(b'"')) => quoted_length(self.rest),
            (_, Some(b'<')) => bracketed_length(self.rest),
            _ => plain_length(self.rest),
        };
        Some(EximField::Value(name, self.leave(length)))
    }
}

/// To a blank; a colon before it ends the fields.
fn plain_length(text: &[u8]) -> usize {
    let end = memchr(b' ', text).unwrap_or(text.len());
    if text[..end].ends_with(b":") && end > 1 { end - 1 } else { end }
}

/// Of a text in quotes, with them.
pub(super) fn quoted_length(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() && text[at] != b'"' {
        at += 1 + usize::from(text[at] == b'\\');
    }
    (at + 1).min(text.len())
}

fn bracketed_length(text: &[u8]) -> usize {
    let end = [&b"> "[..], b">: "].iter().filter_map(|end| memmem::find(text, end)).min();
    end.map_or(text.len(), |end| end + 1)
}

/// `mx.example (helo) [192.0.2.1]:25*`
fn host_length(text: &[u8]) -> usize {
    let mut at = match text.first() {
        Some(b'[' | b'(') => 0,
        _ => memchr(b' ', text).map_or(text.len(), |end| end + 1),
    };
    if text.get(at) == Some(&b'(') {
        // A client chose what is in the parentheses.
        match memmem::find(&text[at..], b") [") {
            Some(end) => at += end + 2,
            None => return plain_length(text),
        }
    }
    if text.get(at) != Some(&b'[') {
        return plain_length(text);
    }
    let address = &text[at..];
    let close = memchr(b']', address).map_or(address.len(), |close| close + 1);
    let after = &address[close..];
    let digits = after.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    let port = if after.first() == Some(&b':') && digits > 0 { digits + 1 } else { 0 };
    let star = usize::from(after.get(port) == Some(&b'*'));
    at + close + port + star
}
