//! KumoMTA's log: segments of JSON Lines, one record for each attempt.
//!
//! Written after its documents; carom's makers have not run it. Not here: finding and decompressing
//! segments (`tail`). Invariant: as for other logs, the same records give the same deliveries, ids
//! and sums, however they are divided among ticks.

mod log_record;
mod record_state;
mod record_delivery;
mod record_log;
mod record_search;

pub(crate) use record_log::RecordLog;
pub(crate) use record_search::RecordSearch;
pub(crate) use record_state::RecordState;
