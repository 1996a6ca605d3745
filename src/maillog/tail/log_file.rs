//! A file of a log as plain bytes, decompressed while it is read.
//!
//! Not here: which files belong to a log. Invariant: memory is bounded by the caller's buffer and
//! by what a decompressor needs (zstd and xz: the window that the file asks for, at most 128 MiB).

use super::whole_blocks::WholeBlocks;
use crate::files::regular;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The most memory that an xz file may ask for, in KiB.
const XZ_KIB: u32 = 128 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Plain,
    Gzip,
    Zstd,
    /// Zstd that may still be written, or whose writer was killed.
    OpenZstd,
    Xz,
    /// Known, but not supported.
    Other,
}

impl Compression {
    /// The compression by the ending of a name, and the name without it.
    pub(crate) fn of(name: &str) -> (Compression, &str) {
        const ENDINGS: [(&str, Compression); 7] = [
            (".gz", Compression::Gzip),
            (".zst", Compression::Zstd),
            (".xz", Compression::Xz),
            (".bz2", Compression::Other),
            (".lz4", Compression::Other),
            (".Z", Compression::Other),
            (".zip", Compression::Other),
        ];
        let found =
            ENDINGS.iter().find_map(|(ending, compression)| Some((*compression, name.strip_suffix(ending)?)));
        found.unwrap_or((Compression::Plain, name))
    }
}

pub(crate) enum LogFile {
    Plain(File),
    Gzip(Box<MultiGzDecoder<BufReader<File>>>),
    Zstd(Frames<BufReader<File>>),
    OpenZstd(Frames<BufReader<WholeBlocks>>),
    Xz(Box<XzReader<BufReader<File>>>),
}

impl LogFile {
    pub(crate) fn open(file: File, compression: Compression) -> io::Result<LogFile> {
        Ok(match compression {
            Compression::Plain => LogFile::Plain(file),
            Compression::Gzip => LogFile::Gzip(Box::new(MultiGzDecoder::new(BufReader::new(file)))),
            Compression::Zstd => LogFile::Zstd(Frames::Between(BufReader::new(file))),
            Compression::OpenZstd => {
                LogFile::OpenZstd(Frames::Between(BufReader::new(WholeBlocks::new(file))))
            }
            Compression::Xz => {
                LogFile::Xz(Box::new(XzReader::new_mem_limit(BufReader::new(file), true, XZ_KIB)))
            }
            Compression::Other => {
                return Err(io::Error::new(
                    io::ErrorKind::Unsupported,
                    "this compression is not supported: use gzip, zstd or xz",
                ));
            }
        })
    }

    pub(crate) fn open_path(path: &Path, compression: Compression) -> io::Result<LogFile> {
        LogFile::open(regular::open(path)?, compression)
    }

    /// Skips from the beginning to an offset of the plain bytes.
    pub(crate) fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        match self {
            LogFile::Plain(file) => file.seek(SeekFrom::Start(offset)).map(drop),
            _ => {
                let skipped = io::copy(&mut self.take(offset), &mut io::sink())?;
                if skipped < offset { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
            }
        }
    }

    /// Reads the first bytes again, without moving; None if the file is compressed or cannot be
    /// read.
    pub(crate) fn read_at_start(&self, buffer: &mut [u8]) -> Option<usize> {
        match self {
            LogFile::Plain(file) => file.read_at(buffer, 0).ok(),
            _ => None,
        }
    }

    /// Fills the buffer, up to the end of the file or a fault.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
        let mut have = 0;
        while have < buffer.len() {
            match self.read(&mut buffer[have..]) {
                Ok(0) => break,
                Ok(read) => have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return (have, Some(error)),
            }
        }
        (have, None)
    }
}

impl Read for LogFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            LogFile::Plain(file) => file.read(buffer),
            LogFile::Gzip(gzip) => gzip.read(buffer),
            LogFile::Zstd(frames) => frames.read(buffer),
            LogFile::OpenZstd(frames) => frames.read(buffer),
            LogFile::Xz(xz) => xz.read(buffer),
        }
    }
}

/// The frames of a zstd file, one after another.
pub(crate) enum Frames<R: BufRead> {
    Between(R),
    Within(Box<StreamingDecoder<R, FrameDecoder>>),
    Over,
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Frames::Over) {
                Frames::Over => return Ok(0),
                Frames::Between(mut file) => {
                    if file.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    let decoder = StreamingDecoder::new(file).map_err(io::Error::other)?;
                    *self = Frames::Within(Box::new(decoder));
                }
                Frames::Within(mut decoder) => match decoder.read(buffer)? {
                    0 if !buffer.is_empty() => *self = Frames::Between(decoder.into_inner()),
                    read => {
                        *self = Frames::Within(decoder);
                        return Ok(read);
                    }
                },
            }
        }
    }
}
