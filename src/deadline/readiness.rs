//! Waiting until one of several files, pipes or sockets can be read or written, no longer than a
//! limit.
//!
//! Not here: what is read. Invariant: a signal ends the wait early, and then nothing is ready.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Which of these can be read now, or are at their end. Waits for one.
pub(crate) fn readable(files: &[BorrowedFd<'_>], limit: Duration) -> Vec<bool> {
    poll(files, libc::POLLIN, limit)
}

/// Whether this takes some bytes now. Waits for that.
pub(crate) fn writable(file: BorrowedFd<'_>, limit: Duration) -> bool {
    poll(&[file], libc::POLLOUT, limit) == [true]
}

fn poll(files: &[BorrowedFd<'_>], events: libc::c_short, limit: Duration) -> Vec<bool> {
    let asked = |file: &BorrowedFd<'_>| libc::pollfd { fd: file.as_raw_fd(), events, revents: 0 };
    let mut asked: Vec<libc::pollfd> = files.iter().map(asked).collect();
    let limit_ms = libc::c_int::try_from(limit.as_millis()).unwrap_or(libc::c_int::MAX);
    let many = asked.len() as libc::nfds_t;
    // SAFETY: the pointer is to that many values, and the borrowed files are open.
    let found = unsafe { libc::poll(asked.as_mut_ptr(), many, limit_ms) };
    asked.iter().map(|file| found > 0 && file.revents != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;

    #[test]
    fn what_has_bytes_or_an_end_is_readable() {
        let (first, mut into_first) = std::io::pipe().unwrap();
        let (second, into_second) = std::io::pipe().unwrap();
        let look = || readable(&[first.as_fd(), second.as_fd()], Duration::ZERO);
        assert_eq!(look(), [false, false]);
        into_first.write_all(b"x").unwrap();
        assert_eq!(look(), [true, false]);
        assert!(writable(into_second.as_fd(), Duration::ZERO));
        drop(into_second);
        assert_eq!(look(), [true, true]);
    }
}
