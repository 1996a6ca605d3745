//! Regular files, opened without waiting: what somebody has put in the place of a file, a named
//! pipe, a device, a socket or a directory, is refused with its kind.
//!
//! Not here: files that grow (`daily`, `maillog::tail`), which are opened here and read there.
//! Invariant: opening never waits for another process, and reading a file whole is bounded.

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a regular file for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    Ok(opened(path, OFlags::RDONLY)?.0)
}

/// The same, unless a symbolic link has its name.
pub(crate) fn open_no_link(path: &Path) -> io::Result<File> {
    Ok(opened(path, OFlags::RDONLY | OFlags::NOFOLLOW)?.0)
}

/// Opens a regular file that exists, to read it and to append to it, unless a symbolic link has its
/// name.
pub(crate) fn open_to_append(path: &Path) -> io::Result<File> {
    Ok(opened(path, OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW)?.0)
}

/// Opens a regular file that exists, to change bytes of it, unless a symbolic link has its name.
pub(crate) fn open_to_change(path: &Path) -> io::Result<File> {
    Ok(opened(path, OFlags::RDWR | OFlags::NOFOLLOW)?.0)
}

/// Reads a regular file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_opened(opened(path, OFlags::RDONLY)?, most)
}

fn read_opened((file, length): (File, u64), most: u64) -> io::Result<Vec<u8>> {
    let too_long = || Err(io::Error::new(ErrorKind::FileTooLarge, format!("longer than {most} bytes")));
    if length > most {
        return too_long();
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => too_long(),
        false => Ok(bytes),
    }
}

/// The same for text in UTF-8.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    text_of(read(path, most)?)
}

/// The same, unless a symbolic link has its name.
pub(crate) fn read_text_no_link(path: &Path, most: u64) -> io::Result<String> {
    text_of(read_opened(opened(path, OFlags::RDONLY | OFlags::NOFOLLOW)?, most)?)
}

/// Whether this process or the system is short of something, which says nothing about the file.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    errno.is_some_and(|errno| matches!(errno, Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

fn text_of(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|_| io::Error::new(ErrorKind::InvalidData, "not UTF-8"))
}

/// The file, and its length.
fn opened(path: &Path, access: OFlags) -> io::Result<(File, u64)> {
    // A pipe without another end opens immediately.
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NXIO) => return refused("a socket, or a pipe or device that nobody serves"),
        Err(Errno::LOOP) if flags.contains(OFlags::NOFOLLOW) => return refused("a symbolic link"),
        Err(Errno::ISDIR) => return refused(kind_name(FileType::Directory)),
        Err(error) => return Err(error.into()),
    };
    let about = rustix::fs::fstat(&file)?;
    match FileType::from_raw_mode(about.st_mode) {
        FileType::RegularFile => Ok((file.into(), u64::try_from(about.st_size).unwrap_or_default())),
        kind => refused(kind_name(kind)),
    }
}

/// What a name in a directory may lead to.
pub(crate) fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a file",
        FileType::Directory => "a directory",
        FileType::Fifo => "a named pipe",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something else",
    }
}

fn refused(kind: &str) -> io::Result<(File, u64)> {
    Err(io::Error::new(ErrorKind::InvalidInput, format!("not a regular file, but {kind}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, mknodat};
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    #[test]
    fn what_is_no_regular_file_is_named_and_holds_up_nobody() {
        let home = std::env::temp_dir().join(format!("carom-regular-{:x}", fastrand::u64(..)));
        fs::create_dir(&home).unwrap();
        let path = |name: &str| home.join(name);
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();
        fs::write(path("file"), "twelve bytes").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("/dev/zero", path("endless")).unwrap();
        for (name, kind) in
            [("pipe", "a named pipe"), ("socket", "a socket"), (".", "a directory"), ("endless", "a device")]
        {
            let error = open(&path(name)).unwrap_err().to_string();
            assert!(error.contains(kind), "{name}: {error}");
            assert!(read(&path(name), 100).is_err() && open_to_append(&path(name)).is_err(), "{name}");
        }
        assert_eq!(read_text(&path("link"), 12).unwrap(), "twelve bytes");
        assert!(read(&path("file"), 11).unwrap_err().to_string().contains("longer than 11 bytes"));
        assert!(open_no_link(&path("link")).is_err() && open_to_append(&path("link")).is_err());
        assert!(open_no_link(&path("file")).is_ok() && open_to_append(&path("file")).is_ok());
        assert_eq!(open(&path("missing")).unwrap_err().kind(), ErrorKind::NotFound);
        fs::remove_dir_all(&home).unwrap();
    }
}
