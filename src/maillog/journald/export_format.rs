//! The export format of the journal: entries of fields, each with a text or a binary value.
//!
//! Not here: which fields matter (`journald_entry`). Invariant: an entry of any size takes bounded
//! memory.

use super::journald_entry::JournaldEntry;
use crate::maillog::postfix::LINE;
use std::io::{self, BufRead, Read};

/// Bytes of a value that are kept.
const VALUE: usize = LINE;
/// Bytes of a name that are kept; real names have at most 64.
const NAME: usize = 256;

pub(crate) struct JournalExport<R> {
    from: R,
    entry: JournaldEntry,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl<R: BufRead> JournalExport<R> {
    pub(crate) fn new(from: R) -> JournalExport<R> {
        JournalExport { from, entry: JournaldEntry::default(), name: Vec::new(), value: Vec::new() }
    }

    /// The next entry; None at the end, also if the last one is torn.
    pub(crate) fn next_entry(&mut self) -> io::Result<Option<&JournaldEntry>> {
        self.entry = JournaldEntry::default();
        let mut has_fields = false;
        while let Some(follows) = self.field_name()? {
            if self.name.is_empty() {
                if has_fields {
                    return Ok(Some(&self.entry));
                }
                continue;
            }
            has_fields = true;
            let is_whole = match follows {
                Follows::Text => self.text_value()?,
                Follows::Binary => self.binary_value()?,
            };
            if !is_whole {
                return Ok(None);
            }
            self.entry.set(&self.name, &self.value);
        }
        Ok(None)
    }

    /// Reads the name of a field and what follows it; None at the end.
    fn field_name(&mut self) -> io::Result<Option<Follows>> {
        self.name.clear();
        loop {
            let buffer = self.from.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let end = memchr::memchr2(b'=', b'\n', buffer);
            let upto = end.unwrap_or(buffer.len());
            let room = NAME.saturating_sub(self.name.len());
            self.name.extend_from_slice(&buffer[..upto.min(room)]);
            let follows = end.map(|end| if buffer[end] == b'=' { Follows::Text } else { Follows::Binary });
            self.from.consume(upto + usize::from(end.is_some()));
            if follows.is_some() {
                return Ok(follows);
            }
        }
    }

    /// Reads a value up to its newline. Returns whether it was whole.
    fn text_value(&mut self) -> io::Result<bool> {
        self.value.clear();
        loop {
            let buffer = self.from.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let end = memchr::memchr(b'\n', buffer);
            let upto = end.unwrap_or(buffer.len());
            let room = VALUE.saturating_sub(self.value.len());
            self.value.extend_from_slice(&buffer[..upto.min(room)]);
            self.from.consume(upto + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// Reads a length (eight bytes, little-endian), the value and a newline. Returns whether it was
    /// whole.
    fn binary_value(&mut self) -> io::Result<bool> {
        self.value.clear();
        let mut length = [0; 8];
        if self.from.read_exact(&mut length).is_err() {
            return Ok(false);
        }
        let length = u64::from_le_bytes(length);
        let kept = length.min(VALUE as u64);
        if (&mut self.from).take(kept).read_to_end(&mut self.value)? as u64 != kept {
            return Ok(false);
        }
        let rest = (length - kept).saturating_add(1);
        Ok(io::copy(&mut (&mut self.from).take(rest), &mut io::sink())? == rest)
    }
}

/// What follows the name of a field: after `=` a text, after a newline a binary value, or after an
/// empty name the next entry.
#[derive(Clone, Copy)]
enum Follows {
    Text,
    Binary,
}
