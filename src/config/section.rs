//! A section of the config that only some commands need: read when it is asked for, so that a fault
//! in it stops only them, and `pipe` does not spend time on it.
//!
//! Invariant: whoever asks gets the section complete and valid, or the error.

use super::fault::ConfigFault;
use super::tables::Tables;
use super::toml_file::TomlFile;
use crate::error::{Error, Result};
use std::fmt;
use std::sync::{Arc, OnceLock};

/// Makes a section of its tables.
type Read<T> = fn(Tables) -> Result<T, ConfigFault>;

pub(crate) struct ConfigSection<T>(Arc<Inner<T>>);

struct Inner<T> {
    file: Arc<TomlFile>,
    /// The tables that it is made of.
    tables: &'static [&'static str],
    read: Read<T>,
    value: OnceLock<Result<T, Error>>,
}

impl<T> ConfigSection<T> {
    pub(super) fn new(
        file: &Arc<TomlFile>,
        tables: &'static [&'static str],
        read: Read<T>,
    ) -> ConfigSection<T> {
        ConfigSection(Arc::new(Inner { file: file.clone(), tables, read, value: OnceLock::new() }))
    }

    pub(crate) fn get(&self) -> Result<&T> {
        let Inner { file, tables, read, value } = &*self.0;
        let value = value.get_or_init(|| {
            let written = file.tables(|name| tables.contains(&name))?;
            read(written).map_err(|fault| file.explain(&fault))
        });
        value.as_ref().map_err(Error::clone)
    }
}

impl<T> ConfigSection<T> {
    /// What an error of later says about a key of the first table, with its line.
    pub(crate) fn about(&self, key: &str, error: &Error) -> Error {
        let Inner { file, tables, .. } = &*self.0;
        file.explain(&ConfigFault::error(tables.first().copied().unwrap_or_default(), key, error))
    }
}

impl<T> Clone for ConfigSection<T> {
    fn clone(&self) -> ConfigSection<T> {
        ConfigSection(self.0.clone())
    }
}

impl<T> fmt::Debug for ConfigSection<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigSection({})", self.0.tables.join(", "))
    }
}
