//! What is removed when its time has passed, in every group, in one transaction.

use super::connection::SharedConnection;
use super::{pending_rows, report_rows, suppression_rows};
use crate::clock::DAY_MS;
use crate::error::Result;
use rusqlite::Connection;

/// Finished messages and minutes: as long as bouncy-sink kept its minutes.
const FINISHED_MS: i64 = 10 * DAY_MS;
/// A parked step that no operator has cared for.
const PARKED_MS: i64 = 90 * DAY_MS;
/// Complaints that match nobody.
const UNMATCHED_MS: i64 = 90 * DAY_MS;
/// The longest window in which a policy can count soft bounces.
const STRIKES_MS: i64 = 3650 * DAY_MS;

pub(crate) fn purge(shared: &SharedConnection, now_ms: i64) -> Result<()> {
    shared.write(move |db| {
        pending_rows::give_up_parked(db, now_ms - PARKED_MS)?;
        finished(db, now_ms - FINISHED_MS)?;
        db.execute("DELETE FROM series WHERE minute < ?1", [(now_ms - FINISHED_MS) / 1000])?;
        db.execute("DELETE FROM memory WHERE expires_ms < ?1", [now_ms])?;
        db.execute("DELETE FROM earlier_suppressions WHERE expires_ms < ?1", [now_ms])?;
        let gone = "DELETE FROM suppressions WHERE expires_ms < ?1 RETURNING address, sender_domain";
        let gone = db
            .prepare(gone)?
            .query_map([now_ms], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(String, String)>>>()?;
        suppression_rows::bring_back(db, &gone)?;
        report_rows::purge(db, now_ms, UNMATCHED_MS)?;
        db.execute("DELETE FROM strikes WHERE at_ms < ?1", [now_ms - STRIKES_MS])?;
        Ok(())
    })
}

fn finished(db: &Connection, oldest_ms: i64) -> rusqlite::Result<()> {
    const STEPS: &str =
        "DELETE FROM steps WHERE key IN (SELECT key FROM journal WHERE state = 'finished' AND at_ms < ?1)";
    db.execute(STEPS, [oldest_ms])?;
    db.execute("DELETE FROM journal WHERE state = 'finished' AND at_ms < ?1", [oldest_ms])?;
    Ok(())
}
