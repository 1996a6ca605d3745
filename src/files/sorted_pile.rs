//! Very many records in the order of their keys, in little memory: what fills it is sorted, and
//! written to a file that has no name any more; at the end these runs are merged.
//!
//! Not here: what is in a record. Invariants: memory is bounded by a run and a buffer of each other
//! one; records of one key come in the order in which they were added.

use super::private;
use crate::error::{Context, Result};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Bytes of a run in memory.
const RUN: usize = 32 << 20;
/// Bytes that are read of a run together.
const BUFFER: usize = 64 << 10;

/// A record, of which the key decides the place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PiledRecord {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// Records in the order of their keys.
type SortedRun = Box<dyn Iterator<Item = io::Result<PiledRecord>> + Send>;

/// Records that are not sorted yet.
pub(crate) struct Pile {
    /// Where files are made.
    path: PathBuf,
    /// Keys and values, one after the other.
    octets: Vec<u8>,
    places: Vec<PlaceInPile>,
    runs: Vec<SortedRun>,
}

/// A record among the octets.
#[derive(Clone, Copy)]
struct PlaceInPile {
    /// How the key begins: most comparisons need no more.
    begins: u128,
    start: u32,
    key_ends: u32,
    ends: u32,
}

impl PlaceInPile {
    fn key<'o>(&self, octets: &'o [u8]) -> &'o [u8] {
        &octets[self.start as usize..self.key_ends as usize]
    }

    fn value<'o>(&self, octets: &'o [u8]) -> &'o [u8] {
        &octets[self.key_ends as usize..self.ends as usize]
    }
}

impl Pile {
    /// `path`: a name that nobody else uses, for files.
    pub(crate) fn new(path: PathBuf) -> Pile {
        Pile { path, octets: Vec::new(), places: Vec::new(), runs: Vec::new() }
    }

    /// Adds a record: its key, and the parts of its value.
    pub(crate) fn add(&mut self, key: &[u8], value: &[&[u8]]) -> Result<()> {
        let start = self.octets.len() as u32;
        self.octets.extend(key);
        let key_ends = self.octets.len() as u32;
        value.iter().for_each(|part| self.octets.extend(*part));
        let ends = self.octets.len() as u32;
        self.places.push(PlaceInPile { begins: beginning(key), start, key_ends, ends });
        let weight = self.octets.len() + self.places.len() * size_of::<PlaceInPile>();
        if weight < RUN { Ok(()) } else { self.put_aside().context(self.path.display()) }
    }

    fn sort(&mut self) {
        let octets = &self.octets;
        self.places.sort_unstable_by(|one, other| {
            let by_key = one.begins.cmp(&other.begins).then_with(|| one.key(octets).cmp(other.key(octets)));
            by_key.then(one.start.cmp(&other.start))
        });
    }

    fn put_aside(&mut self) -> io::Result<()> {
        self.sort();
        let mut to = BufWriter::with_capacity(BUFFER, nameless(&self.path)?);
        for place in self.places.drain(..) {
            let (key, value) = (place.key(&self.octets), place.value(&self.octets));
            to.write_all(&(key.len() as u32).to_le_bytes())?;
            to.write_all(&(value.len() as u32).to_le_bytes())?;
            to.write_all(key)?;
            to.write_all(value)?;
        }
        self.octets.clear();
        let mut file = to.into_inner()?;
        file.rewind()?;
        self.runs.push(Box::new(RunOnDisk(BufReader::with_capacity(BUFFER, file))));
        Ok(())
    }

    /// All of them, by key.
    pub(crate) fn sorted(mut self) -> Result<SortedPile> {
        self.sort();
        let Pile { path, octets, places, mut runs } = self;
        let record = move |place: PlaceInPile| {
            Ok(PiledRecord { key: place.key(&octets).to_vec(), value: place.value(&octets).to_vec() })
        };
        runs.push(Box::new(places.into_iter().map(record)));
        let mut next = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            let first = run.next().transpose().context(path.display())?;
            next.extend(first.map(|record| Reverse(NextOfRun { record, run: number })));
        }
        Ok(SortedPile { path, runs, next })
    }
}

