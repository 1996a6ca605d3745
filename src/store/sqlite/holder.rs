//! Which process works on a message: each such process has locked a byte of a file beside the
//! store, and the byte is its name.
//!
//! A lock says more than a process id: it is seen from every container that shares the directory,
//! it needs no /proc, and the system releases it however the process dies. A file for each process
//! would have to be created, which takes some file systems longer than all that a message does
//! besides. Not here: what is claimed (`step_rows`). Invariants: a process is taken for gone only
//! if the file is gone, or if nobody locks its byte; one that was killed is known as that until it
//! is forgotten.

use super::database_fault::Database;
use super::work_marks::{self, WorkMark};
use crate::digest;
use crate::error::Result;
use crate::files::{byte_lock, private, regular};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the name of a process begins with; the number of its byte follows.
const BYTE: &str = "byte:";

/// The file whose bytes a store's processes lock, and our own lock.
pub(crate) struct Holders {
    path: PathBuf,
    /// Once we have claimed something.
    ours: Mutex<Option<OwnName>>,
}

/// The name of this process. What holds its lock is the open file.
struct OwnName {
    name: String,
    file: File,
    mark: Option<WorkMark>,
}

impl Drop for OwnName {
    fn drop(&mut self) {
        // What stays is judged by the next tick.
        self.mark.into_iter().for_each(|mark| drop(work_marks::remove(&self.file, mark)));
    }
}

impl Holders {
    /// `store` is the path of the store.
    pub(crate) fn of(store: &Path) -> Holders {
        Holders { path: store.with_file_name("running").join("processes"), ours: Mutex::default() }
    }

    /// The name of this process in the journal.
    pub(crate) fn this_process(&self) -> Result<String> {
        let mut ours = self.ours();
        if let Some(ours) = &*ours {
            return Ok(ours.name.clone());
        }
        let taken = self.take_name().map_err(|error| {
            let fix = "let the user that runs carom write there";
            Database::Store.error(&self.path, &error.to_string()).remedy(fix)
        })?;
        let name = taken.name.clone();
        *ours = Some(taken);
        Ok(name)
    }

    fn take_name(&self) -> io::Result<OwnName> {
        let file = match regular::open_to_change(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.path.parent().map_or(Ok(()), private::make_directory)?;
                private::make_file(&self.path)?;
                regular::open_to_change(&self.path)?
            }
            opened => opened?,
        };
        loop {
            let name = format!("{BYTE}{}", digest::random_token(8));
            let Some(byte) = byte_of(&name) else { continue };
            if byte_lock::try_take(&file, byte)? {
                let mark = work_marks::put(&file, byte);
                return Ok(OwnName { name, file, mark });
            }
        }
    }

    /// Whether a process has ended. One that an earlier build has named is not judged: its steps
    /// are taken when their lease ends.
    pub(crate) fn is_gone(&self, name: &str) -> bool {
        match byte_of(name).map(|byte| byte_lock::is_free(&regular::open(&self.path)?, byte)) {
            Some(Ok(free)) => free,
            Some(Err(error)) => error.kind() == ErrorKind::NotFound,
            None => name.is_empty(),
        }
    }

    /// The marks of processes that were killed while they worked on messages.
    pub(crate) fn killed(&self) -> Vec<WorkMark> {
        self.marks(true)
    }

    /// Whether another process works on messages.
    pub(crate) fn has_others(&self) -> bool {
        let ours = self.ours().as_ref().and_then(|ours| ours.mark);
        self.marks(false).into_iter().any(|mark| Some(mark) != ours)
    }

    /// The marks of processes that are gone, or that live; none, if they cannot be read.
    fn marks(&self, are_gone: bool) -> Vec<WorkMark> {
        let marks = regular::open(&self.path).and_then(|file| {
            let marks = work_marks::all(&file)?.into_iter();
            marks
                .map(|mark| Ok((mark, byte_lock::is_free(&file, mark.number)?)))
                .collect::<io::Result<Vec<_>>>()
        });
        let of_kind = |(mark, is_gone): (WorkMark, bool)| (is_gone == are_gone).then_some(mark);
        marks.unwrap_or_default().into_iter().filter_map(of_kind).collect()
    }

    /// These processes are known as killed no more.
    pub(crate) fn forget(&self, killed: &[WorkMark]) {
        let forget = |file: File| killed.iter().try_for_each(|mark| work_marks::remove(&file, *mark));
        // A mark that stays is judged again.
        let _ = regular::open_to_change(&self.path).and_then(forget);
    }

    /// This process claims nothing more.
    pub(crate) fn leave(&self) {
        self.ours().take();
    }

    fn ours(&self) -> MutexGuard<'_, Option<OwnName>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The byte that a name stands for, among all that a file can have.
fn byte_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix(BYTE)?, 16).ok().map(|byte| byte >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_nobody_locks_its_byte() {
        let home = std::env::temp_dir().join(format!("carom-holders-{:x}", fastrand::u64(..)));
        let store = home.join("carom.db");
        let (one, other) = (Holders::of(&store), Holders::of(&store));
        let (name, seen) = (one.this_process().unwrap(), other.this_process().unwrap());
        assert_eq!(one.this_process().unwrap(), name);
        assert!(!one.is_gone(&name) && !other.is_gone(&name) && !one.is_gone(&seen));
        assert!(other.is_gone("byte:00") && other.is_gone(""));
        assert!(!other.is_gone("4711:12345") && !other.is_gone("00ff"), "named by an earlier build");
        drop(one);
        assert!(other.is_gone(&name) && !other.is_gone(&seen));
        other.leave();
        assert!(other.is_gone(&seen));
        assert_ne!(other.this_process().unwrap(), seen);
        std::fs::remove_dir_all(home).unwrap();
        assert!(other.is_gone(&seen) && other.is_gone(&name));
    }

    #[test]
    fn a_killed_process_leaves_its_mark_until_it_is_forgotten() {
        let home = std::env::temp_dir().join(format!("carom-holders-{:x}", fastrand::u64(..)));
        let store = home.join("carom.db");
        let (one, other) = (Holders::of(&store), Holders::of(&store));
        assert!(other.killed().is_empty() && !other.has_others(), "there is no file yet");
        one.this_process().unwrap();
        assert!(!one.has_others() && other.has_others() && other.killed().is_empty());
        other.this_process().unwrap();
        assert!(one.has_others());
        // As kill -9 does: the lock is released, and nobody removes the mark.
        one.ours().as_mut().unwrap().mark = None;
        drop(one);
        let killed = other.killed();
        assert!(killed.len() == 1 && !other.has_others());
        let third = Holders::of(&store);
        third.this_process().unwrap();
        assert_eq!(other.killed(), killed, "its place is not taken");
        other.forget(&killed);
        assert!(other.killed().is_empty() && other.has_others());
        drop(third);
        assert!(!other.has_others() && other.killed().is_empty());
        std::fs::remove_dir_all(home).unwrap();
    }

    #[test]
    fn of_many_at_once_each_has_a_name_that_is_its_own() {
        let home = std::env::temp_dir().join(format!("carom-holders-{:x}", fastrand::u64(..)));
        let store = home.join("carom.db");
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let (one, other) = (Holders::of(&store), Holders::of(&store));
                        let name = one.this_process().unwrap();
                        assert!(!other.is_gone(&name) && other.this_process().unwrap() != name);
                        drop(one);
                        assert!(other.is_gone(&name));
                    }
                });
            }
        });
        assert!(Holders::of(&store).killed().is_empty());
        std::fs::remove_dir_all(home).unwrap();
    }
}
