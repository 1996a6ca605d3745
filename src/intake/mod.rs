//! The ways a message comes in: standard input, and the files of a relay directory.

/// A message on standard input.
pub(crate) mod pipe;
/// Messages without a queue id that come again.
pub(crate) mod unanswered;
/// The same for a process that takes very many.
pub(crate) mod unanswered_slots;
/// The forms of files that hold messages.
pub(crate) mod formats;
/// A claimed file and its name.
pub(crate) mod claim;
/// Claiming files.
pub(crate) mod spool;
/// The directory of a run, and its lock.
mod run_directory;
/// When a file is whole.
mod whole_file;
