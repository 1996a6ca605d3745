//! The permissions of what carom makes for itself: 0640 for files, 0750 for directories, whatever
//! the umask. The group may read, so that operators can be members of it.
//!
//! Not here: files for other programs (`stats::export`, `cycle`) and for the mail user from root
//! (`policy::staging`), which everyone may read. Invariant: only what was made here changes its
//! permissions.

use super::owner;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Of a file.
pub(crate) const FILE: u32 = 0o640;
/// Of a directory.
pub(crate) const DIRECTORY: u32 = 0o750;

/// Creates an empty file if it is missing.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    match create(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates a file, and opens it for writing. Error `AlreadyExists`: there is one, or a link.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    owner::guard(path)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE).open(path)?;
    file.set_permissions(Permissions::from_mode(FILE))?;
    Ok(file)
}

/// Creates a directory and its missing parents, durably: what will be in it is no safer than its
/// name.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    make_directories(path, DIRECTORY)
}

/// The same with other permissions, for directories that others read.
pub(crate) fn make_directories(path: &Path, mode: u32) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_directories(above, mode)?;
    }
    owner::guard(path)?;
    match fs::DirBuilder::new().mode(mode).create(path) {
        Ok(()) => {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
            sync_name(path)
        }
        // Another process was quicker.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the name of a new directory survive a power cut.
fn sync_name(path: &Path) -> io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(above) {
        Ok(above) => above.sync_all(),
        // Who may write there, and not read, cannot do it.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt, symlink};

    #[test]
    fn what_is_made_is_private_and_what_is_there_stays() {
        let home = std::env::temp_dir().join(format!("carom-private-{:x}", fastrand::u64(..)));
        let deep = home.join("a/b");
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        make_directory(&deep).unwrap();
        assert_eq!((mode(&home), mode(&home.join("a")), mode(&deep)), (DIRECTORY, DIRECTORY, DIRECTORY));
        let file = deep.join("file");
        make_file(&file).unwrap();
        assert_eq!(mode(&file), FILE);
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&deep, Permissions::from_mode(0o700)).unwrap();
        make_file(&file).unwrap();
        make_directory(&deep).unwrap();
        assert_eq!((mode(&file), mode(&deep)), (0o600, 0o700));
        assert_eq!(create(&file).unwrap_err().kind(), ErrorKind::AlreadyExists);
        symlink(home.join("elsewhere"), deep.join("link")).unwrap();
        assert_eq!(create(&deep.join("link")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(make_directory(&deep.join("link/deeper")).is_err() && !home.join("elsewhere").exists());
        fs::remove_dir_all(&home).unwrap();
    }
}
