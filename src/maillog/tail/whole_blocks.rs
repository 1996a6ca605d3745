//! A zstd file that is still being written, as a file that ends after its last whole block.
//!
//! A writer that is at work, and one that was killed, leave a frame without an end. Not here:
//! decompression. Invariant: what is given is a whole file of whole frames, and a later reading of
//! the longer file begins with the same plain bytes.

use std::fs::File;
use std::io::{self, BufReader, Read};

const MAGIC: u32 = 0xfd2f_b528;
/// An empty block that is the last of its frame.
const LAST_BLOCK: [u8; 3] = [1, 0, 0];
const CHECKSUM: usize = 4;

/// Where in the file the next byte is.
#[derive(Clone, Copy)]
enum Place {
    Between,
    Within { has_checksum: bool },
    Over,
}

pub(crate) struct WholeBlocks {
    file: BufReader<File>,
    place: Place,
    /// Bytes to be given, and how many of them were.
    block: Vec<u8>,
    given: usize,
}

impl WholeBlocks {
    pub(crate) fn new(file: File) -> WholeBlocks {
        WholeBlocks { file: BufReader::new(file), place: Place::Between, block: Vec::new(), given: 0 }
    }

    /// Reads this many bytes more into the block. Returns whether the file has them.
    fn take(&mut self, bytes: usize) -> io::Result<bool> {
        let before = self.block.len();
        let read = (&mut self.file).take(bytes as u64).read_to_end(&mut self.block)?;
        debug_assert!(self.block.len() == before + read);
        Ok(read == bytes)
    }

    /// Makes the next part ready, if there is a whole one.
    fn next_part(&mut self) -> io::Result<()> {
        self.block.clear();
        self.given = 0;
        self.place = match self.place {
            Place::Between => self.frame_header()?,
            Place::Within { has_checksum } => self.next_block(has_checksum)?,
            Place::Over => Place::Over,
        };
        Ok(())
    }

    fn frame_header(&mut self) -> io::Result<Place> {
        if !self.take(MAGIC.to_le_bytes().len())? {
            self.block.clear();
            return Ok(Place::Over);
        }
        if self.block != MAGIC.to_le_bytes() {
            // The decompressor says what is wrong with it.
            (&mut self.file).take(1 << 16).read_to_end(&mut self.block)?;
            return Ok(Place::Over);
        }
        let is_whole = self.take(1)? && self.take(header_length(self.block[4]))?;
        if !is_whole {
            self.block.clear();
            return Ok(Place::Over);
        }
        Ok(Place::Within { has_checksum: self.block[4] & 4 != 0 })
    }

    fn next_block(&mut self, has_checksum: bool) -> io::Result<Place> {
        if self.take(LAST_BLOCK.len())? {
            let header = u32::from_le_bytes([self.block[0], self.block[1], self.block[2], 0]);
            let (is_last, kind, size) = (header & 1 != 0, header >> 1 & 3, (header >> 3) as usize);
            // A run is one byte that is repeated.
            let length = if kind == 1 { 1 } else { size };
            if self.take(length + if is_last && has_checksum { CHECKSUM } else { 0 })? {
                return Ok(if is_last { Place::Between } else { Place::Within { has_checksum } });
            }
        }
        self.block.clear();
        self.block.extend_from_slice(&LAST_BLOCK);
        self.block.extend_from_slice(&[0; CHECKSUM][..if has_checksum { CHECKSUM } else { 0 }]);
        Ok(Place::Over)
    }
}

/// Bytes of a frame's header after its descriptor: window, dictionary, size of the content.
fn header_length(descriptor: u8) -> usize {
    let is_single = descriptor & 0x20 != 0;
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let content = match descriptor >> 6 {
        0 => usize::from(is_single),
        flag => 1 << flag,
    };
    usize::from(!is_single) + dictionary + content
}

impl Read for WholeBlocks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.block.len() {
            if matches!(self.place, Place::Over) {
                return Ok(0);
            }
            self.next_part()?;
        }
        let length = buffer.len().min(self.block.len() - self.given);
        buffer[..length].copy_from_slice(&self.block[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}
