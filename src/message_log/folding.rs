//! Folding: records that are new in the log become counters and rows of the journal.
//!
//! Files are read in pieces, each in one transaction with the position that it leads to, so that
//! neither a kill nor another process that folds makes a record count twice. A file is known again
//! by its inode and by the bytes before its position: it may be renamed, copied, truncated or
//! replaced. Where they do not suffice it is read from its start, and keys keep records from
//! counting twice. Not here: the rows (`store`). Invariant: a record that is on the disk is folded
//! once; a line that is cut off is not read before a line feed ends it, and then it is skipped.

use super::MessageLog;
use super::log_files::{self, WITH_JSON};
use crate::clock;
use crate::deadline::Deadline;
use crate::digest;
use crate::error::{Context, Error, Result};
use crate::files::daily;
use crate::files::regular;
use crate::named_address;
use crate::plan::Verdict;
use crate::store::{FoldedFile, MessageRecord, Store, Tally};
use memchr::memmem;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes of one transaction.
const PIECE: usize = 4 << 20;
/// Bytes before a position by which a file is known again.
const FINGERPRINTED: u64 = 256;
/// Files that somebody has renamed are read until they are this old: the journal knows keys as
/// long.
const RENAMED_DAYS: i64 = 10;
/// The position in a file that is gone is forgotten when the file would be this old.
const GONE_DAYS: i64 = 40;

/// No message counts for more.
const MOST_OF_ONE_MESSAGE: u64 = 1_000_000;

/// What a record says that the store keeps.
#[derive(Deserialize)]
struct RecordLine<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    verdict: Verdict,
    #[serde(default)]
    counted: Tally,
}

impl MessageLog {
    /// Whether it has a file, or cannot be looked at.
    pub(crate) fn is_begun(&self) -> bool {
        record_files(&self.directory).map_or(true, |files| !files.is_empty())
    }

    /// Takes new records into the store, until the deadline; later calls do the rest. A file that
    /// cannot be read does not hold up the others.
    pub(crate) fn fold(&self, store: &Store, deadline: Deadline) -> Result<()> {
        self.fold_gone(store, &HashSet::new(), deadline)
    }

    /// The same; the sources of messages with these keys are gone.
    pub(crate) fn fold_gone(&self, store: &Store, gone: &HashSet<String>, deadline: Deadline) -> Result<()> {
        let known = store.folded_files()?;
        let mut problem = None;
        for path in record_files(&self.directory)? {
            if deadline.passed() {
                break;
            }
            let folded = fold_file(&path, store, &known, gone, deadline);
            problem = problem.or(folded.map_err(|error| error.within(path.display())).err());
        }
        problem.map_or(Ok(()), Err)
    }
}

/// Oldest first, so that the first verdict of a message is the one that stays.
fn record_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let files = log_files::in_directory(directory, RENAMED_DAYS)?;
    Ok(files.into_iter().map(|day| day.path).collect())
}

fn fold_file(
    path: &Path,
    store: &Store,
    known: &[FoldedFile],
    gone: &HashSet<String>,
    deadline: Deadline,
) -> Result<()> {
    let Some((file, inode)) = open(path).map_err(Error::new)? else { return Ok(()) };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut now = store.folded_files()?;
    let length = file.metadata().map_err(Error::new)?.len();
    if of_inode(&now, inode).is_some_and(|one| one.position == length && fits(&file, &one)) {
        return Ok(());
    }
    let mut position = start(&file, known.iter().chain(&now));
    loop {
        let before = of_inode(&now, inode);
        let piece = whole_lines(&file, position).map_err(Error::new)?;
        let is_known = before.as_ref().map_or(0, |before| before.position) == position;
        if piece.is_empty() && (is_known || position == 0) {
            return Ok(());
        }
        let position_after = position + piece.len() as u64;
        let fingerprint = fingerprint(&file, position_after).context("cut short while it was read")?;
        let after = FoldedFile { inode, name: name.clone(), position: position_after, fingerprint };
        // A position never leads beyond what a power cut leaves of the file.
        file.sync_data().map_err(Error::new)?;
        store.fold(records(&piece, gone, path), before, after)?;
        // Others may have folded more meanwhile: position and row are of one look.
        now = store.folded_files()?;
        position = start(&file, known.iter().chain(&now));
        if piece.is_empty() || deadline.passed() {
            return Ok(());
        }
    }
}

