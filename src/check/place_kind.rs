//! What is in the place of a file or a directory that the config names: a named pipe, a directory,
//! symbolic links that lead in a circle.
//!
//! Not here: whether this user can read or write it (`place_findings`, `output_findings`).
//! Invariant: nothing is opened, so that a pipe holds up nobody.

use crate::files::command::{moving, shell_word};
use crate::files::regular::kind_name;
use crate::finding::Finding;
use rustix::fs::FileType;
use rustix::io::Errno;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PlaceKind {
    File,
    Directory,
}

/// Why there cannot be what the key needs; `None` if it is there, or nothing is. `key` is as it is
/// written in the fix.
pub(super) fn misplaced(subject: &str, path: &Path, wanted: PlaceKind, key: &str) -> Option<Finding> {
    let shown = path.display();
    let wrong = |found: String, fix: String| Some(Finding::wrong(subject, found, fix));
    let word = match wanted {
        PlaceKind::File => "file",
        PlaceKind::Directory => "directory",
    };
    let found = match path.metadata() {
        Ok(found) => found,
        Err(error) if is(&error, Errno::LOOP) => {
            let link = path.ancestors().find(|link| link.is_symlink() && is_circle(link)).unwrap_or(path);
            let fix = format!("remove the link: rm {}; or set {key} to another {word}", shell_word(link));
            return wrong(format!("{shown}: its symbolic links lead in a circle"), fix);
        }
        Err(error) if is(&error, Errno::NOTDIR) => {
            let above = path.ancestors().skip(1).find(|above| above.metadata().is_ok()).unwrap_or(path);
            let fix = format!("set {key} to another {word}: {} is not a directory", above.display());
            return wrong(format!("{shown}: {error}"), fix);
        }
        Err(_) => return None,
    };
    match (wanted, FileType::from_raw_mode(found.mode())) {
        (PlaceKind::File, FileType::RegularFile) | (PlaceKind::Directory, FileType::Directory) => None,
        (PlaceKind::File, FileType::Directory) => {
            wrong(format!("{shown}: it is a directory, not a file"), format!("set {key} to a file in it"))
        }
        (_, kind) => {
            let article = if wanted == PlaceKind::File { "a regular" } else { "a" };
            let found = format!("{shown}: it is not {article} {word}, but {}", kind_name(kind));
            let fix = match kind {
                FileType::CharacterDevice | FileType::BlockDevice => format!("set {key} to a {word}"),
                _ => format!("move it away: {}; or set {key} to another {word}", moving(path)),
            };
            wrong(found, fix)
        }
    }
}

fn is(error: &io::Error, code: Errno) -> bool {
    Errno::from_io_error(error) == Some(code)
}

fn is_circle(path: &Path) -> bool {
    path.metadata().is_err_and(|error| is(&error, Errno::LOOP))
}
