//! What is old, or too much, goes, a piece at a time. The pages are used again, so the file stays as big as it was at most, and
//! nothing is ever rewritten to make it smaller.

use super::Index;
use super::batch::first_row;
use crate::clock::{DAY_MS, HOUR_MS};
use crate::error::Result;
use rusqlite::params;

/// Deliveries that go in one transaction.
const PIECE: i64 = 20_000;
/// Clocks of servers differ by so much (milliseconds).
const AHEAD_MS: i64 = HOUR_MS;
/// Time between two searches for old rows.
const EVERY_MS: i64 = HOUR_MS;

impl Index {
    /// Removes deliveries that nothing was heard of for `keep_days` before the newest one, and of more than `max_rows` those that are in
    /// the future, then the oldest; zero keeps all. Days count from the newest so that a log of last year can be looked into; what says
    /// that it is in the future does not count, so that a wrong clock wipes nothing. Once an hour. `stopped` is asked between pieces.
    /// Returns how many went.
    pub(crate) fn expire(
        &self,
        now_ms: i64,
        keep_days: u32,
        max_rows: u64,
        stopped: &dyn Fn() -> bool,
    ) -> Result<u64> {
        let last = self.remembered("expired")?.and_then(|last| last.parse().ok()).unwrap_or(0);
        if (0..EVERY_MS).contains(&(now_ms - last)) {
            return Ok(0);
        }
        let mut gone = 0;
        if keep_days > 0 {
            let newest = "SELECT max(last_seen) FROM deliveries WHERE last_seen <= ?1";
            let newest: Option<i64> =
                self.told(self.connection.query_row(newest, [now_ms + AHEAD_MS], |row| row.get(0)))?;
            let oldest = newest.unwrap_or(i64::MIN / 2).min(now_ms) - i64::from(keep_days) * DAY_MS;
            // Those first seen before and heard of since are passed over.
            let old = "DELETE FROM deliveries WHERE id IN
                (SELECT id FROM deliveries WHERE id < ?1 AND last_seen < ?2 ORDER BY id LIMIT ?3)";
            loop {
                let went =
                    self.told(self.connection.execute(old, params![first_row(oldest), oldest, PIECE]))?;
                gone += went as u64;
                if went < PIECE as usize || stopped() {
                    break;
                }
            }
        }
        if max_rows > 0 && !stopped() {
            let count = "SELECT count(*) FROM deliveries";
            let rows: i64 = self.told(self.connection.query_row(count, [], |row| row.get(0)))?;
            let mut excess = rows - i64::try_from(max_rows).unwrap_or(i64::MAX);
            let first = "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE id >= ?1 ORDER BY id LIMIT ?2)";
            for from in [first_row(now_ms + DAY_MS), 0] {
                while excess > 0 && !stopped() {
                    let piece = excess.min(PIECE);
                    let went = self.told(self.connection.execute(first, [from, piece]))? as i64;
                    gone += went as u64;
                    excess -= went;
                    if went < piece {
                        break;
                    }
                }
            }
        }
        self.expire_sums(now_ms)?;
        self.remember("expired", &now_ms.to_string())?;
        Ok(gone)
    }
}
