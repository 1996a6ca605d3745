//! Files: who owns them, how they become whole, how they are locked, and other programs.

/// The owner of files: what root creates in the mail user's directories belongs to the mail user.
pub(crate) mod owner;
/// Files that are whole or absent.
pub(crate) mod publish;
/// Lock files.
pub(crate) mod lock;
/// Files that grow by lines, one for each day.
pub(crate) mod daily;
/// Another program, run with a deadline.
pub(crate) mod command;
/// The system's users and groups.
pub(crate) mod user_database;
/// Whether another user could read a file.
pub(crate) mod reader;
