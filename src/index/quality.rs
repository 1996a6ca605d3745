//! How well lines became deliveries: what is missing in the newest ones.
//!
//! Invariant: a bounded number of rows is read.

use super::Index;
use crate::error::Result;
use serde::Serialize;

/// Deliveries that are looked at.
const NEWEST: i64 = 10_000;

/// The newest queued deliveries, and what is not known of them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct DeliveryQuality {
    pub(crate) deliveries: u64,
    pub(crate) without_sender: u64,
    pub(crate) without_message_id: u64,
}

impl DeliveryQuality {
    /// The share that the lines of one message came together for; `None`: there are none.
    pub(crate) fn correlation_rate(&self) -> Option<f64> {
        let whole = self.deliveries.saturating_sub(self.without_sender);
        (self.deliveries > 0).then(|| whole as f64 / self.deliveries as f64)
    }
}

impl Index {
    pub(crate) fn quality(&self) -> Result<DeliveryQuality> {
        let sql =
            "SELECT count(*), coalesce(sum(sender IS NULL), 0), coalesce(sum(message_id IS NULL), 0) FROM
            (SELECT sender, message_id, status FROM deliveries ORDER BY last_seen DESC LIMIT ?1)
            WHERE status <> 'rejected'";
        let found = self.connection.prepare_cached(sql).and_then(|mut select| {
            select.query_row([NEWEST], |row| {
                let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                Ok(DeliveryQuality {
                    deliveries: count(0)?,
                    without_sender: count(1)?,
                    without_message_id: count(2)?,
                })
            })
        });
        self.checked(found)
    }
}
