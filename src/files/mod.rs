//! Files: whose they are, who may read and write them, how they become whole, and other programs.

/// The permissions of what carom makes for itself.
pub(crate) mod private;
/// Regular files, opened without waiting.
pub(crate) mod regular;
/// Files that are whole or absent.
pub(crate) mod publish;
/// Syncs of a directory that threads share.
pub(crate) mod shared_sync;
/// Lock files.
pub(crate) mod lock;
/// Locks on single bytes of a file.
pub(crate) mod byte_lock;
/// Very many records in the order of their keys.
pub(crate) mod sorted_pile;
/// Files that grow by lines, one for each day.
pub(crate) mod daily;
/// Whether a file is another one than before.
pub(crate) mod changed;
/// Another program, run with a deadline.
pub(crate) mod command;
/// The system's users and groups.
pub(crate) mod user_database;
/// How a user gets to read a file.
pub(crate) mod granting;
/// Whether another user could read a file.
pub(crate) mod reader;
/// Whether this process could write somewhere.
pub(crate) mod probe;
/// Whether anyone but root and this user could write somewhere.
pub(crate) mod others;
/// Whether a directory is carom's own.
pub(crate) mod own_place;
/// Root becomes the owner of what it is going to write.
pub(crate) mod owner;
