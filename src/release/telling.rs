//! What was undone, for programs, and the notifications that can be sent now.
//!
//! Not here: undoing (`undoing`). Invariant: what cannot be sent now stays promised.

use super::undoing::{Undo, UndoFilter};
use crate::action::Doors;
use crate::auth::Dns;
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::journal;
use crate::message_log::MessageLog;
use crate::store::Store;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Time for notifications; the next ticks send the rest.
const NOTIFY: Duration = Duration::from_secs(10);

/// What an undo does, or would do.
pub(crate) fn as_json(undo: &Undo, filter: &UndoFilter, dry_run: bool) -> Value {
    let sum = undo.sum();
    let entries: Vec<_> = undo
        .releases
        .iter()
        .map(|one| json!({ "entry": one.entry, "restored": one.restored, "notified": one.notice.is_some() }))
        .collect();
    json!({
        "dry_run": dry_run,
        "since": clock::rfc3339(filter.since_ms),
        "until": clock::rfc3339(filter.until_ms),
        "released": sum.released,
        "restored": sum.restored,
        "notified": sum.notified,
        "unrecorded": undo.unrecorded,
        "entries": entries,
    })
}

/// Sends the notifications of these keys, as far as time allows.
pub(crate) fn notify(keys: &[String], config: &Arc<Config>, store: &Arc<Store>) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    let doors = Doors::new(config.clone(), Arc::new(Dns::open(&config.dns)?), store.clone(), 1);
    let (deadline, log) = (Deadline::after(NOTIFY), MessageLog::open(config));
    for key in keys.iter().take_while(|_| !deadline.passed()) {
        journal::run_one(&doors, key, deadline, &|done| log.append_steps(done))?;
    }
    Ok(())
}
