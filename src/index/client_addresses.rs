//! To which addresses each client has sent: grouped by SQLite, so that it costs no memory here.
//!
//! Not here: how answers look (`crate::serve`). Invariant: only what may be seen is counted.

use super::Index;
use super::seen::Seen;
use crate::error::Result;
use rusqlite::params_from_iter;
use std::ops::ControlFlow;

/// Deliveries that ended at a mail server, or are still tried.
const WHERE: &str = "WHERE client_id IS NOT NULL AND status IN ('sent', 'deferred', 'bounced', 'expired')";

impl Index {
    /// Each client, with the number of addresses that it has sent to.
    pub(crate) fn address_counts(&self, seen: &Seen) -> Result<Vec<(String, u64)>> {
        let (wanted, values) = wanted(seen);
        let sql = format!(
            "SELECT client_id, count(DISTINCT coalesce(recipient, '')) FROM deliveries {wanted}
             GROUP BY client_id"
        );
        let mut select = self.checked(self.connection.prepare_cached(&sql))?;
        let count = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
        let rows = self.checked(select.query_map(params_from_iter(values), count))?;
        self.checked(rows.collect())
    }

    /// Gives `each` the addresses of each client, sorted, until it breaks off.
    pub(crate) fn each_address(
        &self,
        seen: &Seen,
        mut each: impl FnMut(&str, &str) -> ControlFlow<()>,
    ) -> Result<()> {
        let (wanted, values) = wanted(seen);
        let sql = format!(
            "SELECT DISTINCT client_id, coalesce(recipient, '') FROM deliveries {wanted} ORDER BY 1, 2"
        );
        let mut select = self.checked(self.connection.prepare_cached(&sql))?;
        let mut rows = self.checked(select.query(params_from_iter(values)))?;
        while let Some(row) = self.checked(rows.next())? {
            let (client, address): (String, String) = (self.checked(row.get(0))?, self.checked(row.get(1))?);
            if each(&client, &address).is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn wanted(seen: &Seen) -> (String, Vec<rusqlite::types::Value>) {
    let mut values = Vec::new();
    let seen = seen.condition("", &mut values).map(|seen| format!(" AND {seen}")).unwrap_or_default();
    (format!("{WHERE}{seen}"), values)
}
