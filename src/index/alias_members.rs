//! Whether mail for an address that stands for others reached none of them.
//!
//! Not here: what is done about a failure (`crate::log_failures`). Invariant: doubt says no: where
//! one of the deliveries may be missing, or may have gone on elsewhere, the address is not dead.

use super::Index;
use super::pending_failures::list;
use crate::error::Result;
use rustc_hash::FxHashSet;

/// Recipients of a message whose deliveries are read. The rows of one message are neighbours.
const MOST: u32 = 100;

impl Index {
    /// Those of these rows of which every delivery of the message that came of the same address has
    /// failed, and all of the message have been tried. Only Postfix counts recipients after
    /// aliases, and only Postfix logs delays.
    pub(crate) fn whole_aliases_failed(&self, rows: &[i64]) -> Result<FxHashSet<i64>> {
        let sql = format!(
            "SELECT failed.id FROM json_each(?1) AS asked CROSS JOIN deliveries AS failed ON failed.id = asked.value
            WHERE failed.nrcpt <= {MOST} AND failed.delays IS NOT NULL AND failed.parent IS NULL AND
                (SELECT count(*) >= failed.nrcpt AND NOT total(
                    one.original_recipient = failed.original_recipient AND one.status NOT IN ('bounced', 'expired'))
                FROM deliveries AS one WHERE one.id BETWEEN failed.id - failed.nrcpt AND failed.id + failed.nrcpt
                    AND one.queue_id = failed.queue_id AND one.host IS failed.host)"
        );
        let failed = (|| {
            let mut select = self.connection.prepare_cached(&sql)?;
            select.query_map([list(rows)], |row| row.get(0))?.collect()
        })();
        self.checked(failed)
    }
}
