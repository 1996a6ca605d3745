//! Soft bounces of several hosts that reach a threshold together.
//!
//! Each host has counted what it knew of. The host of the newest bounce, by the clock that hosts
//! share, goes on with the plan of that report, as if it had known the others. Not here: the
//! threshold (`action/strike`), and hosts that reach it each alone (`reached_thresholds`).
//! Invariant: of the hosts that know the same bounces, one goes on.

use super::shared_ranks::STRIKE_RANK;
use super::{counter_rows, reached_thresholds};
use crate::clock::{self, DAY_MS};
use crate::plan::{Action, Plan, Strike};
use crate::store::suppressed::SoftBounce;
use rusqlite::{Connection, OptionalExtension, params};

/// The counters of soft bounces below the threshold, and of those that reached it.
pub(super) const BELOW: &str = "soft_bounce";
pub(super) const REACHED: &str = "soft_bounce_threshold";

/// Goes on with the plan of the newest soft bounce of an address and a sender domain, if it is of
/// this host, ended below the threshold, and all bounces that are known now reach it. One of
/// another host has come: its rank, and what names it.
pub(super) fn reached_together(
    db: &Connection,
    [address, sender_domain]: [&str; 2],
    came: (i64, &str),
) -> rusqlite::Result<()> {
    let newest = format!(
        "SELECT key, at_ms, {STRIKE_RANK} AS rank, coalesce(bounce, key) AS what FROM strikes
         WHERE address = ?1 AND sender_domain = ?2 AND proven AND what <> ?3 ORDER BY rank DESC, what DESC LIMIT 1"
    );
    let newest: Option<(String, i64, i64, String)> = db
        .prepare_cached(&newest)?
        .query_row([address, sender_domain, came.1], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .optional()?;
    let newest = newest.filter(|(.., rank, what)| (*rank, what.as_str()) > came);
    let Some((key, at_ms, ..)) = newest else { return Ok(()) };
    let suppressed =
        "SELECT 1 FROM suppressions WHERE address = ?1 AND sender_domain = ?2 AND soft_bounces > 0";
    if db.prepare_cached(suppressed)?.exists([address, sender_domain])? {
        return Ok(());
    }
    let Some((step, strike)) = counted_step(db, &key, address, sender_domain)? else { return Ok(()) };
    let from_ms = at_ms - i64::from(strike.window) * DAY_MS;
    let count =
        "SELECT count(*) FROM strikes WHERE address = ?1 AND sender_domain = ?2 AND at_ms > ?3 AND proven";
    let count: u32 =
        db.prepare_cached(count)?.query_row(params![address, sender_domain, from_ms], |row| row.get(0))?;
    if count < strike.threshold {
        return Ok(());
    }
    let Strike { threshold, window, proven, bounce, .. } = &strike;
    let (threshold, window, proven, bounce) = (*threshold, *window, *proven, bounce.as_ref());
    let reached = SoftBounce { address, sender_domain, key: &key, threshold, window, proven, at_ms, bounce };
    reached_thresholds::note(db, &reached)?;
    let note =
        format!("{sender_domain} soft bounces of {address} on all hosts, {count} of {}", strike.threshold);
    db.prepare_cached("UPDATE steps SET state = 'succeeded', note = ?3 WHERE key = ?1 AND step = ?2")?
        .execute(params![key, step, note])?;
    counter_rows::move_one(db, BELOW, REACHED)?;
    let go_on =
        "UPDATE steps SET state = 'pending', due_ms = ?2 WHERE key = ?1 AND state = 'skipped' AND EXISTS (
        SELECT 1 FROM steps AS earlier WHERE earlier.key = ?1 AND earlier.step = steps.after AND
        ((earlier.state = 'succeeded' AND steps.outcome <> 'failed') OR earlier.state = 'pending'))";
    while db.prepare_cached(go_on)?.execute(params![key, clock::now_ms()])? > 0 {}
    let open = "UPDATE journal SET state = 'open', message = coalesce(message, x'') WHERE key = ?1";
    db.prepare_cached(open)?.execute([&key]).map(drop)
}

/// Whether the soft bounce with this id has reached the threshold in a report of this host.
pub(super) fn has_reached(db: &Connection, key: &str, id: &str) -> rusqlite::Result<bool> {
    let is_it = |strike: &Strike| strike.bounce.as_ref().is_some_and(|bounce| bounce.id == id);
    Ok(strike_step(db, key, "succeeded", is_it)?.is_some())
}

/// The step of a report of this host that counted its soft bounce, without reaching the threshold.
fn counted_step(
    db: &Connection,
    key: &str,
    address: &str,
    sender_domain: &str,
) -> rusqlite::Result<Option<(i64, Strike)>> {
    let is_it = |strike: &Strike| strike.address == address && strike.sender_domain == sender_domain;
    strike_step(db, key, "noted", is_it)
}

/// The step of a report that counts such a soft bounce, if it ended in this state.
fn strike_step(
    db: &Connection,
    key: &str,
    state: &str,
    is_it: impl Fn(&Strike) -> bool,
) -> rusqlite::Result<Option<(i64, Strike)>> {
    let plan: Option<Option<String>> = db
        .prepare_cached("SELECT plan FROM journal WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    let plan = plan.flatten().and_then(|plan| serde_json::from_str::<Plan>(&plan).ok());
    for (number, step) in plan.into_iter().flat_map(|plan| plan.steps).enumerate() {
        let Action::Strike(strike) = step.action else { continue };
        let ended = "SELECT 1 FROM steps WHERE key = ?1 AND step = ?2 AND state = ?3";
        let number = number as i64;
        if is_it(&strike) && db.prepare_cached(ended)?.exists(params![key, number, state])? {
            return Ok(Some((number, strike)));
        }
    }
    Ok(None)
}
