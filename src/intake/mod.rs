//! The ways a message comes in: standard input, and the files of a relay directory.

/// A message on standard input.
pub(crate) mod pipe;
/// Messages without a queue id that come again.
pub(crate) mod unanswered;
/// The forms of files that hold messages.
pub(crate) mod formats;
/// A claimed file and its name.
pub(crate) mod claim;
/// Claiming files.
pub(crate) mod spool;
/// When a file is whole.
mod whole_file;
