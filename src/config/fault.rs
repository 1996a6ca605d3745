//! What is wrong in the config: the key, what is wrong with it, and the fix.
//!
//! Not here: the line of the key (`toml_file`). Invariant: every fault comes with a fix.

use crate::error::Error;
use std::fmt::Display;

#[derive(Clone, Debug)]
pub(crate) struct ConfigFault {
    /// From the top: `["alert", "1", "mail"]` is the key `mail` of the second `[[alert]]`.
    pub(super) path: Vec<String>,
    pub(super) what: String,
    pub(super) fix: String,
}

impl ConfigFault {
    /// A fault of the key `table.key`; with an empty key, of the table itself.
    pub(super) fn new(table: &str, key: &str, what: impl Display, fix: impl Display) -> ConfigFault {
        let path = [table, key].into_iter().filter(|part| !part.is_empty()).map(str::to_owned).collect();
        ConfigFault { path, what: what.to_string(), fix: fix.to_string() }
    }

    /// A fault in the element `number` (counted from 0) of the tables `[[table]]`.
    pub(super) fn of_element(
        table: &str,
        number: usize,
        key: &str,
        what: impl Display,
        fix: impl Display,
    ) -> ConfigFault {
        let mut fault = ConfigFault::new(table, key, what, fix);
        fault.path.insert(1, number.to_string());
        fault
    }

    /// What an error says about a key.
    pub(super) fn error(table: &str, key: &str, error: &Error) -> ConfigFault {
        ConfigFault::new(table, key, error.text(), error.remedy_text().unwrap_or("correct the value"))
    }

    /// The same for an element of `[[table]]`.
    pub(super) fn error_of_element(table: &str, number: usize, key: &str, error: &Error) -> ConfigFault {
        let fix = error.remedy_text().unwrap_or("correct the value");
        ConfigFault::of_element(table, number, key, error.text(), fix)
    }
}