/// The first octets of a key as a number, in the order of keys.
fn beginning(key: &[u8]) -> u128 {
    let mut first = [0; size_of::<u128>()];
    first.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(first)
}

/// A file to write and read, which goes with the process.
fn nameless(path: &Path) -> io::Result<File> {
    let _ = fs::remove_file(path);
    drop(private::create(path)?);
    let file = File::options().read(true).write(true).open(path)?;
    fs::remove_file(path)?;
    Ok(file)
}

struct RunOnDisk(BufReader<File>);

impl Iterator for RunOnDisk {
    type Item = io::Result<PiledRecord>;

    fn next(&mut self) -> Option<io::Result<PiledRecord>> {
        let RunOnDisk(file) = self;
        let mut read = || {
            if file.fill_buf()?.is_empty() {
                return Ok(None);
            }
            let mut lengths = [[0; 4]; 2];
            file.read_exact(lengths.as_flattened_mut())?;
            let [mut key, mut value] = lengths.map(|length| vec![0; u32::from_le_bytes(length) as usize]);
            file.read_exact(&mut key)?;
            file.read_exact(&mut value)?;
            Ok(Some(PiledRecord { key, value }))
        };
        read().transpose()
    }
}

/// Runs that are merged: the least key comes next.
pub(crate) struct SortedPile {
    path: PathBuf,
    runs: Vec<SortedRun>,
    next: BinaryHeap<Reverse<NextOfRun>>,
}

/// The next record of a run.
#[derive(PartialEq, Eq)]
struct NextOfRun {
    record: PiledRecord,
    run: usize,
}

impl Ord for NextOfRun {
    fn cmp(&self, other: &NextOfRun) -> std::cmp::Ordering {
        self.record.key.cmp(&other.record.key).then(self.run.cmp(&other.run))
    }
}

impl PartialOrd for NextOfRun {
    fn partial_cmp(&self, other: &NextOfRun) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Iterator for SortedPile {
    type Item = Result<PiledRecord>;

    fn next(&mut self) -> Option<Result<PiledRecord>> {
        let mut least = self.next.peek_mut()?;
        let after = self.runs[least.0.run].next().transpose().context(self.path.display());
        Some(after.map(|after| match after {
            Some(after) => std::mem::replace(&mut least.0.record, after),
            None => PeekMut::pop(least).0.record,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_several_runs_come_by_key_and_those_of_one_key_as_they_were_added() {
        let path = std::env::temp_dir().join(format!("carom-pile-{:x}", fastrand::u64(..)));
        let mut pile = Pile::new(path.clone());
        let mut numbers: Vec<u32> = (0..900).collect();
        fastrand::shuffle(&mut numbers);
        for (at, number) in numbers.iter().enumerate() {
            let key = format!("a key that is long {number:04}");
            pile.add(key.as_bytes(), &[b"first", key.as_bytes()]).unwrap();
            if at % 400 == 399 {
                pile.put_aside().unwrap();
            }
            if number % 3 == 0 {
                pile.add(key.as_bytes(), &[b"second"]).unwrap();
            }
        }
        pile.add(b"", &[]).unwrap();
        assert!(pile.runs.len() == 2 && !path.exists());
        let sorted: Vec<PiledRecord> = pile.sorted().unwrap().collect::<Result<_>>().unwrap();
        let mut want = vec![(String::new(), String::new())];
        for number in 0..900 {
            let key = format!("a key that is long {number:04}");
            want.push((key.clone(), format!("first{key}")));
            want.extend((number % 3 == 0).then(|| (key, "second".to_owned())));
        }
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        let found: Vec<(String, String)> =
            sorted.into_iter().map(|record| (text(record.key), text(record.value))).collect();
        assert_eq!(found, want);
    }
}
