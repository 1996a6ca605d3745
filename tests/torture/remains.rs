//! What a killed process left on record: the files of its store, copied before anybody opens them again.
//!
//! Not here: whether the effect was done (the peers know). Invariant: the store itself is not touched, neither recovered nor
//! checkpointed: whoever comes next finds what the process has left.

use crate::harness::{Sandbox, names};
use std::fs;
use std::path::PathBuf;

/// The store and what waits beside it, as they were at the kill.
pub(super) struct Remains {
    store: PathBuf,
    /// Keys and numbers of steps that ended and are in a file beside the store.
    ended: Vec<(String, u64)>,
}

impl Remains {
    pub(super) fn of(sandbox: &Sandbox) -> Remains {
        let copy = sandbox.path("remains.db");
        for ending in ["", "-wal"] {
            let (from, to) = (format!("state/carom.db{ending}"), format!("remains.db{ending}"));
            let _ = fs::remove_file(sandbox.path(&to));
            let _ = fs::copy(sandbox.path(&from), sandbox.path(&to));
        }
        let _ = fs::remove_file(sandbox.path("remains.db-shm"));
        let unsettled = sandbox.path("state/unsettled");
        let files = names(&unsettled).into_iter().filter_map(|name| fs::read(unsettled.join(name)).ok());
        let steps = files.filter_map(|text| serde_json::from_slice::<Vec<serde_json::Value>>(&text).ok());
        let name = |step: serde_json::Value| Some((step["key"].as_str()?.to_owned(), step["step"].as_u64()?));
        Remains { store: copy, ended: steps.flatten().filter_map(name).collect() }
    }

    /// Promised steps of these actions whose end is not on record: they may have been done, and may be done again.
    pub(super) fn open_steps(&self, actions: &[&str]) -> usize {
        let Ok(store) = rusqlite::Connection::open(&self.store) else { return 0 };
        let pending = "SELECT key, step, action FROM steps WHERE state = 'pending'";
        let Ok(mut pending) = store.prepare(pending) else { return 0 };
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?));
        let steps = pending.query_map([], read).unwrap().map(Result::unwrap);
        steps
            .filter(|(key, step, action): &(String, i64, String)| {
                let ended = self.ended.iter().any(|(of, number)| of == key && *number == step.unsigned_abs());
                actions.contains(&action.as_str()) && !ended
            })
            .count()
    }
}
