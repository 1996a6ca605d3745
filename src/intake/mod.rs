//! The ways a message comes in: standard input, and the files of a relay directory.

/// A message on standard input.
pub mod pipe;
/// The forms of files that hold messages.
pub mod formats;
/// Claiming files.
pub mod relay;
