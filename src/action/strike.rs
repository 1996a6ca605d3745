//! A strike: one soft bounce of an address, counted. THE THRESHOLD IS APPLIED HERE: the step
//! succeeds once the address has reached it, and the plan suppresses the address after that.
//!
//! Not here: the threshold and the window, which the policy chooses (`policies/bounce`), and what
//! counts as one bounce (`store/sqlite/strike_rows`). Invariant: an unproven report never makes the
//! step succeed, however many came before; of soft bounces that come together, one reaches the
//! threshold.

use super::doors::Doors;
use super::own_failure::retry_own_failure;
use crate::mail::Mail;
use crate::plan::{StepEnd, Strike};
use crate::store::{Performed, SoftBounce, StrikeCount};

pub(crate) fn count(strike: &Strike, mail: &Mail, doors: &Doors, attempts: u32) -> Performed {
    match doors.store.strike(&soft_bounce(strike, mail.key.text(), mail.at_ms)) {
        Ok(counted) => ended(strike, counted),
        Err(error) => retry_own_failure(mail, attempts, format!("not counted: {error}")),
    }
}

/// What the store counts, of a report with this key that came at this time.
pub(super) fn soft_bounce<'a>(strike: &'a Strike, key: &'a str, at_ms: i64) -> SoftBounce<'a> {
    SoftBounce {
        address: &strike.address,
        sender_domain: &strike.sender_domain,
        key,
        threshold: strike.threshold,
        window: strike.window,
        proven: strike.proven,
        at_ms,
        bounce: strike.bounce.as_ref(),
    }
}

/// How the step ends with this count.
pub(super) fn ended(strike: &Strike, counted: StrikeCount) -> Performed {
    let Strike { address, sender_domain, threshold, .. } = strike;
    if counted.known {
        let note = format!("this soft bounce of {address} was counted before");
        return Performed::new(StepEnd::Noted, "soft_bounce_known", note);
    }
    if !strike.proven {
        let note = format!("unproven soft bounce of {address}, which suppresses nobody");
        return Performed::new(StepEnd::Noted, "soft_bounce", note);
    }
    let count = counted.count;
    let note = format!("{sender_domain} soft bounces of {address}, {count} of {threshold}");
    if counted.reached_before {
        let note = format!("{note}; the address is suppressed already");
        return Performed::new(StepEnd::Noted, "soft_bounce", note);
    }
    match count >= *threshold {
        true => Performed::new(StepEnd::Succeeded, "soft_bounce_threshold", note),
        false => Performed::new(StepEnd::Noted, "soft_bounce", note),
    }
}
