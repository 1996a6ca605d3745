//! Counters of bounces: one bounce counts once, whether our log says so, a report, or both, and on
//! however many hosts that share.
//!
//! Not here: what makes them the same bounce (`policy/fingerprint`). Invariant: what is not proven
//! counts for itself, so that no forged report keeps the true one from being counted.

use super::reached_thresholds::CLAIM;
use super::strike_threshold::{BELOW, REACHED, has_reached};
use super::{counter_rows, report_rows};
use crate::clock::DAY_MS;
use crate::mailbox_syntax::{in_a_labels, without_needless_quotes};
use crate::plan::{Action, Grounds, Plan};
use crate::store::suppressed::{Effect, Suppressed};
use crate::store::tally::Tally;
use rusqlite::{Connection, params};

/// The counters of the shipped policy for bounces that are acted on.
const HARD: &str = "bounce_hard";
const SOFT: &str = "bounce_soft";
/// The counter of bounces that were counted before.
const AGAIN: &str = "bounce_again";
/// The counters of entries of the list: made, and made before.
pub(super) const SUPPRESSED: &str = "suppressed";
const SUPPRESSED_BEFORE: &str = "suppressed_before";
/// The claim of a soft bounce, and the counter of those that were counted before.
pub(super) const SOFT_BOUNCE: &str = "soft-bounce";
const SOFT_BOUNCE_KNOWN: &str = "soft_bounce_known";
/// The log and a report of one bounce come within this time.
const ONCE_MS: i64 = 30 * DAY_MS;

/// A claim of this host on a report that another host was the first to claim.
pub(super) struct LostClaim<'a> {
    pub(super) event: &'a str,
    pub(super) id: &'a str,
    /// The report, or what bounced, and the address that it is about.
    pub(super) key: &'a str,
    pub(super) address: &'a str,
}

impl LostClaim<'_> {
    /// What the report has counted counts as known.
    pub(super) fn take_back(&self, db: &Connection) -> rusqlite::Result<()> {
        match self.event {
            HARD | SOFT => counter_rows::move_one(db, self.event, AGAIN)?,
            SOFT_BOUNCE => {
                let counted = if has_reached(db, self.key, self.id)? { REACHED } else { BELOW };
                counter_rows::move_one(db, counted, SOFT_BOUNCE_KNOWN)?;
            }
            CLAIM => counter_rows::move_one(db, REACHED, BELOW)?,
            _ => {}
        }
        // A soft bounce has two claims.
        if matches!(self.event, HARD | SOFT_BOUNCE | SUPPRESSED | CLAIM) && self.has_suppressed(db)? {
            counter_rows::move_one(db, SUPPRESSED, SUPPRESSED_BEFORE)?;
        }
        Ok(())
    }

    /// Whether the report has made an entry of the list.
    fn has_suppressed(&self, db: &Connection) -> rusqlite::Result<bool> {
        const MADE: &str = "SELECT 1 FROM suppressions WHERE address = ?1 AND source = 'report' AND ?2 IN (key, bounce)
            UNION ALL SELECT 1 FROM earlier_suppressions WHERE address = ?1 AND source = 'report' AND ?2 IN (key, bounce)";
        let address = in_a_labels(self.address);
        db.prepare_cached(MADE)?.exists([&*without_needless_quotes(&address), self.key])
    }
}

/// Whether no other host was the first to claim the report that has made an entry.
pub(super) fn is_first_entry(db: &Connection, entry: &Suppressed) -> rusqlite::Result<bool> {
    const IS_SHARED: &str = "SELECT is_on FROM shared_self";
    const CLAIMED: &str = "SELECT key FROM reported WHERE event IN ('bounce_hard', 'soft-bounce') AND id = ?1
        UNION ALL SELECT key FROM reported WHERE event = 'suppressed' AND id = ?2";
    let Grounds { bounce, key, .. } = &entry.grounds;
    if bounce.is_empty() || !db.prepare_cached(IS_SHARED)?.query_row([], |row| row.get::<_, bool>(0))? {
        return Ok(true);
    }
    let mut claimed = db.prepare_cached(CLAIMED)?;
    let keys = claimed.query_map([bounce, &of_reason(bounce, &entry.reason)], |row| row.get(0))?;
    let keys = keys.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(keys.is_empty() || keys.contains(key))
}

/// Whether an operator has taken the address off the list since the failure of this entry.
pub(super) fn is_removed(db: &Connection, entry: &Suppressed) -> rusqlite::Result<bool> {
    const HELD: &str = "SELECT 1 FROM reported WHERE event = ?1 AND id = ?2 AND until_ms > ?3";
    let Suppressed { reason, grounds, added_ms, .. } = entry;
    let failure = || of_reason(&grounds.bounce, reason);
    Ok(!grounds.bounce.is_empty()
        && db.prepare_cached(HELD)?.exists(params![report_rows::REMOVED, failure(), added_ms])?)
}

/// What is claimed of a report that suppresses, and is no hard bounce: a complaint about a message
/// that bounced is another report.
pub(super) fn of_reason(bounce: &str, reason: &str) -> String {
    format!("{bounce} {reason}")
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
        let (event, id, address) = match &step.action {
            Action::Suppress(one) if step.after.is_none() && !one.unproven => {
                let bounce = &one.grounds.bounce;
                match counted.has(HARD) || bounce.is_empty() {
                    true => (HARD, bounce.clone(), &one.address),
                    false => (SUPPRESSED, of_reason(bounce, &one.reason), &one.address),
                }
            }
            Action::Strike(one) if one.proven => match &one.bounce {
                Some(bounce) => (SOFT, bounce.id.clone(), &one.address),
                None => continue,
            },
            _ => continue,
        };
        let until_ms = at_ms + ONCE_MS;
        let effect = Effect { event, id: &id, address, key, at_ms, until_ms };
        if !id.is_empty() && !report_rows::is_first(db, &effect)? && event != SUPPRESSED {
            counted.move_one(event, AGAIN);
        }
    }
    Ok(counted)
}
