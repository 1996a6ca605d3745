//! Keeping a copy of a message in a directory.

use crate::config::Config;
use crate::error::{Context, Result};
use std::fs::{self, File};
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
        let scratch = self.directory.join(format!(".{:016x}.tmp", fastrand::u64(..)));
        let placed = File::create_new(&scratch)
            .and_then(|mut file| file.write_all(raw).and_then(|()| file.sync_all()))
            .and_then(|()| self.place(&scratch));
        let _ = fs::remove_file(&scratch);
        let path = placed.context(self.directory.display())?;
        File::open(&self.directory).and_then(|folder| folder.sync_all()).context(self.directory.display())?;
        Ok(path)
    }

    /// A hard link never replaces what is there, unlike a rename.
    fn place(&self, scratch: &std::path::Path) -> std::io::Result<PathBuf> {
        for number in 0..10_000 {
            let name = if number == 0 { self.name.clone() } else { format!("{number}-{}", self.name) };
            let path = self.directory.join(name);
            match fs::hard_link(scratch, &path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                linked => return linked.map(|()| path),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }
}
