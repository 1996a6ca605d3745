//! Whether mail for an address that stands for others reached none of them.
//!
//! Not here: what is done about a failure (`crate::log_failures`). Invariant: doubt says no: where
//! one of the deliveries may be missing, or may have gone on elsewhere, the address is not dead.

use super::Index;
use crate::error::Result;

/// Recipients of a message whose deliveries are read. The rows of one message are neighbours.
const MOST: u32 = 100;

impl Index {
    /// Whether every delivery of a message that came of the same address as this one has failed,
    /// and all of the message have been tried. Only Postfix counts recipients after aliases, and
    /// only Postfix logs delays.
    pub(crate) fn whole_alias_failed(&self, row: i64) -> Result<bool> {
        let sql = format!(
            "SELECT count(*) >= failed.nrcpt AND NOT total(
                one.original_recipient = failed.original_recipient AND one.status NOT IN ('bounced', 'expired'))
            FROM deliveries AS failed CROSS JOIN deliveries AS one
                ON one.id BETWEEN failed.id - failed.nrcpt AND failed.id + failed.nrcpt
                AND one.queue_id = failed.queue_id AND one.host IS failed.host
            WHERE failed.id = ?1 AND failed.nrcpt <= {MOST} AND failed.delays IS NOT NULL AND failed.parent IS NULL"
        );
        let failed = self.connection.prepare_cached(&sql);
        let failed =
            failed.and_then(|mut select| select.query_row([row], |row| row.get::<_, Option<bool>>(0)));
        self.checked(failed).map(|failed| failed == Some(true))
    }
}
