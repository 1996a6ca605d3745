//! A row of a table or an object of JSON: its names and values, and where it is in the file.
//!
//! Not here: what the values mean (`provider_entry`).

use crate::error::Result;
use crate::text::bounded;
use std::fmt;

/// Values are cut at this many bytes, and a record has no more values than this.
const MAX_VALUE: usize = 2000;
const MAX_VALUES: usize = 100;

/// Names without case and punctuation, and their values, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    values: Vec<(String, String)>,
}

impl Record {
    /// A row without a heading: nothing but an address.
    pub(crate) fn of_address(address: &str) -> Record {
        let mut record = Record::default();
        record.put("address", address);
        record
    }

    /// Adds a value under a name in its normal form (`column_names`). An empty one is only a name.
    pub(crate) fn put(&mut self, name: &str, value: &str) {
        if self.values.len() < MAX_VALUES {
            self.values.push((name.to_owned(), bounded(value.trim(), MAX_VALUE).to_owned()));
        }
    }

    /// Adds the values of another record.
    pub(crate) fn extend(&mut self, other: &Record) {
        let room = MAX_VALUES.saturating_sub(self.values.len());
        self.values.extend(other.values.iter().take(room).cloned());
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The first of these names that has a value: the order of `names` decides.
    pub(crate) fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.all(name).find(|value| !value.is_empty()))
    }

    /// Every value of one name.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether one of these names is there, with or without a value.
    pub(crate) fn has(&self, names: &[&str]) -> bool {
        self.values.iter().any(|(name, _)| names.contains(&name.as_str()))
    }
}

/// Where records go: place, and the record or what is wrong. An error ends the reading.
pub(crate) type RecordSink<'s> = dyn FnMut(Place, Result<Record, String>) -> Result<()> + 's;

/// Where something is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    /// Its number among the items of a JSON document.
    pub(crate) item: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        self.item.map_or(Ok(()), |item| write!(f, ", item {item}"))
    }
}
