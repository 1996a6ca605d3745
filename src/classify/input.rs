//! What can be classified: the messages below a path, and SMTP replies in lines.
//!
//! Not here: reading the bytes of a file. Invariant: files are in the order of their names, and the
//! messages of a file in the order of the file.

use crate::class::DeliveryFailure;
use crate::message::mbox::{self, MboxPart};
use crate::smtp_reply;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A message to be classified.
pub(crate) struct Item {
    /// Its file, with `#2` after it for the second of several messages in it.
    pub(crate) name: String,
    pub(crate) raw: Vec<u8>,
}

/// The files below a path: itself, or what a Maildir or directory holds, in order.
pub(crate) fn files_below(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for entry in entries {
        let hidden = entry.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && !entry.ends_with("tmp") {
            found.extend(files_below(&entry));
        }
    }
    found
}

/// Bytes of an mbox that are in memory.
const PIECE: usize = 32 << 20;
/// Bytes of a message at most.
const LARGEST: usize = 64 << 20;

/// The messages of a file, some at a time: one, or those of an mbox, however long it is.
pub(crate) struct FileMessages<R> {
    name: String,
    /// The file has one message, whatever it begins with.
    is_one: bool,
    from: R,
    /// What was read, and not given yet.
    bytes: Vec<u8>,
    /// Messages that were given.
    given: usize,
    /// All was read.
    ended: bool,
    /// All was given.
    over: bool,
}

impl<R: Read> FileMessages<R> {
    pub(crate) fn new(file: &Path, from: R) -> FileMessages<R> {
        // The name decides: a message saved from a mailbox may begin with `From `.
        let is_one =
            file.extension().is_some_and(|ending| ["eml", "msg", "txt"].iter().any(|known| ending == *known));
        let name = file.display().to_string();
        FileMessages { name, is_one, from, bytes: Vec::new(), given: 0, ended: false, over: false }
    }

    /// The next messages; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Vec<Item>> {
        if self.over {
            return Ok(Vec::new());
        }
        for piece in [PIECE, LARGEST] {
            self.read_to(piece)?;
            self.is_one |= self.given == 0 && !mbox::is_mbox(&self.bytes);
            if self.is_one && self.ended {
                self.over = true;
                let raw = std::mem::take(&mut self.bytes);
                return Ok(vec![self.item(0, raw)]);
            }
            let mut parts: Vec<MboxPart> = match self.is_one {
                true => Vec::new(),
                false => mbox::split(&self.bytes).collect(),
            };
            // The last one may go on.
            let left = if self.ended { None } else { parts.pop() };
            self.over = self.ended;
            if !parts.is_empty() {
                let item = |(index, part): (usize, MboxPart)| {
                    self.item(self.given + index, mbox::unquoted(&self.bytes[part.message]))
                };
                let items: Vec<Item> = parts.into_iter().enumerate().map(item).collect();
                self.given += items.len();
                self.bytes.drain(..left.map_or(self.bytes.len(), |part| part.from_line.start));
                return Ok(items);
            }
            if self.over {
                return Ok(Vec::new());
            }
        }
        self.over = true;
        let why = format!("a message is longer than {} MiB", LARGEST >> 20);
        Err(io::Error::new(io::ErrorKind::FileTooLarge, why))
    }

    fn item(&self, index: usize, raw: Vec<u8>) -> Item {
        let name = &self.name;
        Item { name: if index == 0 { name.clone() } else { format!("{name}#{}", index + 1) }, raw }
    }

    /// Reads until this many bytes are in memory, or to the end.
    fn read_to(&mut self, piece: usize) -> io::Result<()> {
        // One more, so that the end is seen.
        let wanted = (piece + 1).saturating_sub(self.bytes.len());
        let read = self.from.by_ref().take(wanted as u64).read_to_end(&mut self.bytes)?;
        self.ended |= read < wanted;
        Ok(())
    }
}

/// The failure that an SMTP reply in a line is about.
pub(crate) fn reply(line: &str) -> DeliveryFailure {
    let (code, enhanced) = smtp_reply::leading_codes(line);
    DeliveryFailure {
        text: line.trim().to_owned(),
        status: enhanced.map(|status| status.to_string()).unwrap_or_default(),
        code: code.unwrap_or_default(),
        ..DeliveryFailure::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mbox_of_any_length_is_read_message_by_message() {
        let body = "x".repeat(1000);
        let message = |number: usize| format!("Subject: {number}\n\n>From {number}\n{body}\n\n");
        let many = PIECE / 1000 * 2;
        let text: String = (0..many).map(|number| format!("From a Tue\n{}", message(number))).collect();
        let mut messages = FileMessages::new(Path::new("a"), text.as_bytes());
        let (mut seen, mut pieces) = (0, 0);
        loop {
            let items = messages.next().unwrap();
            if items.is_empty() {
                break;
            }
            pieces += 1;
            for item in items {
                let name = if seen == 0 { "a".to_owned() } else { format!("a#{}", seen + 1) };
                let raw = message(seen).replace(">From", "From");
                assert!(item.name == name && item.raw == raw.as_bytes(), "{seen}");
                seen += 1;
            }
        }
        assert!(seen == many && pieces > 1, "{seen} {pieces}");
        let mut endless = FileMessages::new(Path::new("zeros"), io::repeat(0));
        assert!(endless.next().is_err_and(|error| error.to_string().contains("longer than 64 MiB")));
        assert!(endless.next().unwrap().is_empty());
        let mut empty = FileMessages::new(Path::new("empty"), io::empty());
        assert_eq!([(); 2].map(|()| empty.next().unwrap().len()), [1, 0]);
    }
}
