//! Log rotation, noticed: is this file still the one that was read?
//!
//! A log is renamed, or copied and truncated, and maybe compressed: between two ticks, after its
//! files were listed, or while it is read. Not here: the names of rotated files (`rotated_names`).
//! Invariant: a file is recognized by its inode and its first bytes; where they do not suffice, no
//! line is lost, and at worst lines are read twice.

use super::log_file::{Compression, LogFile};
use super::read_position::{FINGERPRINTED, Position};
use super::rotated_names::{Age, ListedFile, list};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes that two files with equal fingerprints are compared by.
pub(crate) const HEAD: usize = 16 * 1024;

/// Between two ticks: which of the files the position is in. It is the same inode with the same
/// first bytes, else a copy or the compressed file, the youngest that fits.
pub(crate) fn find_again(files: &[ListedFile], position: &Position) -> Option<usize> {
    let same = files.iter().position(|file| is_inode(file, position) && fits(file, position));
    older_with_same_header(files, position, same).or(same).or_else(|| {
        let is_copy = |file: &ListedFile| !is_inode(file, position) && fits(file, position);
        if position.fingerprinted > 0 { files.iter().rposition(is_copy) } else { None }
    })
}

/// A short fingerprint says little: accounting files all begin with the same header. Then an older
/// file is the one that was read, if it was written to since and continues differently.
fn older_with_same_header(files: &[ListedFile], position: &Position, same: Option<usize>) -> Option<usize> {
    if !(1..FINGERPRINTED).contains(&(position.fingerprinted as usize)) {
        return None;
    }
    let is_written_since = |file: &ListedFile| file.modified_ms > position.modified_ms;
    let older = files
        .iter()
        .position(|file| is_written_since(file) && !is_inode(file, position) && fits(file, position))?;
    let head = |at: usize| files[at].first_bytes(HEAD).unwrap_or_default();
    // A copy of a log that is not truncated yet has nothing that the log has not.
    let differs = |same: usize| older < same && !head(same).starts_with(&head(older));
    same.is_none_or(differs).then_some(older)
}

fn is_inode(file: &ListedFile, position: &Position) -> bool {
    (file.device, file.inode) == (position.device, position.inode)
}

/// Whether the position can be in this file, by size and first bytes.
fn fits(file: &ListedFile, position: &Position) -> bool {
    let is_long_enough = file.compression != Compression::Plain || file.size >= position.offset;
    is_long_enough
        && file.first_bytes(position.fingerprinted as usize).is_ok_and(|head| position.is_in(&head))
}

/// After the files were listed: whether the name leads to another file now.
pub(crate) fn is_renamed(listed: &ListedFile, now: &Metadata) -> bool {
    (now.dev(), now.ino()) != (listed.device, listed.inode)
}

/// The rotated files of a list, by device and inode.
pub(crate) fn rotated(files: &[ListedFile]) -> Vec<(u64, u64)> {
    let rotated = files.iter().filter(|file| file.age != Age::Live);
    rotated.map(|file| (file.device, file.inode)).collect()
}

/// After the files were listed: whether the log at `path` has other rotated files now. What it held
/// may have been copied away and truncated.
pub(crate) fn is_rotated_since(path: &Path, rotated_then: &[(u64, u64)]) -> bool {
    rotated(&list(path).0) != rotated_then
}

/// While it is read: whether the file begins with other bytes than before, because it was truncated
/// and rewritten.
pub(crate) fn is_truncated(listed: &ListedFile, file: &LogFile, head: &[u8]) -> bool {
    let known = &head[..head.len().min(FINGERPRINTED)];
    let mut now = [0; FINGERPRINTED];
    listed.age == Age::Live
        && file.read_at_start(&mut now[..known.len()]).is_some_and(|read| now[..read] != *known)
}
