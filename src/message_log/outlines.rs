//! Outlines: beside the message log, which words each mebibyte of a file has, so that what is
//! sought is read and the rest of a long log is not.
//!
//! The tick makes them, of pieces that are whole; readers look. They are in `outlines/`, in the
//! state directory, and may be removed: what has none is read. Not here: the words (`word_filter`),
//! and reading lines (`lines_back`). Invariants: the words of a line are of the piece in which it
//! begins; a piece that has changed, or whose outline is not on the disk, has none.

use super::word_filter::{self, WordFilter};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::digest;
use crate::files::daily::MAX_LINE;
use crate::files::{private, regular};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes of a piece.
pub(super) const PIECE: u64 = 1 << 20;
/// Bytes of a line at most; the rest is another line.
pub(super) const LONGEST: usize = 1 << 20;
/// How a file of outlines begins: what it is, of which inode, and of how many pieces.
const HEAD: usize = 24;
const MAGIC: &[u8; 8] = b"carom-w1";
/// Bytes of an outline: those by which the piece is known again, and its words.
const OUTLINE: u64 = 8 + word_filter::BYTES as u64;
/// Bytes before the end of a piece by which it is known again.
const KNOWN_BY: usize = 256;

/// The outlines of one file of the log.
pub(super) struct Outlines {
    file: File,
    pieces: u64,
}

impl Outlines {
    /// `None`: the file has none.
    pub(super) fn of(config: &Config, log: &Path, inode: u64) -> Option<Outlines> {
        let file = regular::open(&place(config, log)?).ok()?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default());
        (head.starts_with(MAGIC) && number(8) == inode).then(|| Outlines { file, pieces: number(16) })
    }

    /// The words of a piece of the log; `None`: they are not known.
    pub(super) fn piece(&self, log: &File, piece: u64) -> Option<WordFilter> {
        if piece >= self.pieces {
            return None;
        }
        let mut outline = vec![0; OUTLINE as usize];
        self.file.read_exact_at(&mut outline, HEAD as u64 + piece * OUTLINE).ok()?;
        let words = outline.split_off(8);
        let is_known = known_by(log, piece).is_ok_and(|known| outline == known);
        WordFilter::read(words).filter(|_| is_known)
    }

    /// Whether the file has grown since, and nothing else.
    fn is_of(&self, log: &File) -> bool {
        self.pieces == 0 || self.piece(log, self.pieces - 1).is_some()
    }
}

/// Outlines of the pieces of a file that are whole and have none, until the deadline.
pub(super) fn outline(config: &Config, path: &Path, deadline: Deadline) -> io::Result<()> {
    let log = regular::open(path)?;
    let about = log.metadata()?;
    let Some(place) = place(config, path).filter(|_| about.len() >= PIECE) else { return Ok(()) };
    let mut pieces = match Outlines::of(config, path, about.ino()) {
        Some(outlines) if outlines.is_of(&log) => outlines.pieces,
        _ => {
            forget(config, path);
            0
        }
    };
    let mut file = None;
    while !deadline.passed() && (pieces + 1) * PIECE <= about.len() {
        let Some(text) = whole_piece(&log, pieces)? else { break };
        let file = match &mut file {
            Some(file) => file,
            None => file.insert(open(&place)?),
        };
        let outline = [&known_by(&log, pieces)?[..], WordFilter::of(&text).octets()].concat();
        file.write_all_at(&outline, HEAD as u64 + pieces * OUTLINE)?;
        pieces += 1;
    }
    let Some(file) = file else { return Ok(()) };
    // An outline counts when it is on the disk.
    file.sync_data()?;
    file.write_all_at(&[&MAGIC[..], &about.ino().to_le_bytes(), &pieces.to_le_bytes()].concat(), 0)
}

/// The outlines of other files than these go.
pub(super) fn forget_others(config: &Config, logs: &[PathBuf]) {
    let places: Vec<PathBuf> = logs.iter().filter_map(|log| place(config, log)).collect();
    for entry in fs::read_dir(directory(config)).into_iter().flatten().flatten() {
        if !places.contains(&entry.path()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn open(place: &Path) -> io::Result<File> {
    if let Some(directory) = place.parent() {
        private::make_directory(directory)?;
    }
    private::make_file(place)?;
    regular::open_to_change(place)
}

/// The outlines of a file of the log go.
pub(super) fn forget(config: &Config, log: &Path) {
    if let Some(place) = place(config, log) {
        let _ = fs::remove_file(place);
    }
}

fn directory(config: &Config) -> PathBuf {
    config.state_dir().join("outlines")
}

fn place(config: &Config, log: &Path) -> Option<PathBuf> {
    Some(directory(config).join(log.file_name()?))
}

/// A piece, and the rest of its last line; `None`: that line has no end yet.
fn whole_piece(log: &File, piece: u64) -> io::Result<Option<Vec<u8>>> {
    let mut text = vec![0; PIECE as usize];
    log.read_exact_at(&mut text, piece * PIECE)?;
    let Some(rest) = rest_of_line(log, (piece + 1) * PIECE)? else { return Ok(None) };
    text.extend(rest);
    Ok(Some(text))
}

/// A digest of the last bytes of a piece.
fn known_by(log: &File, piece: u64) -> io::Result<[u8; 8]> {
    let mut last = [0; KNOWN_BY];
    log.read_exact_at(&mut last, (piece + 1) * PIECE - KNOWN_BY as u64)?;
    Ok(digest::sha256_number(&last).to_le_bytes())
}

/// What is left of the line that is not over at a position; `None`: it has no end.
pub(super) fn rest_of_line(file: &File, position: u64) -> io::Result<Option<Vec<u8>>> {
    let mut last = [0];
    file.read_exact_at(&mut last, position - 1)?;
    let mut rest = Vec::new();
    if last == *b"\n" {
        return Ok(Some(rest));
    }
    let mut block = vec![0; MAX_LINE];
    while rest.len() < LONGEST {
        let read = file.read_at(&mut block, position + rest.len() as u64)?;
        match memchr::memchr(b'\n', &block[..read]) {
            Some(end) => {
                rest.extend_from_slice(&block[..end]);
                return Ok(Some(rest));
            }
            None if read == 0 => return Ok(None),
            None => rest.extend_from_slice(&block[..read]),
        }
    }
    Ok(Some(rest))
}
