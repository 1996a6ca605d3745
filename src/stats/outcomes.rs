//! What became of deliveries, counted by status.
//!
//! Not here: the status of one delivery (`maillog`).

use crate::maillog::LoggedStatus;
use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Outcomes {
    pub(crate) sent: u64,
    pub(crate) bounced: u64,
    /// Still waiting for another try.
    pub(crate) deferred: u64,
    pub(crate) expired: u64,
    /// Refused in the session; never queued.
    pub(crate) rejected: u64,
    pub(crate) held: u64,
    pub(crate) deleted: u64,
    pub(crate) discarded: u64,
}

/// Every status that counts, in the order of columns and charts. What goes on under another queue
/// id counts there.
pub(crate) const STATUSES: [LoggedStatus; 8] = [
    LoggedStatus::Sent,
    LoggedStatus::Deferred,
    LoggedStatus::Bounced,
    LoggedStatus::Expired,
    LoggedStatus::Rejected,
    LoggedStatus::Held,
    LoggedStatus::Deleted,
    LoggedStatus::Discarded,
];

impl Outcomes {
    /// One delivery of this status.
    pub(crate) fn of_status(status: LoggedStatus) -> Outcomes {
        let mut one = Outcomes::default();
        let count = match status {
            LoggedStatus::Sent => &mut one.sent,
            LoggedStatus::Bounced => &mut one.bounced,
            LoggedStatus::Deferred => &mut one.deferred,
            LoggedStatus::Expired => &mut one.expired,
            LoggedStatus::Rejected => &mut one.rejected,
            LoggedStatus::Held => &mut one.held,
            LoggedStatus::Deleted => &mut one.deleted,
            LoggedStatus::Discarded => &mut one.discarded,
            LoggedStatus::Forwarded => return one,
        };
        *count = 1;
        one
    }

    pub(crate) fn of(&self, status: LoggedStatus) -> u64 {
        match status {
            LoggedStatus::Sent => self.sent,
            LoggedStatus::Bounced => self.bounced,
            LoggedStatus::Deferred => self.deferred,
            LoggedStatus::Expired => self.expired,
            LoggedStatus::Rejected => self.rejected,
            LoggedStatus::Held => self.held,
            LoggedStatus::Deleted => self.deleted,
            LoggedStatus::Discarded => self.discarded,
            LoggedStatus::Forwarded => 0,
        }
    }

    pub(crate) fn without(self, part: Outcomes) -> Outcomes {
        Outcomes {
            sent: self.sent.saturating_sub(part.sent),
            bounced: self.bounced.saturating_sub(part.bounced),
            deferred: self.deferred.saturating_sub(part.deferred),
            expired: self.expired.saturating_sub(part.expired),
            rejected: self.rejected.saturating_sub(part.rejected),
            held: self.held.saturating_sub(part.held),
            deleted: self.deleted.saturating_sub(part.deleted),
            discarded: self.discarded.saturating_sub(part.discarded),
        }
    }

    pub(crate) fn total(&self) -> u64 {
        STATUSES.iter().fold(0, |sum, status| sum.saturating_add(self.of(*status)))
    }

    /// Queued deliveries that came to an end: sent, bounced or expired.
    pub(crate) fn concluded(&self) -> u64 {
        self.sent.saturating_add(self.bounced).saturating_add(self.expired)
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Outcomes) {
        self.sent += other.sent;
        self.bounced += other.bounced;
        self.deferred += other.deferred;
        self.expired += other.expired;
        self.rejected += other.rejected;
        self.held += other.held;
        self.deleted += other.deleted;
        self.discarded += other.discarded;
    }
}
