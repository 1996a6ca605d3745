//! Very many facts in the order of their names, so that each page of the tables is written once.
//!
//! Not here: sorting (`files::sorted_pile`), and taking facts over (`store`).

use crate::error::{Error, Result};
use crate::files::sorted_pile::{Pile, PiledRecord, SortedPile};
use crate::store::{FactVersion, SharedFact};
use std::path::PathBuf;

/// Octets of rank and host, before the content.
const HEADER: usize = 12;

pub(super) struct FactPile(Pile);

impl FactPile {
    /// `path`: a name that nobody else uses, for files.
    pub(super) fn new(path: PathBuf) -> FactPile {
        FactPile(Pile::new(path))
    }

    pub(super) fn add(&mut self, fact: &SharedFact) -> Result<()> {
        let SharedFact { name, version, content } = fact;
        let (rank, host) = (version.rank.to_be_bytes(), version.host.to_be_bytes());
        let content = content.as_ref().map(|content| [&b"\n"[..], content.as_bytes()]);
        let [separator, content] = content.unwrap_or_default();
        self.0.add(name.as_bytes(), &[&rank, &host, separator, content])
    }

    /// All of them, by name.
    pub(super) fn sorted(self) -> Result<SortedFacts> {
        self.0.sorted().map(SortedFacts)
    }
}

/// Facts, the least name first.
pub(super) struct SortedFacts(SortedPile);

impl Iterator for SortedFacts {
    type Item = Result<SharedFact>;

    fn next(&mut self) -> Option<Result<SharedFact>> {
        let record = self.0.next()?;
        Some(record.and_then(|record| fact(record).ok_or_else(|| Error::new("a file of facts is damaged"))))
    }
}

fn fact(record: PiledRecord) -> Option<SharedFact> {
    let PiledRecord { key, mut value } = record;
    let version = FactVersion {
        rank: i64::from_be_bytes(*value.first_chunk()?),
        host: u32::from_be_bytes(*value.get(8..)?.first_chunk()?),
    };
    let content = (value.len() > HEADER).then(|| value.split_off(HEADER + 1));
    let content = content.map(String::from_utf8).transpose().ok()?;
    Some(SharedFact { name: String::from_utf8(key).ok()?, version, content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_by_name_as_they_were() {
        let path = std::env::temp_dir().join(format!("carom-facts-{:x}", fastrand::u64(..)));
        let mut pile = FactPile::new(path);
        let mut facts: Vec<SharedFact> = (0..900_u32)
            .map(|number| {
                let content = match number % 3 {
                    0 => None,
                    1 => Some(String::new()),
                    _ => Some(format!("{number}\nreason")),
                };
                let version = FactVersion { rank: i64::MAX - i64::from(number), host: number << 20 };
                SharedFact { name: format!("s{number:04}@a.example"), version, content }
            })
            .collect();
        let sorted = facts.clone();
        fastrand::shuffle(&mut facts);
        facts.iter().try_for_each(|fact| pile.add(fact)).unwrap();
        assert_eq!(pile.sorted().unwrap().collect::<Result<Vec<_>>>().unwrap(), sorted);
    }
}
