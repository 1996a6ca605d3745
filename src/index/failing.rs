//! Failed and deferred deliveries, a piece at a time, to be classified again.

use super::Index;
use super::meaning::severity_name;
use crate::class::{Class, Severity};
use crate::error::Result;
use crate::maillog::logged_reply::LoggedReply;
use rusqlite::params;

/// A reply that may have another meaning now.
#[derive(Clone, Debug)]
pub(crate) struct FailingDelivery {
    pub(crate) row: i64,
    pub(crate) reply: String,
    /// The enhanced status code.
    pub(crate) dsn: Option<String>,
    /// The next hop.
    pub(crate) relay: Option<String>,
    /// From whom and to whom it was.
    pub(crate) sender: Option<String>,
    pub(crate) recipient: Option<String>,
    /// Reason, severity, rule and about so far.
    pub(crate) before: [Option<String>; 4],
}

impl FailingDelivery {
    pub(crate) fn logged_reply(&self) -> LoggedReply<'_> {
        LoggedReply {
            text: &self.reply,
            dsn: self.dsn.as_deref(),
            relay: self.relay.as_deref(),
            sender: self.sender.as_deref(),
            recipient: self.recipient.as_deref(),
        }
    }

    /// Whether a rule decided what it means so far.
    pub(crate) fn is_known(&self) -> bool {
        self.before[2].as_deref().is_some_and(|rule| !rule.is_empty())
    }

    /// Whether it says so far that the address is dead.
    pub(crate) fn is_hard(&self) -> bool {
        self.before[1].as_deref() == Some(severity_name(Severity::Hard))
    }

    pub(crate) fn differs(&self, class: &Class) -> bool {
        let severity = severity_name(class.severity);
        let now = [class.reason.as_str(), severity, class.rule.as_str(), class.about.name()];
        self.before.iter().zip(now).any(|(before, now)| before.as_deref() != Some(now))
    }
}

impl Index {
    /// Up to `many` failed or deferred deliveries, in the rows after `after`.
    pub(crate) fn failing(&self, after: i64, many: usize) -> Result<Vec<FailingDelivery>> {
        self.failing_since(i64::MIN, after, many)
    }

    /// The same of those that were updated at or after a time.
    pub(crate) fn failing_since(
        &self,
        since_ms: i64,
        after: i64,
        many: usize,
    ) -> Result<Vec<FailingDelivery>> {
        let sql = "SELECT deliveries.id, coalesce(reply, ''), dsn, relay, reason, severity, rule, about, sender, recipient
            FROM deliveries LEFT JOIN meanings ON meanings.id = meaning
            WHERE deliveries.id > ?1 AND status IN ('bounced', 'expired', 'rejected', 'deferred')
                AND (reply IS NOT NULL OR attempts > 0 OR status = 'rejected') AND last_seen >= ?3
            ORDER BY deliveries.id LIMIT ?2";
        let rows = (|| {
            let mut select = self.connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after, many as i64, since_ms], |row| {
                Ok(FailingDelivery {
                    row: row.get(0)?,
                    reply: row.get(1)?,
                    dsn: row.get(2)?,
                    relay: row.get(3)?,
                    before: [row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?],
                    sender: row.get(8)?,
                    recipient: row.get(9)?,
                })
            })?;
            rows.collect()
        })();
        self.checked(rows)
    }
}
