//! A file as text: UTF-8 with or without byte order mark, or UTF-16 as spreadsheets write it.
//!
//! Not here: what the text says. Invariant: memory does not grow with the file.

use crate::error::{Error, Result};
use std::io::{self, BufRead, BufReader, Read};

const BUFFER: usize = 1 << 16;
const UTF8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The text of `input` as UTF-8, without its byte order mark. Compressed files and spreadsheets
/// are refused.
pub(crate) fn text<'a>(input: impl Read + 'a) -> Result<Box<dyn BufRead + 'a>> {
    let mut bytes = BufReader::with_capacity(BUFFER, input);
    let start = bytes.fill_buf().map_err(unreadable)?;
    let refused = |what: &str, fix: &str| Err(Error::new(what).remedy(fix));
    let (mark, big_endian) = match start {
        [0x1f, 0x8b, ..] => return refused("the file is compressed", "decompress it, and import the text"),
        [b'P', b'K', 3, 4, ..] => {
            return refused("this is a spreadsheet or an archive", "export it as CSV, and import that");
        }
        [0xff, 0xfe, ..] => (2, Some(false)),
        [0xfe, 0xff, ..] => (2, Some(true)),
        [0, byte, ..] if *byte != 0 => (0, Some(true)),
        [byte, 0, ..] if *byte != 0 => (0, Some(false)),
        _ if start.starts_with(&UTF8_MARK) => (UTF8_MARK.len(), None),
        _ => (0, None),
    };
    bytes.consume(mark);
    Ok(match big_endian {
        None => Box::new(bytes),
        Some(big_endian) => {
            let decoder = Utf16Decoder { bytes, big_endian, high: None, decoded: Vec::new(), taken: 0 };
            Box::new(BufReader::with_capacity(BUFFER, decoder))
        }
    })
}

/// Why reading stopped.
pub(crate) fn unreadable(error: io::Error) -> Error {
    Error::new(format_args!("cannot be read: {error}"))
}

/// UTF-16 in, UTF-8 out. What is no character becomes U+FFFD.
struct Utf16Decoder<R> {
    bytes: BufReader<R>,
    big_endian: bool,
    /// The first half of a character.
    high: Option<u16>,
    decoded: Vec<u8>,
    /// How much of `decoded` was given.
    taken: usize,
}

impl<R: Read> Utf16Decoder<R> {
    fn unit(&mut self) -> io::Result<Option<u16>> {
        let mut pair = [0; 2];
        let mut have = 0;
        while have < pair.len() {
            match self.bytes.read(&mut pair[have..])? {
                0 => return Ok(None),
                more => have += more,
            }
        }
        Ok(Some(if self.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }))
    }

    fn refill(&mut self) -> io::Result<()> {
        self.decoded.clear();
        self.taken = 0;
        let mut units = Vec::with_capacity(BUFFER / 4);
        units.extend(self.high.take());
        while units.len() < BUFFER / 4
            && let Some(unit) = self.unit()?
        {
            units.push(unit);
        }
        let is_high = |unit: &u16| (0xd800..0xdc00).contains(unit);
        if units.len() >= BUFFER / 4 && units.last().is_some_and(is_high) {
            self.high = units.pop();
        }
        let text = char::decode_utf16(units).map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER));
        self.decoded = text.collect::<String>().into_bytes();
        Ok(())
    }
}

impl<R: Read> Read for Utf16Decoder<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.decoded.len() {
            self.refill()?;
        }
        let left = &self.decoded[self.taken..];
        let given = left.len().min(into.len());
        into[..given].copy_from_slice(&left[..given]);
        self.taken += given;
        Ok(given)
    }
}
