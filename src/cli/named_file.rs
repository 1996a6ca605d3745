//! Files that are named on the command line: regular ones, or standard input for `-`.
//!
//! Not here: what is in them. Invariant: nothing that is named makes a command wait or takes all
//! memory: named pipes, devices and what is too long are refused.

use crate::error::{Context, Error, Result};
use crate::files::regular;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Bytes of a file that is read whole, at most.
const MOST: u64 = 64 << 20;

/// Bytes of a config of another program, at most: converting one takes many times its size.
const MOST_OF_CONFIG: u64 = 1 << 20;

const REMEDY: &str = "name a regular file, or `-` to read standard input";

/// Opens a file; `None`: it is standard input.
pub(super) fn open_file(path: &Path) -> Result<Option<File>> {
    if path == Path::new("-") {
        return Ok(None);
    }
    // What the shell has opened for this process, such as `<(zcat list.gz)`, is no stranger's.
    let own = ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|own| path.starts_with(own));
    let opened = if own { File::open(path) } else { regular::open(path) };
    opened.context(path.display()).map(Some).map_err(|error| error.remedy(REMEDY))
}

/// Opens a file, or standard input.
pub(super) fn open_input(path: &Path) -> Result<Box<dyn BufRead>> {
    Ok(match open_file(path)? {
        Some(file) => Box::new(BufReader::new(file)),
        None => Box::new(std::io::stdin().lock()),
    })
}

/// All of a file, or of standard input.
pub(super) fn read_input(path: &Path) -> Result<Vec<u8>> {
    read_up_to(path, MOST)
}

/// The same for a config of another program, which people write by hand.
pub(super) fn read_foreign_config(path: &Path) -> Result<Vec<u8>> {
    read_up_to(path, MOST_OF_CONFIG)
}

fn read_up_to(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open_input(path)?.take(most + 1).read_to_end(&mut bytes);
    read.context(path.display()).map_err(|error| error.remedy(REMEDY))?;
    if bytes.len() as u64 > most {
        let long = Error::new(format_args!("{}: longer than {} MiB", path.display(), most >> 20));
        return Err(long.remedy("name the right file, or a part of it"));
    }
    Ok(bytes)
}
