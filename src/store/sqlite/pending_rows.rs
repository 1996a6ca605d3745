//! Steps that wait for their time or for another try, and parked steps that wait for an operator.
//!
//! Not here: claiming and settling steps (`step_rows`). Invariant: a step that a living process
//! works on is left alone.

use super::connection::SharedConnection;
use super::step_rows::{finish, read_json, settle_step};
use crate::envelope::Envelope;
use crate::error::Result;
use crate::mail::MessageFile;
use crate::plan::{Plan, StepEnd, state_as_written};
use crate::store::journal_entry::{
    ForwardedMessage, LostAlert, NotificationState, PAUSED, PendingStep, Performed, StepOnRecord,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;

/// The note of a step whose promise cannot be read.
const DAMAGED: &str = "the promise is damaged; drop the step with `carom outbox drop` and this id";
/// What a step of the promised plan, a notification, is about; a damaged plan says nothing.
const EVENT: &str = "iif(json_valid(plan), json_extract(plan, '$.steps[' || step || '].event'), NULL)";

/// Whether a step waits for the end of another one.
const WAITS: &str =
    "(steps.state = 'pending' AND steps.after IS NOT NULL AND EXISTS (SELECT 1 FROM steps AS earlier
    WHERE earlier.key = steps.key AND earlier.step = steps.after AND earlier.state = 'pending'))";

/// Whether the config holds a step back: its note says so.
fn is_paused() -> String {
    format!("(steps.state = 'pending' AND action = 'notify' AND note LIKE '{PAUSED}%')")
}

/// Steps that are read together. While they are shown, the store is free.
const PIECE: usize = 500;

/// Shows each step, the next due first; then the parked ones. `see` says whether it wants more.
pub(crate) fn visit(
    shared: &SharedConnection,
    see: &mut dyn FnMut(PendingStep) -> Result<bool>,
) -> Result<()> {
    for piece in places(shared)?.chunks(PIECE) {
        for step in steps_at(shared, piece)? {
            if !see(step)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The key and number of every step, in their order: there may be very many.
fn places(shared: &SharedConnection) -> Result<Vec<(String, usize)>> {
    const PLACES: &str = "SELECT key, step FROM (
        SELECT key, step, state, due_ms FROM steps INDEXED BY steps_due WHERE state = 'pending' UNION ALL
        SELECT key, step, state, due_ms FROM steps INDEXED BY steps_parked WHERE state = 'parked')
        ORDER BY state DESC, due_ms, key, step";
    shared.read(|db| {
        let place = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as usize));
        db.prepare(PLACES)?.query_map([], place)?.collect()
    })
}

/// Those of these steps that are pending or parked, in the same order.
pub(crate) fn steps_at(shared: &SharedConnection, places: &[(String, usize)]) -> Result<Vec<PendingStep>> {
    shared.read(|db| {
        let mut select = db.prepare_cached(&format!(
            "SELECT steps.key, step, action, steps.state, envelope, plan, steps.address, at_ms, due_ms, attempts, note,
             {WAITS}, {} FROM steps JOIN journal USING (key)
             WHERE steps.key = ?1 AND step = ?2 AND steps.state IN ('pending', 'parked')",
            is_paused()
        ))?;
        let found = places.iter().map(|(key, step)| select.query_row(params![key, *step as i64], pending));
        found.filter_map(|found| found.optional().transpose()).collect()
    })
}

fn pending(row: &Row<'_>) -> rusqlite::Result<PendingStep> {
    let (key, step): (String, i64) = (row.get(0)?, row.get(1)?);
    let (envelope, plan) = (read_json::<Envelope>(row, 4), read_json::<Plan>(row, 5));
    let damaged = envelope.is_none() || plan.is_none();
    let action = plan.as_ref().and_then(|plan| Some(&plan.steps.get(step as usize)?.action));
    let said = action.and_then(|action| serde_json::to_value(action).ok()).unwrap_or_default();
    let address = said.get("address").and_then(Value::as_str).map(str::to_owned);
    let address = if damaged { row.get(6)? } else { address };
    Ok(PendingStep {
        id: format!("{key}/{step}"),
        key,
        step: step as usize,
        action: row.get(2)?,
        state: row.get(3)?,
        recipient: envelope.as_ref().map(|envelope| envelope.recipient.clone()).unwrap_or_default(),
        envelope: envelope.unwrap_or_default(),
        address,
        sender_domain: said.get("sender_domain").and_then(Value::as_str).map(str::to_owned),
        since_ms: row.get(7)?,
        due_ms: row.get(8)?,
        attempts: row.get(9)?,
        note: if damaged { DAMAGED.to_owned() } else { as_written(row, 3, 10)?.1 },
        waits: row.get(11)?,
        paused: row.get(12)?,
        damaged,
    })
}

