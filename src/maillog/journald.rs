//! What `journalctl -o export` writes: the journal as fields and values.
//!
//! The caller starts journalctl, with `--after-cursor` where it stopped (`--identifier` cannot pick by a part
//! of a name, so other programs' entries come along). Not here: what the messages say. Invariant: the cursor
//! is that of the last entry that was given whole; an entry of any size takes bounded memory.

use super::postfix::{self, Parsed};
use std::io::{self, BufRead, Read};

/// Bytes of a value that are kept.
const VALUE: u64 = postfix::LINE as u64;

/// The fields of an entry that matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournalEntry {
    /// The position after it: `journalctl --after-cursor`.
    pub(crate) cursor: String,
    /// When it was received, milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// The server's name.
    pub(crate) host: Vec<u8>,
    /// The program: `postfix/smtp`.
    pub(crate) identifier: Vec<u8>,
    /// The process.
    pub(crate) pid: u32,
    /// The text.
    pub(crate) message: Vec<u8>,
}

impl JournalEntry {
    /// What the entry says, as a line of a log file would.
    pub(crate) fn parse(&self) -> Parsed<'_> {
        postfix::message(self.at_ms, &self.host, &self.identifier, self.pid, &self.message)
    }
}

/// Reads entries.
pub(crate) struct JournalExport<R> {
    from: R,
    entry: JournalEntry,
    name: Vec<u8>,
    value: Vec<u8>,
}

impl<R: BufRead> JournalExport<R> {
    /// Reads what journalctl writes.
    pub(crate) fn new(from: R) -> JournalExport<R> {
        JournalExport { from, entry: JournalEntry::default(), name: Vec::new(), value: Vec::new() }
    }

    /// The next entry. One that is not whole, at the end, is none.
    pub(crate) fn next_entry(&mut self) -> io::Result<Option<&JournalEntry>> {
        self.entry = JournalEntry::default();
        let mut fields = false;
        while let Some(binary) = self.field_name()? {
            if self.name.is_empty() {
                if fields {
                    return Ok(Some(&self.entry));
                }
                continue;
            }
            fields = true;
            if !(if binary { self.binary_value()? } else { self.text_value()? }) {
                return Ok(None);
            }
            self.keep();
        }
        Ok(None)
    }

    /// Reads up to `=` (a text follows) or a newline (a binary value, or the end of the entry). None at the
    /// end.
    fn field_name(&mut self) -> io::Result<Option<bool>> {
        self.name.clear();
        loop {
            let buffer = self.from.fill_buf()?;
            if buffer.is_empty() {
                return Ok(None);
            }
            let end = memchr::memchr2(b'=', b'\n', buffer);
            let upto = end.unwrap_or(buffer.len());
            // Names are at most 64 bytes.
            let room = 256_usize.saturating_sub(self.name.len());
            self.name.extend_from_slice(&buffer[..upto.min(room)]);
            let binary = end.map(|end| buffer[end] == b'\n');
            self.from.consume(upto + usize::from(end.is_some()));
            if binary.is_some() {
                return Ok(binary);
            }
        }
    }

    fn text_value(&mut self) -> io::Result<bool> {
        self.value.clear();
        loop {
            let buffer = self.from.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let end = memchr::memchr(b'\n', buffer);
            let upto = end.unwrap_or(buffer.len());
            let room = (VALUE as usize).saturating_sub(self.value.len());
            self.value.extend_from_slice(&buffer[..upto.min(room)]);
            self.from.consume(upto + usize::from(end.is_some()));
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// Eight bytes of length, least first, as many bytes, a newline.
    fn binary_value(&mut self) -> io::Result<bool> {
        self.value.clear();
        let mut length = [0; 8];
        if self.from.read_exact(&mut length).is_err() {
            return Ok(false);
        }
        let length = u64::from_le_bytes(length);
        let kept = length.min(VALUE);
        if (&mut self.from).take(kept).read_to_end(&mut self.value)? as u64 != kept {
            return Ok(false);
        }
        let rest = (length - kept).saturating_add(1);
        Ok(io::copy(&mut (&mut self.from).take(rest), &mut io::sink())? == rest)
    }

    fn keep(&mut self) {
        let text = || String::from_utf8_lossy(&self.value).into_owned();
        let number = || std::str::from_utf8(&self.value).ok().and_then(|digits| digits.parse::<i64>().ok());
        match &self.name[..] {
            b"__CURSOR" => self.entry.cursor = text(),
            b"__REALTIME_TIMESTAMP" => self.entry.at_ms = number().unwrap_or_default() / 1000,
            b"_HOSTNAME" => self.entry.host.clone_from(&self.value),
            b"SYSLOG_IDENTIFIER" => self.entry.identifier.clone_from(&self.value),
            b"SYSLOG_PID" => {
                self.entry.pid = number().and_then(|pid| pid.try_into().ok()).unwrap_or_default()
            }
            b"_PID" if self.entry.pid == 0 => {
                self.entry.pid = number().and_then(|pid| pid.try_into().ok()).unwrap_or_default();
            }
            b"MESSAGE" => self.entry.message.clone_from(&self.value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maillog::postfix::Event;

    fn binary(name: &str, value: &[u8]) -> Vec<u8> {
        [name.as_bytes(), b"\n", &(value.len() as u64).to_le_bytes(), value, b"\n"].concat()
    }

    #[test]
    fn entries_with_text_and_binary_fields_are_read() {
        let mut text = b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1767225600123456\n_HOSTNAME=mx\nPRIORITY=6\n\
            SYSLOG_IDENTIFIER=postfix/qmgr\nSYSLOG_PID=77\n_PID=78\nMESSAGE=4Xn0y83s5Zz1f: removed\n\n"
            .to_vec();
        text.extend(b"__CURSOR=s=1;i=3\nSYSLOG_IDENTIFIER=postfix/smtp\n_PID=78\n");
        text.extend(binary(
            "MESSAGE",
            b"4Xn0y83s5Zz1f: to=<a\xff@example.com>, relay=none, status=sent (x\n=y)",
        ));
        text.extend(b"\n__CURSOR=s=1;i=4\nMESSAGE=torn");
        for size in [1, 7, 4096] {
            let mut journal = JournalExport::new(io::BufReader::with_capacity(size, &text[..]));
            let entry = journal.next_entry().unwrap().unwrap();
            assert_eq!((entry.cursor.as_str(), entry.at_ms, entry.pid), ("s=1;i=2", 1_767_225_600_123, 77));
            let Parsed::Postfix(line) = entry.parse() else { panic!() };
            assert_eq!((line.event, line.host), (Event::Removed, &b"mx"[..]));
            let entry = journal.next_entry().unwrap().unwrap();
            assert_eq!((entry.cursor.as_str(), entry.pid), ("s=1;i=3", 78));
            assert!(
                matches!(entry.parse(), Parsed::Postfix(line) if matches!(line.event, Event::Attempt(_)))
            );
            assert_eq!(journal.next_entry().unwrap(), None);
        }
    }

    #[test]
    fn a_value_of_any_length_takes_bounded_memory() {
        let mut text = binary("MESSAGE", &vec![b'x'; 1 << 20]);
        text.extend(b"__CURSOR=");
        text.extend(vec![b'y'; 1 << 20]);
        text.extend(b"\n\n");
        text.extend(b"MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffabc");
        let mut journal = JournalExport::new(&text[..]);
        let entry = journal.next_entry().unwrap().unwrap();
        assert_eq!((entry.message.len(), entry.cursor.len()), (postfix::LINE, postfix::LINE));
        assert_eq!(journal.next_entry().unwrap(), None);
    }
}
