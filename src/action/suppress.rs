//! Suppressing an address: it gets no more mail of a sender domain, for some days or for good.
//!
//! Not here: the decision to do so (policies, and `strike`), and the list itself
//! (`crate::suppress`).

use super::doors::Doors;
use super::own_failure::retry_own_failure;
use crate::clock::DAY_MS;
use crate::mail::Mail;
use crate::plan::{Grounds, StepEnd, Suppression};
use crate::store::{Performed, Suppressed};

pub(crate) fn suppress(suppression: &Suppression, mail: &Mail, doors: &Doors, attempts: u32) -> Performed {
    let grounds = Grounds { key: mail.key.text().to_owned(), ..suppression.grounds.clone() };
    let entry = Suppressed {
        address: suppression.address.clone(),
        sender_domain: suppression.sender_domain.clone(),
        reason: suppression.reason.clone(),
        source: "report".into(),
        added_ms: mail.at_ms,
        expires_ms: (suppression.days > 0).then(|| mail.at_ms + i64::from(suppression.days) * DAY_MS),
        grounds,
    };
    match doors.store.suppress(&entry) {
        Ok(true) => {
            let note = format!("{} suppressed: {}", entry.address, entry.reason);
            Performed::new(StepEnd::Succeeded, "suppressed", note)
        }
        Ok(false) => {
            let note = format!("{} was suppressed before for the same failure", entry.address);
            Performed::new(StepEnd::Succeeded, "suppressed_before", note)
        }
        Err(error) => retry_own_failure(mail, attempts, format!("!not suppressed: {error}")),
    }
}
