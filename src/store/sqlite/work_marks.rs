//! Marks of processes that work on messages: the number of each is in a place of the file whose
//! bytes they lock, until it leaves. A killed one leaves its mark behind.
//!
//! Not here: whether a process lives (`holder`). Invariants: a mark is overwritten by its own
//! process, or after that was judged; without a place for it, a process works without a mark.

use crate::files::byte_lock;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Places in the file, and bytes of one.
const PLACES: u64 = 1024;
const SIZE: u64 = 8;
/// Places that a process looks at for a free one.
const TRIES: usize = 16;

/// A place of the file, and the number in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkMark {
    place: u64,
    pub(super) number: u64,
}

/// Writes the number of this process in a free place. Its byte is locked until the file is closed:
/// of two processes, one has it.
pub(super) fn put(file: &File, number: u64) -> Option<WorkMark> {
    for _ in 0..TRIES {
        let place = fastrand::u64(..PLACES) * SIZE;
        let is_free = byte_lock::try_take(file, place).ok()? && number_at(file, place).ok()? == 0;
        if is_free {
            file.write_all_at(&number.to_be_bytes(), place).ok()?;
            return Some(WorkMark { place, number });
        }
    }
    None
}

/// All marks.
pub(super) fn all(file: &File) -> io::Result<Vec<WorkMark>> {
    let mut marks = Vec::new();
    for place in (0..file.metadata()?.len().min(PLACES * SIZE)).step_by(SIZE as usize) {
        let number = number_at(file, place)?;
        if number != 0 {
            marks.push(WorkMark { place, number });
        }
    }
    Ok(marks)
}

/// Frees the place, if the mark is still in it.
pub(super) fn remove(file: &File, mark: WorkMark) -> io::Result<()> {
    if number_at(file, mark.place)? == mark.number {
        file.write_all_at(&[0; SIZE as usize], mark.place)?;
    }
    Ok(())
}

/// 0: there is none.
fn number_at(file: &File, place: u64) -> io::Result<u64> {
    let mut bytes = [0; SIZE as usize];
    match file.read_exact_at(&mut bytes, place) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        read => read.map(|()| u64::from_be_bytes(bytes)),
    }
}
