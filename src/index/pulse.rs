//! Whether the logs go on, and how much waits.

use super::Index;
use super::counted::not_alerts;
use crate::error::Result;

impl Index {
    /// The logs, and when something was last read of each, in milliseconds since 1970.
    pub(crate) fn last_read(&self) -> Result<Vec<(String, Option<i64>)>> {
        self.told((|| {
            let mut select = self.connection.prepare("SELECT name, read_ms FROM logs ORDER BY name")?;
            let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })())
    }

    /// Deliveries that were put off, last at `since_ms` or later, and have come to no end.
    pub(crate) fn deferred_since(&self, since_ms: i64) -> Result<u64> {
        let select = format!(
            "SELECT count(*) FROM deliveries WHERE status = 'deferred' AND status <> 'sent' AND last_seen >= ?1
            AND {}",
            not_alerts()
        );
        let count: i64 = self.told(self.connection.query_row(&select, [since_ms], |row| row.get(0)))?;
        Ok(count.max(0) as u64)
    }
}