/// A file and its inode; `None` if it is gone or no regular file.
fn open(path: &Path) -> io::Result<Option<(File, u64)>> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => {
            let file = regular::open(path)?;
            let inode = file.metadata()?.ino();
            Ok(Some((file, inode)))
        }
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn of_inode(known: &[FoldedFile], inode: u64) -> Option<FoldedFile> {
    known.iter().find(|one| one.inode == inode).cloned()
}

/// Where the part of the file begins that is not folded, from this file or from a copy.
fn start<'a>(file: &File, known: impl Iterator<Item = &'a FoldedFile>) -> u64 {
    known.filter(|one| fits(file, one)).map(|one| one.position).max().unwrap_or(0)
}

/// Whether the file has the bytes that were folded last.
fn fits(file: &File, folded: &FoldedFile) -> bool {
    fingerprint(file, folded.position).is_ok_and(|now| now == folded.fingerprint)
}

/// A digest of the last bytes before the position. Fails if the file ends earlier.
fn fingerprint(file: &File, position: u64) -> io::Result<i64> {
    fingerprint_without(file, position, &[])
}

/// The same as it will be when some addresses have been blanked.
pub(super) fn fingerprint_without(file: &File, position: u64, places: &[Range<u64>]) -> io::Result<i64> {
    let first = position - position.min(FINGERPRINTED);
    let mut bytes = vec![0; (position - first) as usize];
    file.read_exact_at(&mut bytes, first)?;
    for place in places {
        let inside = place.start.clamp(first, position)..place.end.clamp(first, position);
        named_address::blank(&mut bytes[(inside.start - first) as usize..(inside.end - first) as usize]);
    }
    Ok(digest::sha256_number(&bytes) as i64)
}

/// The next lines that are ended. Only what is no line of ours can be longer than a piece: then it
/// is a piece of that.
fn whole_lines(file: &File, position: u64) -> io::Result<Vec<u8>> {
    let left = file.metadata()?.len().saturating_sub(position);
    let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
    let mut filled = 0;
    while filled < piece.len() {
        match file.read_at(&mut piece[filled..], position + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    piece.truncate(filled);
    match memchr::memrchr(b'\n', &piece) {
        Some(last) => piece.truncate(last + 1),
        None if filled < PIECE => piece.clear(),
        None => {}
    }
    Ok(piece)
}

/// The records among some lines.
fn records(lines: &[u8], gone: &HashSet<String>, path: &Path) -> Vec<MessageRecord> {
    let has_key = memmem::Finder::new(b"\"key\":");
    let (mut records, mut cut_off) = (Vec::new(), 0);
    for line in lines.split(|byte| *byte == b'\n').filter(|line| has_key.find(line).is_some()) {
        let Ok(RecordLine { time, key, verdict, counted }) = serde_json::from_slice(line) else {
            cut_off += 1;
            continue;
        };
        let (Some(key), Some(at_ms)) = (key, clock::parse(&time)) else { continue };
        if counted.iter().any(|(_, many)| many > MOST_OF_ONE_MESSAGE) {
            tracing::warn!(path = %path.display(), key = %key, "a line of the message log is not carom's");
            continue;
        }
        let is_gone = gone.contains(&*key);
        records.push(MessageRecord { key: key.into_owned(), at_ms, verdict, counted, is_gone });
    }
    if cut_off > 0 {
        tracing::info!(lines = cut_off, path = %path.display(), "lines of the message log are cut off");
    }
    records
}

/// Whether a file has records that the store has not. Without a store nobody knows.
pub(super) fn unfolded(store: Option<&Store>) -> impl Fn(&Path) -> bool + use<> {
    let known = store.and_then(|store| store.folded_files().ok());
    move |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if !WITH_JSON.iter().any(|ours| name.starts_with(ours)) {
            return false;
        }
        let (Some(known), Ok(Some((file, _)))) = (&known, open(path)) else { return true };
        let position = start(&file, known.iter());
        whole_lines(&file, position).map_or(true, |lines| !lines.is_empty())
    }
}

/// Forgets how far files were folded that are gone for long.
pub(super) fn forget_gone(store: &Store, directory: &Path) -> Result<()> {
    let oldest = daily::days_ago(GONE_DAYS);
    let there = record_files(directory)?;
    let is_there = |name: &str| there.iter().any(|path| path.file_name().is_some_and(|one| one == name));
    let date = |name: &str| name.split_once('-').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let gone =
        store.folded_files()?.into_iter().filter(|one| date(&one.name) < oldest && !is_there(&one.name));
    store.forget_files(gone.map(|one| one.inode).collect())
}
