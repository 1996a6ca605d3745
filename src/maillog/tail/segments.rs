//! A log that is a directory of segments, as KumoMTA writes them: `20260102-030405.123456789`,
//! compressed with zstd while they are written, with a suffix if records of some types have files
//! apart.
//!
//! Not here: reading them. Invariant: segments of one series (one suffix) follow each other, so
//! each but the youngest has its end; a segment that no one may write any more has it too.

use super::log_file::Compression;
use super::rotated_names::{Age, ListedFile, sort_by_age};
use crate::error::Result;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// `YYYYMMDD-HHMMSS`
const STAMP: usize = 15;

/// The suffixes of a directory, in order. One empty suffix for a path that is not a directory.
pub(crate) fn series(path: &Path) -> Result<Vec<String>> {
    if !path.is_dir() {
        return Ok(vec![String::new()]);
    }
    let entries = fs::read_dir(path).map_err(|error| super::unreadable(path, &error))?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let found: BTreeSet<String> =
        names.filter_map(|name| split(&name).map(|(_, suffix)| suffix.to_owned())).collect();
    Ok(found.into_iter().collect())
}

/// The segments of a series, the oldest first.
pub(crate) fn list(directory: &Path, series: &str) -> Result<Vec<ListedFile>> {
    let entries = fs::read_dir(directory).map_err(|error| super::unreadable(directory, &error))?;
    let mut files: Vec<ListedFile> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (stamp, _) = split(&name).filter(|(_, suffix)| *suffix == series)?;
            let digits = stamp.chars().filter(char::is_ascii_digit).collect();
            ListedFile::new(entry.path(), Compression::OpenZstd, Age::Date(digits))
        })
        .collect();
    sort_by_age(&mut files);
    Ok(files)
}

/// The stamp of a segment's name, and its suffix.
fn split(name: &str) -> Option<(&str, &str)> {
    let stamp = name.get(..STAMP)?;
    let is_stamp = stamp.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let rest = is_stamp.then(|| &name[STAMP..])?;
    let fraction = rest.strip_prefix('.').map_or(0, |rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 { digits + 1 } else { 0 }
    });
    Some(name.split_at(STAMP + fraction))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn the_name_of_a_segment_is_its_time_and_a_suffix() {
        assert_eq!(split("20230311-033705"), Some(("20230311-033705", "")));
        assert_eq!(split("20230311-033705.123456789"), Some(("20230311-033705.123456789", "")));
        assert_eq!(split("20230311-033705.123_recv"), Some(("20230311-033705.123", "_recv")));
        assert_eq!(split("20230311-033705.zst"), Some(("20230311-033705", ".zst")));
        for other in ["", ".20230311-033705", "20230311", "2023-0311-03370", "mail.log", "äöü20230311-033705"]
        {
            assert_eq!(split(other), None, "{other}");
        }
    }
}