pub(crate) fn open_messages_named(shared: &SharedConnection, message_id: &str) -> Result<Vec<String>> {
    const NAMED: &str = "SELECT key FROM journal WHERE key IN (
        SELECT key FROM steps INDEXED BY steps_due WHERE state = 'pending' UNION
        SELECT key FROM steps INDEXED BY steps_parked WHERE state = 'parked')
        AND instr(lower(plan), lower(?1))";
    let named = format!("\"message_id\":{}", Value::from(message_id));
    shared.read(|db| db.prepare(NAMED)?.query_map([named], |row| row.get(0))?.collect())
}

/// Messages that are still to be forwarded, with their texts, or where these are.
pub(crate) fn messages_to_forward(shared: &SharedConnection) -> Result<Vec<ForwardedMessage>> {
    // Each state has its index, which finds few among all steps.
    const TO_FORWARD: &str = "SELECT key, message, file, begins FROM journal WHERE key IN (
        SELECT key FROM steps INDEXED BY steps_due WHERE state = 'pending' AND action = 'forward' UNION ALL
        SELECT key FROM steps INDEXED BY steps_parked WHERE state = 'parked' AND action = 'forward')";
    shared.read(|db| {
        let mut select = db.prepare(TO_FORWARD)?;
        let message = |row: &Row<'_>| {
            let path: Option<String> = row.get(2)?;
            let begins = row.get::<_, Option<i64>>(3)?.unwrap_or_default().unsigned_abs();
            let file = path.map(|path| MessageFile { path, begins });
            Ok(ForwardedMessage { key: row.get(0)?, raw: row.get(1)?, file })
        };
        select.query_map([], message)?.collect()
    })
}

pub(crate) fn lost_alerts(shared: &SharedConnection, since_ms: i64) -> Result<Vec<LostAlert>> {
    let lost = format!(
        "SELECT iif(json_valid(plan), json_extract(plan, '$.steps[' || step || '].rule'), NULL), at_ms, steps.state, note
         FROM steps JOIN journal USING (key) WHERE key >= 'alert-' AND key < 'alert.'
         AND action = 'alert' AND steps.state IN ('failed', '{}') AND at_ms >= ?1 ORDER BY at_ms",
        StepEnd::GivenUp.word()
    );
    shared.read(|db| {
        let mut select = db.prepare(&lost)?;
        let alert = |row: &Row<'_>| {
            let (rule, note) =
                (row.get::<_, Option<String>>(0)?.unwrap_or_default(), as_written(row, 2, 3)?.1);
            Ok(LostAlert { rule, at_ms: row.get(1)?, note })
        };
        select.query_map([since_ms], alert)?.collect()
    })
}

pub(crate) fn step_counts(shared: &SharedConnection) -> Result<(u64, u64)> {
    const PENDING: &str = "SELECT count(*) FROM steps INDEXED BY steps_due WHERE state = 'pending'";
    const PARKED: &str = "SELECT count(*) FROM steps INDEXED BY steps_parked WHERE state = 'parked'";
    shared.read(|db| {
        let count = |sql| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        Ok((count(PENDING)?, count(PARKED)?))
    })
}

pub(crate) fn paused_steps(shared: &SharedConnection) -> Result<u64> {
    let paused = format!(
        "SELECT count(*) FROM steps INDEXED BY steps_due WHERE state = 'pending' AND {}",
        is_paused()
    );
    shared.read(|db| db.query_row(&paused, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs))
}

pub(crate) fn steps_of(shared: &SharedConnection, key: &str) -> Result<Vec<StepOnRecord>> {
    shared.read(|db| {
        let mut select = db.prepare_cached(&format!(
            "SELECT step, action, iif({WAITS}, 'skipped', state), due_ms, attempts, note FROM steps
                 WHERE key = ?1 ORDER BY step"
        ))?;
        let step = |row: &Row<'_>| {
            let (state, note) = as_written(row, 2, 5)?;
            Ok(StepOnRecord {
                step: row.get::<_, i64>(0)? as usize,
                action: row.get(1)?,
                state,
                due_ms: row.get(3)?,
                attempts: row.get(4)?,
                note,
            })
        };
        select.query_map([key], step)?.collect()
    })
}

pub(crate) fn decided_ms(shared: &SharedConnection, key: &str) -> Result<Option<i64>> {
    shared.read(|db| {
        let mut select = db.prepare_cached("SELECT at_ms FROM journal WHERE key = ?1")?;
        select.query_row([key], |row| row.get(0)).optional()
    })
}

pub(crate) fn retry(shared: &SharedConnection, steps: &[(String, usize)], now_ms: i64) -> Result<usize> {
    let steps = steps.to_vec();
    shared.write(move |db| {
        let due = "UPDATE steps SET state = 'pending', due_ms = ?3, lease_ms = 0
            WHERE key = ?1 AND step = ?2 AND state IN ('pending', 'parked') AND lease_ms <= ?3";
        let mut due = db.prepare_cached(due)?;
        steps.iter().map(|(key, step)| due.execute(params![key, *step as i64, now_ms])).sum()
    })
}

