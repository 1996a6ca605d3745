//! Very many facts in the order of their names, so that each page of the tables is written once.
//!
//! What fills the memory is sorted, and written to a file that has no name any more; at the end
//! these runs are merged. Not here: taking facts over (`store`). Invariant: memory is bounded by a
//! run and a buffer of each other one.

use super::fact_place::{pack, unpack};
use crate::error::{Context, Result};
use crate::files::private;
use crate::store::{FactVersion, SharedFact};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Facts of a run.
const RUN: usize = 1 << 18;
/// Bytes that are read of a run together.
const BUFFER: usize = 32 << 10;

/// Facts in the order of their names.
type Run = Box<dyn Iterator<Item = io::Result<SharedFact>>>;

pub(super) struct FactPile {
    /// Where files are made.
    path: PathBuf,
    facts: Vec<SharedFact>,
    runs: Vec<Run>,
}

impl FactPile {
    /// `path`: a name that nobody else uses, for files.
    pub(super) fn new(path: PathBuf) -> FactPile {
        FactPile { path, facts: Vec::new(), runs: Vec::new() }
    }

    pub(super) fn add(&mut self, fact: SharedFact) -> Result<()> {
        self.facts.push(fact);
        if self.facts.len() < RUN { Ok(()) } else { self.put_aside().context(self.path.display()) }
    }

    fn put_aside(&mut self) -> io::Result<()> {
        sort(&mut self.facts);
        let mut to = BufWriter::with_capacity(BUFFER, nameless(&self.path)?);
        // What is too long to be shared was not read either.
        for octets in self.facts.drain(..).filter_map(|fact| pack(&fact)) {
            to.write_all(&(octets.len() as u32).to_le_bytes())?;
            to.write_all(&octets)?;
        }
        let mut file = to.into_inner()?;
        file.rewind()?;
        self.runs.push(Box::new(RunOnDisk(BufReader::with_capacity(BUFFER, file))));
        Ok(())
    }

    /// All of them, by name.
    pub(super) fn sorted(mut self) -> Result<SortedFacts> {
        sort(&mut self.facts);
        self.runs.push(Box::new(self.facts.into_iter().map(Ok)));
        let mut sorted = SortedFacts { path: self.path, runs: self.runs, next: BinaryHeap::new() };
        (0..sorted.runs.len()).try_for_each(|run| sorted.go_on(run))?;
        Ok(sorted)
    }
}

fn sort(facts: &mut [SharedFact]) {
    facts.sort_unstable_by(|one, other| one.name.cmp(&other.name));
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
    type Item = io::Result<SharedFact>;

    fn next(&mut self) -> Option<io::Result<SharedFact>> {
        let RunOnDisk(file) = self;
        let mut read = || {
            if file.fill_buf()?.is_empty() {
                return Ok(None);
            }
            let mut length = [0; 4];
            file.read_exact(&mut length)?;
            let mut octets = vec![0; u32::from_le_bytes(length) as usize];
            file.read_exact(&mut octets)?;
            unpack(&octets).map(Some).ok_or_else(|| ErrorKind::InvalidData.into())
        };
        read().transpose()
    }
}

/// Runs that are merged: the least name comes next.
pub(super) struct SortedFacts {
    path: PathBuf,
    runs: Vec<Run>,
    /// The next fact of each run, by its name.
    next: BinaryHeap<Reverse<NextFact>>,
}

/// The next fact of a run. They are in the order of their names.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct NextFact {
    name: String,
    run: usize,
    version: FactVersion,
    content: Option<String>,
}

impl SortedFacts {
    /// Takes one more of a run.
    fn go_on(&mut self, run: usize) -> Result<()> {
        if let Some(fact) = self.runs[run].next().transpose().context(self.path.display())? {
            let SharedFact { name, version, content } = fact;
            self.next.push(Reverse(NextFact { name, run, version, content }));
        }
        Ok(())
    }
}

impl Iterator for SortedFacts {
    type Item = Result<SharedFact>;

    fn next(&mut self) -> Option<Result<SharedFact>> {
        let Reverse(NextFact { name, run, version, content }) = self.next.pop()?;
        Some(self.go_on(run).map(|()| SharedFact { name, version, content }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_several_runs_come_by_name() {
        let path = std::env::temp_dir().join(format!("carom-pile-{:x}", fastrand::u64(..)));
        let mut pile = FactPile::new(path.clone());
        let mut numbers: Vec<u32> = (0..900).collect();
        fastrand::shuffle(&mut numbers);
        for number in &numbers {
            let content = number.is_multiple_of(2).then(|| format!("{number}\nreason"));
            let version = FactVersion { rank: i64::from(*number), host: 7 };
            pile.add(SharedFact { name: format!("s{number:04}@a.example"), version, content }).unwrap();
            if number % 400 == 0 {
                pile.put_aside().unwrap();
            }
        }
        assert!(pile.runs.len() == 3 && !path.exists());
        let sorted: Vec<SharedFact> = pile.sorted().unwrap().collect::<Result<_>>().unwrap();
        let ranks: Vec<i64> = sorted.iter().map(|fact| fact.version.rank).collect();
        assert_eq!(ranks, (0..900).collect::<Vec<i64>>());
        assert!(sorted[2].content.as_deref() == Some("2\nreason") && sorted[3].content.is_none());
    }
}
