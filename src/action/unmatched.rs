//! Keeping a complaint that matches nobody: in the archive, to be found by each id of the message
//! that it is about, and noted in the store. The step succeeds for the first of several that are
//! the same.
//!
//! Not here: matching it (`policy/complaint_facts`), and the files (`archive`). Invariant: a
//! complaint that comes again is kept again, as it may be worded otherwise, and counts once.

use super::doors::Doors;
use super::own_failure::retry_own_failure;
use crate::archive::{UNMATCHED, kept_by_reason};
use crate::clock::DAY_MS;
use crate::error::Result;
use crate::mail::Mail;
use crate::plan::{StepEnd, Unmatched};
use crate::store::{Effect, Performed};

/// How long the same complaint counts once.
const ONCE_MS: i64 = 30 * DAY_MS;
/// Ids that a complaint can be found by, at most.
const MAX_IDS: usize = 5;

pub(crate) fn keep(unmatched: &Unmatched, mail: &Mail, doors: &Doors, attempts: u32) -> Performed {
    match kept(unmatched, mail, doors) {
        Ok(true) => {
            let note =
                format!("{} complaint matches nobody; see carom find {UNMATCHED}", unmatched.feedback_type);
            Performed::new(StepEnd::Succeeded, "report_kept", note)
        }
        Ok(false) => Performed::new(StepEnd::Noted, "complaint_known", "this complaint came before".into()),
        Err(error) => retry_own_failure(mail, attempts, format!("not kept: {error}")),
    }
}

fn kept(unmatched: &Unmatched, mail: &Mail, doors: &Doors) -> Result<bool> {
    let ids = &unmatched.found_by[..unmatched.found_by.len().min(MAX_IDS)];
    kept_by_reason::keep_unmatched(&doors.config, mail, ids)?;
    doors.store.put_unmatched(unmatched, mail.at_ms)?;
    let (id, key, at_ms) = (unmatched.id.as_str(), mail.key.text(), mail.at_ms);
    let until_ms = at_ms + ONCE_MS;
    doors.store.take_effect(&Effect { event: "unmatched", id, address: "", key, at_ms, until_ms })
}
