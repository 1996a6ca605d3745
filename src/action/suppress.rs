//! Suppressing an address: it gets no more mail of a sender domain, for some days or for good.
//!
//! Not here: the decision to do so (policies, and `strike`), what proves a report (`policy/proof`),
//! and the list itself (`crate::suppress`). Invariant: what is not proven suppresses nobody.

use super::doors::Doors;
use super::own_failure::retry_own_failure;
use crate::clock::DAY_MS;
use crate::mail::Mail;
use crate::plan::{Grounds, StepEnd, Suppression};
use crate::store::{Performed, ReportedEntry, Suppressed};

/// How the step ends if nothing proves that the report is about the address.
pub(super) fn unproven(suppression: &Suppression) -> Option<Performed> {
    suppression.unproven.then(|| {
        let note = format!("{} not suppressed: nothing proves the report", suppression.address);
        Performed::new(StepEnd::Noted, "suppress_unproven", note)
    })
}

pub(crate) fn suppress(suppression: &Suppression, mail: &Mail, doors: &Doors, attempts: u32) -> Performed {
    if let Some(refused) = unproven(suppression) {
        return refused;
    }
    let entry = entry(suppression, mail.key.text(), mail.at_ms);
    match doors.store.suppress(&entry) {
        Ok(became) => ended(&entry, became),
        Err(error) => retry_own_failure(mail, attempts, format!("not suppressed: {error}")),
    }
}

/// The entry that a report with this key makes, which came at this time.
pub(super) fn entry(suppression: &Suppression, key: &str, at_ms: i64) -> Suppressed {
    let Suppression { address, sender_domain, reason, days, unproven: _, grounds } = suppression;
    Suppressed {
        address: address.clone(),
        sender_domain: sender_domain.clone(),
        reason: reason.clone(),
        source: "report".into(),
        added_ms: at_ms,
        expires_ms: (*days > 0).then(|| at_ms + i64::from(*days) * DAY_MS),
        grounds: Grounds { key: key.to_owned(), ..grounds.clone() },
    }
}

/// How the step ends.
pub(super) fn ended(entry: &Suppressed, became: ReportedEntry) -> Performed {
    let Suppressed { address, reason, .. } = entry;
    let (end, counter, note) = match became {
        ReportedEntry::Written => {
            (StepEnd::Succeeded, "suppressed", format!("{address} suppressed: {reason}"))
        }
        ReportedEntry::Known => {
            let note = format!("{address} stays suppressed: the same failure suppressed it before");
            (StepEnd::Succeeded, "suppressed_before", note)
        }
        ReportedEntry::Removed => {
            let note = format!("{address} stays off the list: an operator removed it after the same failure");
            (StepEnd::Noted, "suppressed_before", note)
        }
    };
    Performed::new(end, counter, note)
}