/// The note of a step that an operator has given up.
const DROPPED: &str = "dropped by an operator";

pub(crate) fn give_up(
    shared: &SharedConnection,
    steps: &[(String, usize)],
    now_ms: i64,
) -> Result<Vec<(String, usize)>> {
    let steps = steps.to_vec();
    shared.write(move |db| {
        let mut given_up = Vec::new();
        for (key, step) in &steps {
            // Dropping is not a try.
            let take = "UPDATE steps SET state = 'pending', attempts = attempts - 1
                WHERE key = ?1 AND step = ?2 AND state IN ('pending', 'parked') AND lease_ms <= ?3 RETURNING note";
            let taken = db.prepare_cached(take)?.query_row(params![key, *step as i64, now_ms], |row| row.get(0));
            let Some(last): Option<String> = taken.optional()? else { continue };
            let note = match state_as_written("pending", &last).1 {
                "" => DROPPED.to_owned(),
                last => format!("{DROPPED}; the last try: {last}"),
            };
            settle_step(db, key, *step, &Performed::new(StepEnd::GivenUp, "outbox_dropped", note), now_ms)?;
            finish(db, key)?;
            given_up.push((key.clone(), *step));
        }
        Ok(given_up)
    })
}

pub(crate) fn notifications(shared: &SharedConnection, address: &str) -> Result<Vec<NotificationState>> {
    shared.read(|db| {
        let mut select = db.prepare(&format!(
            "SELECT key, step, {EVENT}, steps.state, at_ms, due_ms, attempts, note
             FROM steps JOIN journal USING (key)
             WHERE steps.address = ?1 ORDER BY at_ms, key, step"
        ))?;
        let notification = |row: &Row<'_>| {
            let (state, note) = as_written(row, 3, 7)?;
            Ok(NotificationState {
                id: format!("{}/{}", row.get::<_, String>(0)?, row.get::<_, i64>(1)?),
                event: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                state,
                at_ms: row.get(4)?,
                due_ms: row.get(5)?,
                attempts: row.get(6)?,
                note,
            })
        };
        select.query_map([address], notification)?.collect()
    })
}

pub(crate) fn failing_steps(shared: &SharedConnection, since_ms: i64) -> Result<u64> {
    let failing_now = format!(
        "SELECT count(*) FROM steps WHERE state = 'pending' AND attempts > 0 AND action <> 'alert' AND NOT {}",
        is_paused()
    );
    const PARKED: &str = "SELECT count(*) FROM steps INDEXED BY steps_failed CROSS JOIN journal USING (key)
        WHERE action = 'notify' AND steps.state IN ('failed', 'parked') AND at_ms >= ?1";
    shared.read(|db| {
        let failing: i64 = db.query_row(&failing_now, [], |row| row.get(0))?;
        let parked: i64 = db.query_row(PARKED, [since_ms], |row| row.get(0))?;
        Ok(failing.saturating_add(parked).max(0) as u64)
    })
}

/// Messages with steps that were parked before a time.
pub(crate) fn parked_before(shared: &SharedConnection, before_ms: i64, most: usize) -> Result<Vec<String>> {
    const OLD: &str = "SELECT DISTINCT key FROM steps JOIN journal USING (key)
        WHERE steps.state = 'parked' AND at_ms < ?1 LIMIT ?2";
    shared.read(|db| {
        db.prepare_cached(OLD)?.query_map(params![before_ms, most as i64], |row| row.get(0))?.collect()
    })
}

/// The note of a step that was parked for too long, before what it said.
const PARKED_LONG: &str = "parked for 90 days: ";

/// The state and the note of a step, in these columns.
fn as_written(row: &Row<'_>, state: usize, note: usize) -> rusqlite::Result<(&'static str, String)> {
    let (state, note) = state_as_written(row.get_ref(state)?.as_str()?, row.get_ref(note)?.as_str()?);
    Ok((state, note.to_owned()))
}

/// What becomes of a step that is given up because nobody has cared for it.
pub(super) fn parked_for_too_long(step: PendingStep) -> PendingStep {
    let note = format!("{PARKED_LONG}{}", step.note);
    PendingStep { state: StepEnd::GivenUp.word().into(), note, ..step }
}

/// Gives up the parked steps of these messages.
pub(crate) fn give_up_parked(db: &Connection, keys: &[String]) -> rusqlite::Result<()> {
    for key in keys {
        let give_up = "UPDATE steps SET state = ?3, note = ?2 || ltrim(note, '!')
            WHERE key = ?1 AND state = 'parked'";
        db.execute(give_up, [key, PARKED_LONG, StepEnd::GivenUp.word()])?;
        finish(db, key)?;
    }
    Ok(())
}
