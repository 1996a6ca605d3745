//! A file beside the store: digests of the addresses that soft bounces have suppressed, so that a
//! message finds out without the store that its author is none of them.
//!
//! Sorted digests, as many as the header says, then those that were added since. Not here: which
//! addresses those are (`sqlite/release_rows`), and what becomes of them (`crate::release`).
//! Invariants: it may have addresses that the list has no more, which costs a question to the
//! store; one that it lacks is released a tick later; without the file there is nothing to release.

use crate::digest;
use crate::error::Result;
use crate::files::publish::publish;
use crate::files::{private, regular};
use crate::mailbox_syntax::without_needless_quotes;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The first bytes of the file.
const MAGIC: u64 = u64::from_le_bytes(*b"caromsl1");
/// The header: what it is, when the sorted part was written, and how many digests are in it.
const HEADER: u64 = 24;
const DIGEST: u64 = 8;
/// More digests than this after the sorted ones are sorted too.
pub(crate) const ADDED: usize = 4096;

pub(crate) struct SoftList {
    path: PathBuf,
}

/// The file as it was opened.
struct Opened {
    file: File,
    written_ms: i64,
    sorted: u64,
    added: u64,
}

impl SoftList {
    pub(crate) fn beside(store: &Path) -> SoftList {
        let mut name = store.as_os_str().to_owned();
        name.push(".soft");
        SoftList { path: name.into() }
    }

    /// Whether soft bounces may have suppressed an address (in lower case). If the file cannot be
    /// read, they may.
    pub(crate) fn may_have(&self, address: &str) -> bool {
        match self.open() {
            Ok(opened) => opened.has(digest_of(address)).unwrap_or(true),
            Err(error) => error.kind() != ErrorKind::NotFound,
        }
    }

    /// When all of it was written; `None` if it must be written now.
    pub(crate) fn written_ms(&self) -> Option<i64> {
        let opened = self.open().ok().filter(|opened| opened.added <= ADDED as u64);
        opened.map(|opened| opened.written_ms)
    }

    pub(crate) fn add(&self, address: &str) -> io::Result<()> {
        let file = regular::open_to_append(&self.path);
        let mut file = match file {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                private::make_file(&self.path)?;
                let file = regular::open_to_append(&self.path)?;
                // A time that is long ago: the next tick writes all of it.
                (&file).write_all(&header(0, 0))?;
                file
            }
            opened => opened?,
        };
        file.write_all(&digest_of(address).to_le_bytes())
    }

    /// Writes all of it.
    pub(crate) fn write(&self, digests: &mut Vec<u64>, now_ms: i64) -> Result<()> {
        digests.sort_unstable();
        digests.dedup();
        let mut bytes = header(now_ms, digests.len() as u64).to_vec();
        bytes.extend(digests.iter().flat_map(|digest| digest.to_le_bytes()));
        publish(&self.path, &bytes, private::FILE)
    }

    fn open(&self) -> io::Result<Opened> {
        let file = regular::open(&self.path)?;
        let number = |place: u64| read(&file, place * DIGEST);
        let (magic, written_ms, sorted) = (number(0)?, number(1)? as i64, number(2)?);
        let whole = file.metadata()?.len().saturating_sub(HEADER) / DIGEST;
        match magic == MAGIC && sorted <= whole {
            true => Ok(Opened { file, written_ms, sorted, added: whole - sorted }),
            false => Err(io::Error::new(ErrorKind::InvalidData, "not a list of digests")),
        }
    }
}

impl Opened {
    fn has(&self, wanted: u64) -> io::Result<bool> {
        let (mut low, mut high) = (0, self.sorted);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.digest(middle)?.cmp(&wanted) {
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        let mut added = vec![0; (self.added * DIGEST) as usize];
        self.file.read_exact_at(&mut added, HEADER + self.sorted * DIGEST)?;
        Ok(added.as_chunks().0.iter().any(|digest| u64::from_le_bytes(*digest) == wanted))
    }

    fn digest(&self, place: u64) -> io::Result<u64> {
        read(&self.file, HEADER + place * DIGEST)
    }
}

pub(crate) fn digest_of(address: &str) -> u64 {
    let address = &*without_needless_quotes(address);
    digest::sha256_number(address.as_bytes())
}

fn header(written_ms: i64, sorted: u64) -> [u8; HEADER as usize] {
    let mut header = [0; HEADER as usize];
    for (field, number) in header.as_chunks_mut().0.iter_mut().zip([MAGIC, written_ms as u64, sorted]) {
        *field = number.to_le_bytes();
    }
    header
}

fn read(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; DIGEST as usize];
    file.read_exact_at(&mut bytes, at)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_what_was_written_and_what_was_added_since() {
        let store = std::env::temp_dir().join(format!("carom-soft-{:x}", fastrand::u64(..)));
        let list = SoftList::beside(&store);
        let address = |number: u64| format!("user{number}@example.com");
        assert!(!list.may_have(&address(1)) && list.written_ms().is_none());
        list.add(&address(1)).unwrap();
        assert!(list.may_have(&address(1)) && !list.may_have(&address(2)));
        assert_eq!(list.written_ms(), Some(0));
        list.write(&mut (0..500).map(|number| digest_of(&address(number))).collect(), 1000).unwrap();
        list.add(&address(700)).unwrap();
        assert!((0..500).all(|number| list.may_have(&address(number))) && list.may_have(&address(700)));
        assert!((500..700).all(|number| !list.may_have(&address(number))));
        assert_eq!(list.written_ms(), Some(1000));
        (1000..6000).for_each(|number| list.add(&address(number)).unwrap());
        assert_eq!(list.written_ms(), None, "too much was added");
        std::fs::write(&list.path, "something else, which is long enough").unwrap();
        assert!(list.may_have("x@example.com"), "the store is asked");
        std::fs::remove_file(&list.path).unwrap();
    }
}
