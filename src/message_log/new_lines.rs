//! Lines that were added since the last look, file by file, for events.
//!
//! Not here: what they say. Invariant: a whole line is given once, unless its place was not kept;
//! the file of a day is read on after the next day has begun, because a writer may be late.

use super::log_files::WITH_JSON;
use crate::config::Config;
use crate::error::{Context, Result};
use crate::files::{daily, regular};
use memchr::{memchr, memrchr};
use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;

/// Bytes that are given together.
const PIECE: u64 = 4 << 20;

/// The bytes of each file that were given, by the file's name.
pub(crate) type LinePlaces = BTreeMap<String, u64>;

/// The next whole lines of one file, of about `most` bytes; empty if there are no more. Their place
/// is taken note of.
pub(crate) fn new_lines(config: &Config, places: &mut LinePlaces, most: u64) -> Result<Vec<u8>> {
    let directory = config.log_dir();
    let mut there = Vec::new();
    for name in WITH_JSON {
        there.extend(daily::days(&directory, name)?.into_iter().map(|day| day.path));
    }
    let name_of =
        |path: &std::path::Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    places.retain(|name, _| there.iter().any(|path| name_of(path) == *name));
    for path in there {
        let name = name_of(&path);
        let place = places.get(&name).copied().unwrap_or(0);
        let Ok(length) = path.metadata().map(|found| found.len()) else { continue };
        // A file that is shorter is another one: its lines have ids of their own.
        let start = if length < place { 0 } else { place };
        if length == start {
            continue;
        }
        let mut lines = vec![0; usize::try_from((length - start).min(PIECE)).unwrap_or(0)];
        let read = regular::open(&path).and_then(|file| file.read_exact_at(&mut lines, start));
        read.context(path.display())?;
        let few = usize::try_from(most).unwrap_or(usize::MAX).min(lines.len());
        let ends = memrchr(b'\n', &lines[..few]).or_else(|| memchr(b'\n', &lines));
        let whole = ends.map_or(0, |end| end + 1);
        // What fills a piece without an end is no line.
        let given = if whole == 0 && lines.len() as u64 == PIECE { lines.len() } else { whole };
        if given > 0 {
            lines.truncate(given);
            places.insert(name, start + given as u64);
            return Ok(lines);
        }
    }
    Ok(Vec::new())
}
