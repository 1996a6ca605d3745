//! Deliveries that have not ended: deferred, or on hold. Given one at a time, as there may be
//! millions.

use super::filter::IS_OWN;
use super::{Index, stored_routes};
use crate::error::Result;
use crate::maillog::Whose;
use crate::maillog::message_ids::ALERT_ID;

/// A delivery that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct WaitingDelivery {
    /// On hold; otherwise deferred.
    pub(crate) held: bool,
    /// Last updated, in milliseconds since 1970.
    pub(crate) last_ms: i64,
    pub(crate) recipient: Option<String>,
    pub(crate) sender: Option<String>,
    pub(crate) client: Option<String>,
    /// The next hop.
    pub(crate) relay: Option<String>,
    /// Why it was deferred.
    pub(crate) reason: Option<String>,
    pub(crate) category: Option<String>,
    /// The streams that the last attempt was made in.
    pub(crate) sources: Vec<String>,
    pub(crate) whose: Whose,
}

/// The condition that excludes the mail of alerts, so that no alert is about alerts.
fn not_alerts() -> String {
    format!("coalesce(message_id, '') NOT GLOB '{ALERT_ID}*'")
}

impl Index {
    /// Gives `each` every deferred or held delivery that was last updated in a period.
    pub(crate) fn waiting(
        &self,
        (from, to): (i64, i64),
        mut each: impl FnMut(WaitingDelivery),
    ) -> Result<()> {
        let sql = format!(
            "SELECT status, last_seen, recipient, sender, client_id, relay, reason, coalesce(logged_category, category),
            vmta, pool, ip, transport, instance, campaign, tls, whose
            FROM deliveries LEFT JOIN meanings ON meanings.id = meaning LEFT JOIN routes ON routes.id = route
            WHERE status IN ('deferred', 'held') AND status <> 'sent' AND last_seen >= ?1 AND last_seen < ?2
            AND {}",
            not_alerts()
        );
        let given = (|| {
            let mut select = self.connection.prepare_cached(&sql)?;
            let mut rows = select.query([from, to])?;
            while let Some(row) = rows.next()? {
                let route = stored_routes::route(row, 8)?;
                each(WaitingDelivery {
                    held: row.get_ref(0)?.as_str()? == "held",
                    last_ms: row.get(1)?,
                    recipient: row.get(2)?,
                    sender: row.get(3)?,
                    client: row.get(4)?,
                    relay: row.get(5)?,
                    reason: row.get(6)?,
                    category: row.get(7)?,
                    sources: stored_routes::sources(&route),
                    whose: route.whose(),
                });
            }
            Ok(())
        })();
        self.checked(given)
    }

    /// How many are deferred, and how many are held: of our own mail, and of what is not, in the
    /// order of [`Whose::APART`].
    pub(crate) fn waiting_count(&self) -> Result<[(u64, u64); 3]> {
        let sql = format!(
            "SELECT coalesce(whose, 'own'), sum(status = 'deferred'), sum(status = 'held')
            FROM deliveries LEFT JOIN routes ON routes.id = route
            WHERE status IN ('deferred', 'held') AND status <> 'sent' AND {} GROUP BY 1",
            not_alerts()
        );
        let counted = (|| {
            let mut counts = [(0, 0); 3];
            let mut select = self.connection.prepare_cached(&sql)?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let whose = Whose::of_name(row.get_ref(0)?.as_str()?);
                let count = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                counts[whose as usize] = (count(1)?, count(2)?);
            }
            Ok(counts)
        })();
        self.checked(counted)
    }

    /// Our own deferred deliveries that were updated at or after `since_ms`.
    pub(crate) fn deferred_since(&self, since_ms: i64) -> Result<u64> {
        let select = format!(
            "SELECT count(*) FROM deliveries WHERE status = 'deferred' AND status <> 'sent' AND last_seen >= ?1
            AND {IS_OWN} AND {}",
            not_alerts()
        );
        let count: i64 = self.checked(self.connection.query_row(&select, [since_ms], |row| row.get(0)))?;
        Ok(count.max(0) as u64)
    }
}
