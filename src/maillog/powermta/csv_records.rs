//! Records of CSV (RFC 4180) in a text that may end within one.
//!
//! Not here: what the fields mean. Invariant: a record is read whole or not at all; memory is
//! bounded by the longest text that is given.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

/// The fields of one record; what is not UTF-8 became U+FFFD.
#[derive(Default)]
pub(crate) struct Fields {
    text: String,
    /// Where each field ends.
    ends: Vec<usize>,
}

impl Fields {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&str> {
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? };
        self.text.get(start..*self.ends.get(at)?)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).filter_map(|at| self.get(at))
    }

    fn set(&mut self, bytes: &[u8], ends: &[usize]) {
        self.text.clear();
        self.ends.clear();
        match std::str::from_utf8(bytes) {
            // Two fields may have one character between them, of which each has a part.
            Ok(text) if ends.iter().all(|end| text.is_char_boundary(*end)) => {
                self.text.push_str(text);
                self.ends.extend_from_slice(ends);
            }
            _ => {
                let mut start = 0;
                for &end in ends {
                    self.text.push_str(&String::from_utf8_lossy(&bytes[start..end]));
                    self.ends.push(self.text.len());
                    start = end;
                }
            }
        }
    }
}

pub(crate) struct RecordReader {
    csv: Reader,
    /// Memory for unquoted fields and their ends.
    output: Vec<u8>,
    ends: Vec<usize>,
}

impl RecordReader {
    pub(crate) fn new() -> RecordReader {
        let csv = ReaderBuilder::new().terminator(Terminator::Any(b'\n')).build();
        RecordReader { csv, output: vec![0; 4096], ends: vec![0; 64] }
    }

    /// Reads the record at the beginning of a text. Returns its length with its newline; None if it
    /// is not whole.
    pub(crate) fn read(&mut self, text: &[u8], fields: &mut Fields) -> Option<usize> {
        self.read_until(text, fields, false)
    }

    /// Reads a line without its newline as one record.
    pub(crate) fn read_line(&mut self, line: &[u8], fields: &mut Fields) {
        if self.read_until(line, fields, true).is_none() {
            fields.set(b"", &[]);
        }
    }

    fn read_until(&mut self, text: &[u8], fields: &mut Fields, is_whole: bool) -> Option<usize> {
        self.csv.reset();
        let (mut read, mut written, mut ended) = (0, 0, 0);
        loop {
            let (output, ends) = (&mut self.output[written..], &mut self.ends[ended..]);
            let (result, bytes, copied, more_ends) = self.csv.read_record(&text[read..], output, ends);
            (read, written, ended) = (read + bytes, written + copied, ended + more_ends);
            match result {
                ReadRecordResult::Record => break,
                ReadRecordResult::OutputFull => self.output.resize(2 * self.output.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                // An empty text tells the reader that the record ends.
                ReadRecordResult::InputEmpty if is_whole => {}
                ReadRecordResult::InputEmpty | ReadRecordResult::End => return None,
            }
        }
        fields.set(&self.output[..written], &self.ends[..ended]);
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &[u8]) -> Option<(usize, Vec<String>)> {
        let (mut reader, mut fields) = (RecordReader::new(), Fields::default());
        let length = reader.read(text, &mut fields)?;
        Some((length, fields.iter().map(str::to_owned).collect()))
    }

    #[test]
    fn a_record_is_read_whole_or_not_at_all() {
        let (length, all) = fields(b"\"a,\"\"b\"\"\",,c,\"\"\nd").unwrap();
        assert_eq!((length, all), (16, vec!["a,\"b\"".to_owned(), String::new(), "c".into(), String::new()]));
        assert_eq!(fields(b"a,\"b\nc\"\n").unwrap().1, ["a", "b\nc"]);
        for torn in [&b"a,b"[..], b"a,\"b\nc", b""] {
            assert_eq!(fields(torn), None);
        }
        let many = [&b"x,".repeat(1000), &b"y".repeat(9000)[..], b"\n"].concat();
        let (length, all) = fields(&many).unwrap();
        assert_eq!((length, all.len(), all[1000].len()), (many.len(), 1001, 9000));
    }

    #[test]
    fn what_is_not_utf8_is_replaced_field_by_field() {
        assert_eq!(fields(b"a\xff,b\n").unwrap().1, ["a\u{fffd}", "b"]);
        assert_eq!(fields(b"\xc3,\xa9\n").unwrap().1, ["\u{fffd}", "\u{fffd}"]);
    }
}
