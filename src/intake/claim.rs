//! A claimed file, and what its name says in every later run.
//!
//! Not here: claiming and adopting (`spool`). Invariant: a name is read as it was written.

use std::path::PathBuf;

/// What the name of a claim says about where it came from: a Maildir's `new`, or the spool.
const IN_NEW: &str = "n";
const IN_DIRECTORY: &str = "d";
/// Bytes of the file's own name that the name of a claim keeps.
pub(super) const LONGEST_NAME: usize = 160;

/// A file that this run has claimed.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    /// Where it is now.
    pub(crate) path: PathBuf,
    /// Names the claim in every later run: `RUN.NUMBER`.
    pub(crate) key: String,
    /// The name it came under.
    pub(crate) name: String,
    /// The directory it came from: the spool, or a Maildir's `new`.
    pub(super) home: PathBuf,
}

/// What the name of a claim says: `RUN.NUMBER.HOME.NAME`, or `RUN.NUMBER.HOME-RUN-NUMBER.NAME` if
/// it takes the place of another one.
pub(super) struct ClaimName {
    pub(super) key: String,
    pub(super) in_new: bool,
    /// The key of the other one.
    pub(super) replaces: Option<String>,
    pub(super) original: String,
}

impl ClaimName {
    pub(super) fn written(key: &str, in_new: bool, replaces: Option<&str>, original: &str) -> String {
        let home = if in_new { IN_NEW } else { IN_DIRECTORY };
        let replaces = replaces.map(|other| format!("-{}", other.replace('.', "-"))).unwrap_or_default();
        format!("{key}.{home}{replaces}.{}", tail(original, LONGEST_NAME))
    }

    pub(super) fn read(name: &str) -> Option<ClaimName> {
        let mut fields = name.splitn(4, '.');
        let (run, number, home, original) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let (home, replaces) = match home.split_once('-') {
            Some((home, other)) => (home, Some(other.replace('-', "."))),
            None => (home, None),
        };
        (!run.is_empty() && !original.is_empty()).then(|| ClaimName {
            key: format!("{run}.{number}"),
            in_new: home == IN_NEW,
            replaces,
            original: original.to_owned(),
        })
    }
}

/// The last `limit` bytes of a name, from a character on.
pub(super) fn tail(name: &str, limit: usize) -> &str {
    &name[name.ceil_char_boundary(name.len().saturating_sub(limit))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        for (in_new, replaces, original) in
            [(false, None, "a.msg"), (true, None, "1700.M1-2.host:2,"), (true, Some("19aef0.7"), "-n.-.msg")]
        {
            let read = ClaimName::read(&ClaimName::written("19aef1.12", in_new, replaces, original)).unwrap();
            assert_eq!((read.key.as_str(), read.in_new), ("19aef1.12", in_new));
            assert_eq!((read.replaces.as_deref(), read.original.as_str()), (replaces, original));
        }
        assert!(ClaimName::read(".lock").is_none() && ClaimName::read("1.2.d.").is_none());
    }
}
