//! How a user gets to read a file or to search a directory: the fix where it may not.
//!
//! Not here: whether it may (`reader`, `probe`). Invariant: a group is named only if it has the
//! right, and never that of root.

use super::command::shell_word;
use super::user_database::SYSTEM;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What follows `let NAME read it`. `right` is `r` or `x`.
pub(crate) fn granting(user: &str, path: &Path, right: char) -> String {
    let list = format!("setfacl -m u:{user}:{right} {}", shell_word(path));
    let bit = if right == 'r' { 0o040 } else { 0o010 };
    let Some(found) = fs::metadata(path).ok().filter(|found| found.mode() & bit != 0) else {
        return format!(", which its group may not either: {list}");
    };
    match SYSTEM.group(found.gid()).filter(|_| found.gid() != 0) {
        Some(group) => {
            format!(": usermod -aG {group} {user} (on Debian: adduser {user} {group}); or {list}")
        }
        None => format!(": {list}"),
    }
}
