//! The store in an SQLite file: the SQL of every verb, one file for each group.
//!
//! Not here: what the verbs promise (`crate::store`). Invariant: nothing outside this folder sees
//! SQL or a row.

pub(crate) mod alert_rows;
pub(crate) mod audit_rows;
pub(crate) mod connection;
mod counted_once;
pub(crate) mod database_fault;
pub(crate) mod counter_rows;
pub(crate) mod deferral_rows;
pub(crate) mod difference_rows;
pub(crate) mod due_messages;
pub(crate) mod encryption;
pub(crate) mod erasure_rows;
pub(crate) mod free_pages;
mod holder;
pub(crate) mod inspection;
pub(crate) mod killed_rows;
mod sender_spellings;
pub(crate) mod settling;
mod unsettled_steps;
pub(crate) mod mark_rows;
pub(crate) mod migrations;
mod noted_changes;
pub(crate) mod noted_line_rows;
pub(crate) mod pending_rows;
pub(crate) mod promise_rows;
pub(crate) mod purge;
pub(crate) mod read_only;
pub(crate) mod record_rows;
pub(crate) mod report_rows;
pub(crate) mod step_rows;
mod shared_ranks;
pub(crate) mod shared_facts;
pub(crate) mod shared_rows;
pub(crate) mod taken_facts;
mod store_schema;
pub(crate) mod release_rows;
pub(crate) mod removed_rows;
pub(crate) mod reached_thresholds;
pub(crate) mod strike_rows;
mod strike_threshold;
pub(crate) mod suppression_changes;
pub(crate) mod suppression_look;
mod wide_entries;
pub(crate) mod work_marks;
pub(crate) mod looked_up_list;
pub(crate) mod new_suppressions;
pub(crate) mod suppression_rows;
pub(crate) mod template_rows;
pub(crate) mod transaction;
mod write_ahead_log;
mod write_turn;
#[cfg(test)]
mod converging;
#[cfg(test)]
mod tests;

use crate::error::{Context, Result};
use crate::files::lock::{self, LockFile};
use connection::SharedConnection;
use std::path::{Path, PathBuf};

/// The version of the tables in a file, and the version that this carom writes.
pub(crate) fn versions(shared: &SharedConnection) -> Result<(i64, i64)> {
    Ok((shared.read(migrations::version)?, store_schema::VERSION))
}

/// A file beside the store.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Locks the file beside the store whose name ends in `suffix`. `None`: another process has it.
pub(crate) fn lock_beside(shared: &SharedConnection, suffix: &str) -> Result<Option<LockFile>> {
    let path = beside(shared.path(), suffix);
    lock::try_take(&path).context(path.display())
}
