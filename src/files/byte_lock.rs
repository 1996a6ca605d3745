//! Locks on single bytes of a file: each process that holds one is told from all others, and none
//! has to create a file.
//!
//! Not here: what a byte stands for. Invariant: the system releases the lock of a process that
//! dies, however it dies, and no lock of another process is released meanwhile.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// Locks a byte until the file is closed. `false`: another process holds it.
pub(crate) fn try_take(file: &File, byte: u64) -> io::Result<bool> {
    match ask(file, libc::F_OFD_SETLK, byte) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether nobody holds the lock of a byte, besides who has opened this file.
pub(crate) fn is_free(file: &File, byte: u64) -> io::Result<bool> {
    Ok(ask(file, libc::F_OFD_GETLK, byte)?.l_type == libc::F_UNLCK as libc::c_short)
}

/// Locks of the open file, and not of the process: that another file is closed releases none.
fn ask(file: &File, command: libc::c_int, byte: u64) -> io::Result<libc::flock> {
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: i64::try_from(byte).map_err(io::Error::other)?,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: the descriptor is open, and the pointer is valid during the call.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, &raw mut lock) } {
        0 => Ok(lock),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    #[test]
    fn each_open_file_has_its_own_bytes() {
        let path = std::env::temp_dir().join(format!("carom-bytes-{:x}", fastrand::u64(..)));
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let (one, other, far) = (open().unwrap(), open().unwrap(), u64::MAX >> 1);
        assert!(try_take(&one, 7).unwrap() && try_take(&one, far).unwrap());
        assert!(!try_take(&other, 7).unwrap() && !try_take(&other, far).unwrap());
        assert!(try_take(&other, 8).unwrap() && !is_free(&one, 8).unwrap() && !is_free(&other, 7).unwrap());
        assert!(is_free(&other, 9).unwrap());
        // Another open file of this process is no lock.
        drop(open().unwrap());
        assert!(!is_free(&other, 7).unwrap());
        drop(one);
        assert!(is_free(&other, 7).unwrap() && is_free(&other, far).unwrap());
        std::fs::remove_file(path).unwrap();
    }
}
