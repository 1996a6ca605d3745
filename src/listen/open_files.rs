//! How many files and connections the process may have open.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Files besides connections: databases, logs, messages of batches.
const OTHERS: u64 = 256;

/// Whether this many sessions can have what they need, at the most that the system allows.
pub(crate) fn are_enough_for(sessions: usize) -> bool {
    getrlimit(Resource::Nofile).maximum.is_none_or(|most| most >= OTHERS.saturating_add(sessions as u64))
}

/// From now on the process may have open what the system allows. The usual limit is lower, for
/// programs that cannot use more.
pub(crate) fn allow_most() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "cannot raise the number of open files");
    }
}
