//! A redelivery is answered with the verdict that was promised, not with a second decision.
//!
//! Not here: recognizing one without a queue id (`intake/unanswered`). Invariant: what the first
//! delivery promised is done once, whatever a policy would decide now.

use crate::action::Doors;
use crate::deadline::Deadline;
use crate::journal;
use crate::mail::Mail;
use crate::message_log::MessageLog;
use crate::store::{DueSteps, OnRecord, Standing, Store};
use std::time::Duration;

/// Time for records that are not in the store yet.
const FOLDING: Duration = Duration::from_secs(5);

/// What an earlier delivery left on record, for a message that cannot be decided now. A message
/// that can is recognized when its promise is written, which costs nothing more.
pub(crate) fn earlier(log: &MessageLog, store: &Store, mail: &Mail, deadline: Deadline) -> Option<OnRecord> {
    if mail.key.is_new() || !store.exists() {
        return None;
    }
    if let Err(error) = log.fold(store, deadline.within(FOLDING)) {
        tracing::warn!(%error, "a record of an earlier delivery may be overlooked");
    }
    on_record(store, mail)
}

/// Whether an earlier delivery is on record in the store.
pub(crate) fn is_promised(store: &Store, mail: &Mail) -> bool {
    !mail.key.is_new() && on_record(store, mail).is_some()
}

fn on_record(store: &Store, mail: &Mail) -> Option<OnRecord> {
    store.on_record(mail.key.text()).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot look up whether the message was delivered before");
        None
    })
}

/// Takes what is left of the earlier delivery, with everything needed to do it. `None`: nothing can
/// be done now, or another process does it.
pub(crate) fn resume(doors: &Doors, mail: &Mail, earlier: &OnRecord) -> Option<DueSteps> {
    let Standing::Open = earlier.standing else { return None };
    let key = mail.key.text();
    journal::claim_one(doors, key).unwrap_or_else(|error| {
        tracing::warn!(%error, key, "the next tick does the remaining steps");
        None
    })
}

/// Makes sure that what is left of the earlier delivery needs the source of the message no more.
/// Returns whether that is so.
pub(crate) fn needs_no_source(store: &Store, mail: &Mail, earlier: &OnRecord) -> bool {
    let Standing::Open = earlier.standing else { return true };
    let key = mail.key.text();
    store
        .take_source(key, mail.raw())
        .inspect_err(|error| tracing::error!(%error, key, "the source of the message is kept"))
        .is_ok()
}
