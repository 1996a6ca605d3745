//! How many bytes were read in this thread, so that tests can tell linear work from quadratic
//! without a clock.
//!
//! Not here: what is read. Invariant: nothing of this is in the program, only in its tests.

use std::cell::Cell;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

pub(crate) fn add(bytes: usize) {
    BYTES.set(BYTES.get() + bytes);
}

/// What `read` returns, and how many bytes it read.
pub(crate) fn of<T>(read: impl FnOnce() -> T) -> (T, usize) {
    let before = BYTES.get();
    let result = read();
    (result, BYTES.get() - before)
}
