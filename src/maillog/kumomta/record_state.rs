//! What is known between records: deferred deliveries, and the last refusals.
//!
//! Plain data, stored between ticks. Not here: what changes it (`record_delivery`). Invariant: it
//! is bounded.

use crate::maillog::deferred_deliveries::DeferredDeliveries;
use crate::maillog::recent_ids::RecentIds;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RecordState {
    pub(super) deferred: DeferredDeliveries,
    /// Ids of the last refusals.
    pub(super) recent: RecentIds,
    pub(super) newest_ms: i64,
}

/// When a record was written, and when its message came in; milliseconds since 1970.
#[derive(Clone, Copy)]
pub(crate) struct RecordTimes {
    pub(crate) at_ms: i64,
    pub(crate) created_ms: i64,
}
