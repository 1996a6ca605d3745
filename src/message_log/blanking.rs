//! An address is overwritten in the message log and in carom's own.
//!
//! The files keep their lengths, because others append to them meanwhile and positions in them are
//! on record. Not here: what else knows the address (`crate::erase`). Invariant: a record counts
//! once also if a kill comes between the change of a file and that of its fingerprint: the new
//! fingerprint is on record before the file changes.

use super::folding::fingerprint_without;
use super::{log_files, outlines};
use crate::config::Config;
use crate::error::{Context, Result};
use crate::files::{daily, regular};
use crate::named_address::{self, NamedAddress};
use crate::store::{FoldedFile, Store};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Bytes that are searched together, and bytes that two neighbors share: no address is as long as
/// half of these.
const PIECE: u64 = 4 << 20;
const SHARED: u64 = 8 << 10;
/// Bit of an inode's number that no file system uses: the row of a file before it changes.
const BEFORE: u64 = 1 << 62;

/// Where the logs name an address.
#[derive(Debug, Default)]
pub(crate) struct LogErasure {
    pub(crate) places: usize,
    /// Return paths that may name it, and were cut.
    pub(crate) cut: usize,
    /// Files that cannot be searched, because they are compressed.
    pub(crate) packed: Vec<PathBuf>,
}

/// What [`blank`] would overwrite.
pub(crate) fn find_traces(config: &Config, named: &NamedAddress) -> Result<LogErasure> {
    each_file(config, |path| {
        let file = regular::open(path).context(path.display())?;
        Ok([
            places(&file, named).context(path.display())?.len(),
            cut_in(&file, named).context(path.display())?,
        ])
    })
}

/// Overwrites the address wherever the logs name it.
pub(crate) fn blank(config: &Config, named: &NamedAddress, store: &Store) -> Result<LogErasure> {
    each_file(config, |path| {
        let file = regular::open_to_change(path).context(path.display())?;
        let places = places(&file, named).context(path.display())?;
        if !places.is_empty() {
            blank_file(path, &file, &places, store)?;
            // Nobody is to learn from it which words there were.
            outlines::forget(config, path);
        }
        Ok([places.len(), cut_in(&file, named).context(path.display())?])
    })
}

fn each_file(config: &Config, mut search: impl FnMut(&Path) -> Result<[usize; 2]>) -> Result<LogErasure> {
    let mut found = LogErasure::default();
    for directory in log_files::directories(config) {
        for name in log_files::WITH_OWN {
            for path in daily::all(&directory, name)? {
                match daily::is_packed(&path) {
                    true => found.packed.push(path),
                    false => {
                        let [places, cut] = search(&path)?;
                        found.places += places;
                        found.cut += cut;
                    }
                }
            }
        }
    }
    Ok(found)
}

/// Where a file names the address.
pub(crate) fn places(file: &File, named: &NamedAddress) -> io::Result<Vec<Range<u64>>> {
    sought(file, |text| named.places(text))
}

/// How many return paths of a file may name it, and were cut.
fn cut_in(file: &File, named: &NamedAddress) -> io::Result<usize> {
    sought(file, |text| named.cut_places(text)).map(|places| places.len())
}

/// Where a file has what is found in pieces of it.
fn sought(file: &File, find: impl Fn(&[u8]) -> Vec<Range<usize>>) -> io::Result<Vec<Range<u64>>> {
    let length = file.metadata()?.len();
    let (mut found, mut from) = (Vec::new(), 0);
    loop {
        let mut piece = vec![0; PIECE.min(length - from) as usize];
        file.read_exact_at(&mut piece, from)?;
        let is_last = from + piece.len() as u64 == length;
        // Each place belongs to the piece in which it does not touch an end.
        let first = if from == 0 { 0 } else { SHARED / 2 };
        let last = if is_last { PIECE } else { PIECE - SHARED / 2 };
        let places = find(&piece).into_iter().map(|place| place.start as u64..place.end as u64);
        let ours = places.filter(|place| (first..last).contains(&place.start));
        found.extend(ours.map(|place| from + place.start..from + place.end));
        if is_last {
            return Ok(found);
        }
        from += PIECE - SHARED;
    }
}

fn blank_file(path: &Path, file: &File, places: &[Range<u64>], store: &Store) -> Result<()> {
    let inode = file.metadata().context(path.display())?.ino();
    let before = store.folded_files()?.into_iter().find(|folded| folded.inode == inode);
    let changed = before.clone().map(|folded| {
        let fingerprint = fingerprint_without(file, folded.position, places).context(path.display())?;
        Ok(FoldedFile { fingerprint, ..folded })
    });
    let changed: Option<FoldedFile> = changed.transpose()?;
    if let Some(changed) = &changed {
        store.fold(Vec::new(), None, FoldedFile { inode: inode | BEFORE, ..changed.clone() })?;
    }
    overwrite(file, places).context(path.display())?;
    if let Some(changed) = changed {
        store.fold(Vec::new(), before, changed)?;
        store.forget_files(vec![inode | BEFORE])?;
    }
    Ok(())
}

/// Overwrites the address at these places, durably.
pub(crate) fn overwrite(file: &File, places: &[Range<u64>]) -> io::Result<()> {
    for place in places {
        let mut text = vec![0; (place.end - place.start) as usize];
        file.read_exact_at(&mut text, place.start)?;
        named_address::blank(&mut text);
        file.write_all_at(&text, place.start)?;
    }
    if places.is_empty() { Ok(()) } else { file.sync_data() }
}
