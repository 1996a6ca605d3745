//! The files of the message log: one for each day, in its directory and in `unwritten`, also under
//! names that somebody has given them since.
//!
//! Not here: how files of days come and go (`files::daily`), and what is in them. Invariant: the
//! oldest comes first.

use crate::config::Config;
use crate::diagnostics;
use crate::error::{Error, Result};
use crate::files::daily::{self, DayFile};
use std::path::{Path, PathBuf};

/// What files of the log are named after.
pub(super) const NAME: &str = "messages";
/// The same for lines of JSON, if the log is text.
pub(super) const RECORDS: &str = "records";
/// Files that have lines of JSON.
pub(super) const WITH_JSON: [&str; 2] = [NAME, RECORDS];
/// These, and carom's own log beside them.
pub(super) const WITH_OWN: [&str; 3] = [NAME, RECORDS, diagnostics::NAME];

/// Days that readers look for files under other names.
const RENAMED_DAYS: i64 = 40;

/// Where lines of the log are, and those that it could not take.
pub(super) fn directories(config: &Config) -> [PathBuf; 2] {
    [config.log_dir(), config.state_dir().join("unwritten")]
}

/// The files with lines of JSON in a directory, and for some days also those under other names.
pub(super) fn in_directory(directory: &Path, renamed_days: i64) -> Result<Vec<DayFile>> {
    let mut files = Vec::new();
    for name in WITH_JSON {
        files.extend(daily::renamed(directory, name, renamed_days)?);
        files.extend(daily::days(directory, name)?);
    }
    files.sort_unstable();
    Ok(files)
}

/// The files with lines of JSON.
pub(super) fn all(config: &Config) -> Result<Vec<DayFile>> {
    let [logged, unwritten] = directories(config).map(|directory| in_directory(&directory, RENAMED_DAYS));
    Ok(in_order(logged?, unwritten?))
}

/// The same for who shows them. A directory of the log that cannot be read hides no line that is
/// elsewhere.
pub(super) fn readable(config: &Config) -> Result<Vec<DayFile>> {
    let [logged, unwritten] = directories(config).map(|directory| in_directory(&directory, RENAMED_DAYS));
    Ok(in_order(logged.unwrap_or_default(), unwritten?))
}

/// The day of the oldest line that can be shown; `None`: there is none.
pub(crate) fn first_day(config: &Config) -> Result<Option<String>> {
    Ok(readable(config)?.into_iter().next().map(|file| file.date))
}

fn in_order(logged: Vec<DayFile>, unwritten: Vec<DayFile>) -> Vec<DayFile> {
    let mut files: Vec<DayFile> =
        logged.into_iter().chain(unwritten).filter(|file| file.path.is_file()).collect();
    files.sort_unstable();
    files
}

/// Why the directory of the log cannot be read, and the fix; `None`: it can.
pub(crate) fn why_unreadable(config: &Config) -> Option<Error> {
    let error = in_directory(&config.log_dir(), RENAMED_DAYS).err()?;
    Some(error.remedy("let this user read the directory, or set [log] directory to another one"))
}
