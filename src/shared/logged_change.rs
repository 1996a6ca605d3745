//! Answers of the shared store: changes of a log, and values of other forms.
//!
//! Not here: what is read from a log (`exchange`). Invariant: what is not of carom's form is an
//! error, and changes nothing.

use super::change_log::NumberedChange;
use crate::digest;
use crate::error::{Error, Result};
use redis::{FromRedisValue, Value};

/// A change of a log.
pub(super) struct LoggedChange {
    pub(super) number: u64,
    /// The fact.
    pub(super) octets: Vec<u8>,
    /// Octets by chance, of the script that wrote it.
    pub(super) chance: Vec<u8>,
}

impl LoggedChange {
    pub(super) fn numbered(&self) -> NumberedChange {
        match self.number {
            0 => (0, 0),
            number => (number, digest::sha256_number(&[self.octets.as_slice(), &self.chance].concat())),
        }
    }
}

/// The changes of a stream.
pub(super) fn changes(answer: Value) -> Result<Vec<LoggedChange>> {
    let entries: Vec<(String, Vec<Vec<u8>>)> = read_as(answer)?;
    let change = |(id, fields): (String, Vec<Vec<u8>>)| {
        let number = id.split('-').next().and_then(|number| number.parse().ok()).ok_or_else(foreign)?;
        let [_, octets, _, chance] = <[Vec<u8>; 4]>::try_from(fields).map_err(|_| foreign())?;
        Ok(LoggedChange { number, octets, chance })
    };
    entries.into_iter().map(change).collect()
}

/// An answer as what was expected.
pub(super) fn read_as<T: FromRedisValue>(answer: Value) -> Result<T> {
    redis::from_redis_value(answer).map_err(|_| foreign())
}

/// What is text in an answer.
pub(super) fn texts(answer: &Value) -> String {
    match answer {
        Value::BulkString(octets) => String::from_utf8_lossy(octets).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        _ => String::new(),
    }
}

fn foreign() -> Error {
    Error::new("the shared store: its keys that begin with carom: are not carom's")
        .remedy("set [shared] name to a name that nobody else uses there")
}
