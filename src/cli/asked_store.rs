//! The store for commands that only ask, or that remove what is there. Where there is none they
//! make none: a note on standard error says so, and they answer that there is nothing.
//!
//! Not here: the store. Invariant: where no message was handled, neither a file nor a directory is
//! made.

use super::terminal::note;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Exit, Result};
use crate::events;
use crate::message_log::{self, MessageLog};
use crate::store::{Store, read_only};
use std::time::Duration;

/// Time for records that are new to the store, before a command answers.
const FOLDING: Duration = Duration::from_secs(600);

/// The store as it is.
pub(super) fn store_to_read(config: &Config) -> Result<Store> {
    let store = Store::to_read(&config.store_path())?;
    if !store.exists() {
        note_missing(config);
    }
    Ok(store)
}

/// The store, with what the message log has on record. If that cannot be taken, the answer goes
/// without it: so it is for users who may read the store and not write it.
pub(super) fn folded_store(config: &Config) -> Result<Store> {
    let (store, unfolded) = folded(config)?;
    unfolded.iter().for_each(note_unfolded);
    Ok(store)
}

/// The same for a command that shows what else there is. A store that cannot be used is an empty
/// one in memory, and the fault says why; so it does if a part of the store is damaged.
pub(super) fn store_or_fault(config: &Config) -> Result<(Store, Option<Error>)> {
    match folded(config) {
        Err(fault) => Ok((Store::in_place_of(&config.store_path())?, Some(fault))),
        Ok((store, Some(damage))) if damage.is_lasting() => Ok((store, Some(damage))),
        Ok((store, unfolded)) => {
            unfolded.iter().for_each(note_unfolded);
            let gone = store.moved_away();
            Ok((store, gone))
        }
    }
}

/// Names what could not be read, which is the answer of the exit code too.
pub(super) fn note_unread(unread: &[Error]) -> Exit {
    unread.iter().for_each(|error| note(format_args!("not all is shown: {error}")));
    if unread.is_empty() { Exit::Ok } else { Exit::Failure }
}

/// The store, and why it has not everything that the message log has on record.
fn folded(config: &Config) -> Result<(Store, Option<Error>)> {
    let (log, path) = (MessageLog::open(config), config.store_path());
    if !log.is_begun() {
        return Ok((store_to_read(config)?, None));
    }
    let store = Store::open(&path).or_else(|_| Store::to_read(&path))?;
    let unfolded = log.fold(&store, Deadline::after(FOLDING)).err();
    Ok((store, unfolded))
}

fn note_unfolded(error: &Error) {
    note(format_args!("the newest messages are not counted: {error}"));
}

/// Says so if lines of the message log cannot be shown, because this user cannot read it.
pub(super) fn note_unreadable_log(config: &Config) {
    if let Some(error) = message_log::why_unreadable(config) {
        note(format_args!("only lines in unwritten/ of the state directory are shown: {error}"));
    }
}

/// The store, to remove something from it. In a state directory that was mistyped, or that nobody
/// has used, there is nothing to remove.
pub(super) fn store_to_remove_from(config: &Config) -> Result<Store> {
    let places = [
        config.store_path(),
        config.index_path(),
        config.kept_dir(),
        config.unproven_dir(),
        events::queue_directory(config),
    ];
    let is_used = !places.iter().all(|place| read_only::is_missing(place)) || is_logged(config);
    if is_used { Store::open(&config.store_path()) } else { store_to_read(config) }
}

fn is_logged(config: &Config) -> bool {
    !read_only::is_missing(&config.log_dir()) && MessageLog::open(config).is_begun()
}

fn note_missing(config: &Config) {
    let path = config.store_path();
    note(format_args!(
        "nothing is stored in {} yet: the first message or `carom cron` makes it; if it should be there, correct \
         `state` in the config",
        path.display()
    ));
}
