//! Could this process write here? It is tried, and leaves nothing behind.
//!
//! Not here: making directories (`private`), and who else could write (`others`). Invariant: no
//! name appears, not even for a moment.

use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Bytes that a file has to take: a full disk takes the name and not the content.
const CONTENT: [u8; 4096] = [0; 4096];

/// Whether a directory takes a file with something in it.
pub(crate) fn takes_a_file(directory: &Path) -> io::Result<()> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    match rustix::fs::open(directory, flags, Mode::from_raw_mode(0o600)) {
        Ok(file) => File::from(file).write_all(&CONTENT),
        // A file system without files that have no name.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            allowed(directory, Access::WRITE_OK | Access::EXEC_OK)
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a file that exists may be read.
pub(crate) fn may_read(file: &Path) -> io::Result<()> {
    allowed(file, Access::READ_OK)
}

/// Whether a file that exists may be written.
pub(crate) fn may_write(file: &Path) -> io::Result<()> {
    allowed(file, Access::READ_OK | Access::WRITE_OK)
}

fn allowed(path: &Path, access: Access) -> io::Result<()> {
    Ok(rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS)?)
}

/// The directory on the way to `path` that this process may not search, if that is why it cannot
/// be reached.
pub(crate) fn barred_by(path: &Path) -> Option<&Path> {
    let mut above: Vec<&Path> = path.ancestors().skip(1).filter(|above| above.is_absolute()).collect();
    above.reverse();
    above.into_iter().find(|directory| {
        let searched = rustix::fs::accessat(CWD, *directory, Access::EXEC_OK, AtFlags::EACCESS);
        searched == Err(Errno::ACCESS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_directory_is_tried_and_is_as_before() {
        let home = std::env::temp_dir().join(format!("carom-probe-{:x}", fastrand::u64(..)));
        fs::create_dir(&home).unwrap();
        takes_a_file(&home).unwrap();
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
        assert!(takes_a_file(&home.join("missing")).is_err());
        fs::write(home.join("file"), "").unwrap();
        assert!(takes_a_file(&home.join("file")).is_err());
        may_write(&home.join("file")).unwrap();
        assert!(may_write(&home.join("missing")).is_err() && barred_by(&home.join("file")).is_none());
        fs::remove_dir_all(&home).unwrap();
    }
}
