//! Counters of bounces: one bounce counts once, whether our log says so, a report, or both.
//!
//! Not here: what makes them the same bounce (`policy/fingerprint`). Invariant: what is not proven
//! counts for itself, so that no forged report keeps the true one from being counted.

use super::report_rows;
use crate::clock::DAY_MS;
use crate::plan::{Action, Plan};
use crate::store::suppressed::Effect;
use crate::store::tally::Tally;
use rusqlite::Connection;

/// The counters of the shipped policy for bounces that are acted on.
const HARD: &str = "bounce_hard";
const SOFT: &str = "bounce_soft";
/// The counter of bounces that were counted before.
const AGAIN: &str = "bounce_again";
/// The log and a report of one bounce come within this time.
const ONCE_MS: i64 = 30 * DAY_MS;

/// The counters that a report of this host moves between, if another host was the first to count
/// it: from, to. `None`: the event is no counter.
pub(super) fn taken_back(event: &str) -> Option<(&'static str, &'static str)> {
    [HARD, SOFT].into_iter().find(|counter| *counter == event).map(|counter| (counter, AGAIN))
}

/// What the plan of the message with this key adds to the counters.
pub(super) fn counted_once(
    db: &Connection,
    plan: &Plan,
    tally: &Tally,
    (key, at_ms): (&str, i64),
) -> rusqlite::Result<Tally> {
    let mut counted = tally.clone();
    for step in &plan.steps {
        let (counter, id, address) = match &step.action {
            Action::Suppress(one) if step.after.is_none() && !one.unproven => {
                (HARD, &one.grounds.bounce, &one.address)
            }
            Action::Strike(one) if one.proven => match &one.bounce {
                Some(bounce) => (SOFT, &bounce.id, &one.address),
                None => continue,
            },
            _ => continue,
        };
        let until_ms = at_ms + ONCE_MS;
        let effect = Effect { event: counter, id, address, key, at_ms, until_ms };
        if !id.is_empty() && !report_rows::is_first(db, &effect)? {
            counted.move_one(counter, AGAIN);
        }
    }
    Ok(counted)
}
