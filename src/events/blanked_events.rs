//! An address is overwritten in the events that wait in the queue.
//!
//! The files keep their lengths, so a batch that is repeated has the same place and the same token.
//! Not here: events that were sent, and where else the address is (`crate::erase`). Invariant: no
//! tick appends or sends meanwhile.

use super::event_queue::segment_files;
use super::queue_directory;
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::files::{lock, regular};
use crate::message_log::blanking::{overwrite, places};
use crate::named_address::NamedAddress;

/// How many places in waiting events name the address.
pub(crate) fn find_traces(config: &Config, named: &NamedAddress) -> Result<usize> {
    let mut found = 0;
    for path in segment_files(&queue_directory(config))? {
        let file = regular::open(&path).context(path.display())?;
        found += places(&file, named).context(path.display())?.len();
    }
    Ok(found)
}

/// Overwrites them. Returns how many there were.
pub(crate) fn blank(config: &Config, named: &NamedAddress) -> Result<usize> {
    let directory = queue_directory(config);
    if !directory.exists() {
        return Ok(0);
    }
    let lock = directory.join("lock");
    let alone = lock::try_take(&lock).context(lock.display())?;
    let _alone = alone
        .ok_or_else(|| Error::new("a tick is sending events").remedy("try again when it has finished"))?;
    let mut found = 0;
    for path in segment_files(&directory)? {
        let file = regular::open_to_change(&path).context(path.display())?;
        let places = places(&file, named).context(path.display())?;
        overwrite(&file, &places).context(path.display())?;
        found += places.len();
    }
    Ok(found)
}
