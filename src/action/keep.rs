//! Keeping a copy of a message in a directory.

use crate::config::Config;
use crate::error::{Context, Result};
use crate::files::publish::Unfinished;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

/// Where a kept copy goes.
#[derive(Clone, Debug)]
pub(crate) struct Keep {
    /// The directory; it is made when it is missing.
    pub(crate) directory: PathBuf,
    /// The name; where it is taken, a number is put in front.
    pub(crate) name: String,
}

impl Keep {
    /// The config's place, under a name made of the message's key.
    pub(crate) fn named(config: &Config, key: &str) -> Keep {
        let directory = config.done_dir();
        let name = format!("{}.eml", key.replace(|c: char| !c.is_ascii_alphanumeric(), "-"));
        Keep { directory, name }
    }

    /// Writes the copy; it is whole and on disk on return.
    pub(crate) fn write(&self, raw: &[u8]) -> Result<PathBuf> {
        fs::create_dir_all(&self.directory).context(self.directory.display())?;
        let written = Unfinished::create(&self.directory, 0o666).and_then(|mut copy| {
            copy.write_all(raw)?;
            self.place(&copy)
        });
        written.context(self.directory.display())
    }

    fn place(&self, copy: &Unfinished) -> std::io::Result<PathBuf> {
        for number in 0..10_000 {
            let name = if number == 0 { self.name.clone() } else { format!("{number}-{}", self.name) };
            let path = self.directory.join(name);
            match copy.place(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                placed => return placed.map(|()| path),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}
