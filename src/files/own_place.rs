//! Whether a directory is carom's own: only then may its owner and modes change, all the way down.
//!
//! Not here: who could write to it (`others`). Invariant: a directory of the system, of a person or
//! with other programs' files is never carom's own.

use std::path::{Component, Path};

/// Directories of the system, with everything below them.
const SYSTEM: [&str; 13] = [
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/root", "/sbin",
    "/sys", "/usr",
];
/// What carom makes in directories of its own.
const NAMES: [&str; 15] = [
    ".claimed",
    "compiled",
    "done",
    "events",
    "failed",
    "kept",
    "lock",
    "log",
    "new",
    "outlines",
    "policies",
    "running",
    "unanswered",
    "unproven",
    "unsettled",
];
/// How names of carom's own files begin.
const BEGINNINGS: [&str; 7] = ["carom", ".carom", "index.db", "messages", "records", "rules", "unwritten"];

/// Whether the directory, which may be missing, can be given to the user that runs carom.
pub(crate) fn is_own(directory: &Path) -> bool {
    let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let real = whole.canonicalize().unwrap_or(whole);
    !is_shared(&real) && (is_named(&real) || has_only_own(&real))
}

/// Whether a directory is where the system, people or many programs have theirs.
pub(crate) fn is_shared(whole: &Path) -> bool {
    let parts = whole.components().count();
    let is_system = || SYSTEM.iter().any(|top| whole.starts_with(top));
    let is_above = |top: &str, most: usize| whole.starts_with(top) && parts <= most;
    parts <= 2 || is_system() || is_above("/home", 3) || is_above("/var", 3) || is_above("/run", 2)
}

/// A directory that has carom's name, or is below one.
fn is_named(whole: &Path) -> bool {
    let names = |part: Component<'_>| match part {
        Component::Normal(name) => name == "carom" || name.to_string_lossy().starts_with("carom-"),
        _ => false,
    };
    whole.components().skip(2).any(names)
}

/// Nothing in the directory is another program's, by its name.
fn has_only_own(whole: &Path) -> bool {
    let Ok(entries) = whole.read_dir() else { return !whole.exists() };
    entries.flatten().all(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        NAMES.contains(&&*name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn directories_of_the_system_and_of_others_are_not_our_own() {
        for other in [
            "/",
            "/var",
            "/etc",
            "/etc/postfix",
            "/etc/carom",
            "/home",
            "/home/ann",
            "/var/lib",
            "/var/log",
            "/usr/lib/carom",
            "/proc/sys/carom",
            "/srv",
        ] {
            assert!(!is_own(Path::new(other)), "{other}");
        }
        for own in ["/var/lib/carom", "/var/lib/carom/log", "/srv/carom-sink", "/home/ann/carom"] {
            assert!(is_own(Path::new(own)), "{own}");
        }
    }

    #[test]
    fn a_directory_is_our_own_by_what_is_in_it() {
        let home = std::env::temp_dir().join(format!("own-place-{:x}", fastrand::u64(..)));
        fs::create_dir(&home).unwrap();
        assert!(is_own(&home) && is_own(&home.join("missing")));
        fs::write(home.join("carom.db-wal"), "").unwrap();
        fs::create_dir(home.join("compiled")).unwrap();
        assert!(is_own(&home));
        fs::write(home.join("passwd"), "").unwrap();
        assert!(!is_own(&home));
        fs::remove_dir_all(&home).unwrap();
    }
}
