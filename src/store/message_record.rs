//! What the message log has on record about a message without side effects, and how far a file of
//! it is folded into the store.
//!
//! Not here: lines and files (`crate::message_log`), and the rows (`sqlite/record_rows.rs`).

use super::tally::Tally;
use crate::plan::Verdict;

/// A message without side effects.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MessageRecord {
    /// A second record under the same key changes nothing. A deferred message leaves no key: it is
    /// decided again.
    pub(crate) key: String,
    /// When it was decided, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    /// A deferred message does not count as a message of its minute.
    pub(crate) verdict: Verdict,
    pub(crate) counted: Tally,
    /// The source of the message is gone, so that it cannot be recorded again: the key is not kept.
    pub(crate) is_gone: bool,
}

/// How far a file of records is folded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoldedFile {
    pub(crate) inode: u64,
    pub(crate) name: String,
    /// The bytes before it are folded.
    pub(crate) position: u64,
    /// A digest of the last of those bytes.
    pub(crate) fingerprint: i64,
}
