//! A strike: one soft bounce of an address, counted. THE THRESHOLD IS APPLIED HERE: the step
//! succeeds once the address has reached it, and the plan suppresses the address after that.
//!
//! Not here: the threshold and the window, which the policy chooses (`policies/bounce`), and what
//! counts as one bounce (`store/sqlite/suppression_rows`).

use super::doors::Doors;
use super::own_failure::retry_own_failure;
use crate::mail::Mail;
use crate::plan::{StepEnd, Strike};
use crate::store::{Performed, SoftBounce, StrikeCount};

pub(crate) fn count(strike: &Strike, mail: &Mail, doors: &Doors, attempts: u32) -> Performed {
    let Strike { address, sender_domain, threshold, .. } = strike;
    let bounce = SoftBounce {
        address,
        sender_domain,
        key: mail.key.text(),
        window: strike.window,
        proven: strike.proven,
        at_ms: mail.at_ms,
        bounce: strike.bounce.as_ref(),
    };
    match doors.store.strike(&bounce) {
        Ok(StrikeCount { known: true, .. }) => {
            let note = format!("this soft bounce of {address} was counted before");
            Performed::new(StepEnd::Failed, "soft_bounce_known", note)
        }
        Ok(StrikeCount { count, .. }) => {
            let note = format!("{sender_domain} soft bounces of {address}, {count} of {threshold}");
            match count >= *threshold {
                true => Performed::new(StepEnd::Succeeded, "soft_bounce_threshold", note),
                false => Performed::new(StepEnd::Failed, "soft_bounce", note),
            }
        }
        Err(error) => retry_own_failure(mail, attempts, format!("!not counted: {error}")),
    }
}
