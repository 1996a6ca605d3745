//! Could anyone but root and this user write here? Where others can write, they can put a link, a
//! program or a policy of their own.
//!
//! Not here: whether one certain user could (`policy::mail_user`). Invariant: what is found safe
//! stays safe, because only root and this user could change that; an access control list that lets
//! others write shows in the permissions of the group.

use super::command::shell_word;
use crate::error::{Context, Error, Result};
use rustix::process::geteuid;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Nobody but the owner may rename or remove what is in such a directory.
const STICKY: u32 = 0o1000;
/// What the kernel shows for owners that the user namespace does not have.
const UNMAPPED: u32 = 65_534;

/// Error: others could write to this file or directory, or to a directory above it, and so put
/// another in its place. What does not exist is nobody's; the directories above it count.
pub(crate) fn refuse(path: &Path) -> Result<()> {
    refuse_way(path, true)
}

/// The same for a directory in which a file gets a new name: that it is sticky is enough.
pub(crate) fn refuse_above(directory: &Path) -> Result<()> {
    refuse_way(directory, false)
}

fn refuse_way(path: &Path, is_end: bool) -> Result<()> {
    let whole = std::path::absolute(path).context(path.display())?;
    let (mut way, mut has_link) = (PathBuf::new(), false);
    for part in whole.components() {
        has_link |= part == Component::ParentDir;
        way.push(part);
        let Ok(found) = fs::symlink_metadata(&way) else {
            way.pop();
            break;
        };
        has_link |= found.is_symlink();
        refuse_one(&way, &found, is_end && way == whole)?;
    }
    // Links count for what they are, and for what they lead to.
    if has_link && let Ok(real) = fs::canonicalize(&way) {
        for above in real.ancestors() {
            let found = fs::symlink_metadata(above).context(above.display())?;
            refuse_one(above, &found, is_end && way == whole && above == real)?;
        }
    }
    Ok(())
}

/// The same for one file or directory, without those above it.
pub(crate) fn refuse_one(path: &Path, found: &Metadata, is_end: bool) -> Result<()> {
    let shown = path.display();
    if !is_trusted(found.uid()) {
        let what = format!("user {} could write to {shown}: it is that user's", found.uid());
        return Err(Error::new(what).remedy(format_args!("chown -h root {}", shell_word(path))));
    }
    // In a sticky directory others cannot replace what is there; but they can put what is not.
    let is_safe = found.is_symlink() || !is_end && found.is_dir() && found.mode() & STICKY != 0;
    let (group, all) = (found.mode() & 0o020 != 0 && found.gid() != 0, found.mode() & 0o002 != 0);
    if is_safe || !group && !all {
        return Ok(());
    }
    let who = if all { "anyone".to_owned() } else { format!("the group {}", found.gid()) };
    let mode = found.mode() & 0o7777;
    Err(Error::new(format_args!("{who} could write to {shown} (mode {mode:o})"))
        .remedy(format_args!("chmod go-w {}", shell_word(path))))
}

fn is_trusted(owner: u32) -> bool {
    owner == 0 || owner == geteuid().as_raw() || owner == UNMAPPED && has_unmapped_users()
}

/// In a user namespace, as in a container without root, directories of the real root look like
/// those of nobody.
fn has_unmapped_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mapped = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    mapped.sum::<u64>() < u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn who_could_write_to_any_directory_on_the_way_is_named() {
        let home = std::env::temp_dir().join(format!("carom-others-{:x}", fastrand::u64(..)));
        fs::create_dir_all(home.join("a/b")).unwrap();
        fs::write(home.join("a/b/file"), "").unwrap();
        symlink("a", home.join("link")).unwrap();
        let mode = |name: &str, mode: u32| {
            fs::set_permissions(home.join(name), Permissions::from_mode(mode)).unwrap();
        };
        let said = |name: &str| refuse(&home.join(name)).err().map(|error| error.to_string());
        ["", "a", "a/b"].iter().for_each(|name| mode(name, 0o755));
        mode("a/b/file", 0o644);
        for name in ["a/b/file", "a/b", "a/missing/file", "link/b/file", "a/../a/b/file"] {
            assert_eq!(said(name), None, "{name}");
        }
        for (open, permissions) in [("a", 0o777), ("a/b", 0o757), ("a/b/file", 0o646)] {
            mode(open, permissions);
            for name in ["a/b/file", "link/b/file", "a/../a/b/file"] {
                let error = said(name).unwrap();
                assert!(error.contains("anyone could write to") && error.contains("chmod go-w"), "{error}");
            }
            mode(open, if open.ends_with("file") { 0o644 } else { 0o755 });
        }
        mode("a", 0o1777);
        assert_eq!(said("a/b/file"), None, "sticky");
        assert!(said("a").is_some(), "others can put files into it");
        fs::remove_dir_all(&home).unwrap();
    }

    #[test]
    fn the_directory_of_another_user_is_named() {
        let home = std::env::temp_dir().join(format!("carom-others-{:x}", fastrand::u64(..)));
        fs::create_dir(&home).unwrap();
        if std::os::unix::fs::chown(&home, Some(65_533), None).is_ok() {
            let error = refuse(&home.join("file")).unwrap_err().to_string();
            assert!(error.contains("user 65533 could write") && error.contains("chown"), "{error}");
        }
        fs::remove_dir(&home).unwrap();
    }
}
