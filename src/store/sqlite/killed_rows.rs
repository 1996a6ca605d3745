//! Rows of messages that a killed process may have left without their line in the message log.
//!
//! Not here: the lines (`crate::message_log`). Invariant: what a living process has in hand is left
//! to it.

use super::connection::SharedConnection;
use super::pending_rows;
use super::step_rows::read_json;
use super::work_marks::WorkMark;
use crate::error::Result;
use crate::plan::Verdict;
use crate::store::journal_entry::{MessageOnRecord, PromisedLine};
use rusqlite::Row;
use serde::Deserialize;

/// Messages at most, the newest: where ticks have not run for long, there are very many.
const MOST: usize = 20_000;

/// Messages with steps that have not ended, by the indexes of these.
const OPEN: &str = "key IN (
    SELECT key FROM steps INDEXED BY steps_due WHERE state = 'pending' UNION
    SELECT key FROM steps INDEXED BY steps_parked WHERE state = 'parked')";

/// What the column `plan` says of the line.
#[derive(Deserialize)]
struct Promised {
    verdict: Verdict,
    line: PromisedLine,
}

pub(crate) fn killed(shared: &SharedConnection) -> Vec<WorkMark> {
    shared.holders().killed()
}

pub(crate) fn forget(shared: &SharedConnection, killed: &[WorkMark]) {
    shared.holders().forget(killed);
}

pub(crate) fn has_others(shared: &SharedConnection) -> bool {
    shared.holders().has_others()
}

pub(crate) fn left_since(shared: &SharedConnection, since_ms: i64) -> Result<Vec<MessageOnRecord>> {
    let columns = "key, at_ms, envelope, plan, policy, seed, owner";
    let select = format!(
        "SELECT {columns} FROM journal WHERE state = 'finished' AND at_ms >= ?1 AND envelope IS NOT NULL UNION ALL
         SELECT {columns} FROM journal WHERE state = 'open' AND at_ms >= ?1 AND {OPEN}
         ORDER BY at_ms DESC LIMIT {MOST}"
    );
    let found: Vec<(Option<String>, Option<MessageOnRecord>)> = shared.read(|db| {
        let read = |row: &Row<'_>| Ok((row.get(6)?, message(row)?));
        db.prepare(&select)?.query_map([since_ms], read)?.collect()
    })?;
    let is_free = |owner: &Option<String>| owner.as_ref().is_none_or(|owner| shared.holders().is_gone(owner));
    let left = found.into_iter().filter(|(owner, _)| is_free(owner)).filter_map(|(_, message)| message);
    left.map(|message| {
        Ok(MessageOnRecord { steps: pending_rows::steps_of(shared, &message.key)?, ..message })
    })
    .collect()
}

/// `None`: an older release has promised no line, or the row is damaged.
fn message(row: &Row<'_>) -> rusqlite::Result<Option<MessageOnRecord>> {
    let (Some(envelope), Some(Promised { verdict, line })) = (read_json(row, 2), read_json(row, 3)) else {
        return Ok(None);
    };
    let seed: Option<String> = row.get(5)?;
    Ok(Some(MessageOnRecord {
        key: row.get(0)?,
        at_ms: row.get(1)?,
        envelope,
        policy: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        seed: seed.and_then(|seed| seed.parse().ok()).unwrap_or_default(),
        verdict,
        line,
        steps: Vec::new(),
    }))
}
