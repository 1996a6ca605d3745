//! A redelivery is answered with the verdict that was promised, not with a second decision.
//!
//! Not here: recognizing one (`journal`). Invariant: what the first delivery promised is done once,
//! whatever a policy would decide now.

use crate::action::Doors;
use crate::deadline::Deadline;
use crate::journal;
use crate::mail::Mail;
use crate::message_log::MessageLog;
use crate::plan::Verdict;
use crate::store::{OnRecord, Standing, Store};
use std::time::Duration;

/// Time for records that are not in the store yet.
const FOLDING: Duration = Duration::from_secs(5);

/// What an earlier delivery left on record, for a message that cannot be decided now. A message
/// that can is recognized when its promise is written, which costs nothing more.
pub(crate) fn earlier(log: &MessageLog, store: &Store, mail: &Mail, deadline: Deadline) -> Option<OnRecord> {
    if !store.exists() {
        return None;
    }
    if let Err(error) = log.fold(store, deadline.within(FOLDING)) {
        tracing::warn!(%error, "a record of an earlier delivery may be overlooked");
    }
    on_record(store, mail)
}

/// Whether an earlier delivery is on record in the store.
pub(crate) fn is_promised(store: &Store, mail: &Mail) -> bool {
    on_record(store, mail).is_some()
}

fn on_record(store: &Store, mail: &Mail) -> Option<OnRecord> {
    journal::earlier_delivery(store, mail).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot look up whether the message was delivered before");
        None
    })
}

/// Does what is left of the earlier delivery; returns its verdict. `now` is the verdict for rows of
/// older releases, which have none. `promised` hears the verdict first.
pub(crate) fn answer(
    doors: &Doors,
    mail: &Mail,
    earlier: OnRecord,
    now: Verdict,
    deadline: Deadline,
    promised: &dyn Fn(&Verdict),
) -> Verdict {
    let verdict = earlier.verdict.unwrap_or(now);
    promised(&verdict);
    if let Standing::Open { .. } = earlier.standing {
        let key = mail.key.text();
        if let Err(error) = journal::run_one(doors, key, deadline) {
            tracing::warn!(%error, key, "the next tick does the remaining steps");
        }
    }
    verdict
}
