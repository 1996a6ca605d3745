//! The store for commands that only ask. Where there is none they make none: a note on standard
//! error says so, and they answer that there is nothing.
//!
//! Not here: the store. Invariant: where no message was handled, neither a file nor a directory is
//! made.

use super::terminal::note;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::message_log::MessageLog;
use crate::store::Store;
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
    let (log, path) = (MessageLog::open(config), config.store_path());
    if !log.is_begun() {
        return store_to_read(config);
    }
    let store = Store::open(&path).or_else(|_| Store::to_read(&path))?;
    if let Err(error) = log.fold(&store, Deadline::after(FOLDING)) {
        note(format_args!("the newest messages are not counted: {error}"));
    }
    Ok(store)
}

fn note_missing(config: &Config) {
    let path = config.store_path();
    note(format_args!(
        "nothing is stored in {} yet: the first message or `carom cron` makes it; if it should be there, correct \
         `state` in the config",
        path.display()
    ));
}
