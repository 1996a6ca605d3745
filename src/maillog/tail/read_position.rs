//! Where reading of a log stopped.
//!
//! Plain data, stored with what was made of the lines. Not here: which file that is now
//! (`rotation`). Invariant: the fingerprint is of bytes that were read, so a file that grows keeps
//! it.

use crate::maillog::stable_id::stable_id;
use serde::{Deserialize, Serialize};

/// A file is recognized by at most this many first bytes.
pub(crate) const FINGERPRINTED: usize = 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The file, as the file system knows it.
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// How many first bytes `fingerprint` is of: none of a line that may still grow.
    pub(crate) fingerprinted: u32,
    /// A hash of the first bytes, decompressed.
    pub(crate) fingerprint: u64,
    /// Bytes that were read, decompressed.
    pub(crate) offset: u64,
    /// When the file was last written to, milliseconds since 1970.
    pub(crate) modified_ms: i64,
    /// The offset is within a line that was too long, whose beginning was given.
    pub(crate) within_line: bool,
    /// The file is compressed and was read to its end, so there is nothing left to look for in it.
    #[serde(default)]
    pub(crate) complete: bool,
    /// The file may still be written, and was read to the end that it had.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) paused: bool,
}

impl Position {
    /// Whether this is a position in a file that begins with these bytes.
    pub(crate) fn is_in(&self, head: &[u8]) -> bool {
        let known = head.get(..self.fingerprinted as usize);
        known.is_some_and(|known| stable_id(&[known]) == self.fingerprint)
    }

    /// Sets the fingerprint to that of a file that begins with these bytes.
    pub(crate) fn fingerprint(self, head: &[u8]) -> Position {
        let known = &head[..head.len().min(FINGERPRINTED)];
        Position { fingerprinted: known.len() as u32, fingerprint: stable_id(&[known]), ..self }
    }
}
