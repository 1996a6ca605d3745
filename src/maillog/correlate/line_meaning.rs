//! What a line says about its message, for people.
//!
//! Not here: the words (`crate::serve`). Invariant: only what the mail server says in its own
//! fields counts, and never what the other server has answered.

use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::postfix::{AttemptResult, Event, NotificationKind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineMeaning {
    Attempt(AttemptResult),
    /// Decided before the queue, or by an operator.
    Decided(LoggedStatus),
    /// A bounce came back after it was delivered, as far as whoever wrote that says.
    CameBack,
    /// A complaint about it came.
    Complaint,
    /// The sender got a bounce.
    Bounce,
    Removed,
    HandedIn,
    /// On this host.
    Submitted,
    MessageId,
    Queued,
    Other,
}

impl LineMeaning {
    /// Of an attempt that ended like this.
    pub(crate) fn of_status(status: LoggedStatus) -> LineMeaning {
        match status {
            LoggedStatus::Sent => LineMeaning::Attempt(AttemptResult::Sent),
            LoggedStatus::Deferred => LineMeaning::Attempt(AttemptResult::Deferred),
            LoggedStatus::Bounced => LineMeaning::Attempt(AttemptResult::Bounced),
            LoggedStatus::Expired => LineMeaning::Attempt(AttemptResult::Expired),
            decided => LineMeaning::Decided(decided),
        }
    }

    pub(super) fn of(event: &Event<'_>) -> LineMeaning {
        let decided = |status: Option<LoggedStatus>| status.map_or(LineMeaning::Other, LineMeaning::Decided);
        match event {
            Event::Attempt(attempt) => LineMeaning::Attempt(attempt.result),
            Event::SessionDecision(decision) => decided(decision.action.status()),
            Event::HeaderDecision(decision) => decided(decision.action.status()),
            Event::Held => LineMeaning::Decided(LoggedStatus::Held),
            Event::Deleted => LineMeaning::Decided(LoggedStatus::Deleted),
            Event::Expired { .. } => LineMeaning::Attempt(AttemptResult::Expired),
            Event::Notification { kind: NotificationKind::NonDelivery, .. } => LineMeaning::Bounce,
            Event::Removed => LineMeaning::Removed,
            Event::Client(_) | Event::Arrived(_) => LineMeaning::HandedIn,
            Event::Pickup { .. } => LineMeaning::Submitted,
            Event::MessageId(_) => LineMeaning::MessageId,
            Event::TakenUp(_) => LineMeaning::Queued,
            _ => LineMeaning::Other,
        }
    }
}
