//! Asking the index.
//!
//! Invariant: every filter alone is answered by an index, and rows are given one at a time, however many there are.

use super::Index;
use super::meaning::severity_name;
use crate::class::Class;
use crate::clock;
use crate::error::Result;
use crate::maillog::shape::shape;
use rusqlite::types::Value;
use rusqlite::{Row, params, params_from_iter};
use rustc_hash::{FxBuildHasher, FxHashSet};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

/// Which deliveries are wanted. The default is all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Those that failed: bounced, expired, rejected.
    pub(crate) failed: bool,
    /// With one of these statuses.
    pub(crate) statuses: Vec<String>,
    /// To this address, as it came in or after aliases; case does not matter.
    pub(crate) recipient: Option<String>,
    /// Of this client.
    pub(crate) client: Option<String>,
    /// With this queue id, first or since it was requeued.
    pub(crate) queue_id: Option<String>,
    /// With this Message-ID; brackets do not matter.
    pub(crate) message_id: Option<String>,
    /// Last heard of at this time or later, milliseconds since 1970.
    pub(crate) since_ms: Option<i64>,
    /// Last heard of before this time.
    pub(crate) until_ms: Option<i64>,
    /// Of each recipient only the latest.
    pub(crate) latest: bool,
    /// So many at most, the latest.
    pub(crate) limit: Option<u64>,
}

impl Filter {
    /// Is there an address or an id, which few deliveries have?
    fn picks_few(&self) -> bool {
        self.recipient.is_some() || self.queue_id.is_some() || self.message_id.is_some()
    }

    /// The statuses that are wanted, if they are named and `sent` is not among them; none twice.
    fn rare_statuses(&self) -> Option<BTreeSet<String>> {
        const FAILED: [&str; 3] = ["bounced", "expired", "rejected"];
        let named: BTreeSet<String> = match self.statuses.is_empty() {
            true => FAILED.map(str::to_owned).into_iter().filter(|_| self.failed).collect(),
            false => self
                .statuses
                .iter()
                .filter(|one| !self.failed || FAILED.contains(&one.as_str()))
                .cloned()
                .collect(),
        };
        (!named.is_empty() && !named.contains("sent")).then_some(named)
    }
}

/// A delivery as it is stored.
#[derive(Debug, Default, Serialize)]
pub(crate) struct StoredDelivery {
    /// Postfix's queue id.
    pub(crate) queue_id: Option<String>,
    /// Without brackets.
    pub(crate) message_id: Option<String>,
    /// Whose message it is.
    pub(crate) client_id: Option<String>,
    /// Envelope sender; empty is the null sender.
    pub(crate) sender: Option<String>,
    /// After aliases.
    pub(crate) recipient: Option<String>,
    /// As it came in, where that is another.
    pub(crate) original_recipient: Option<String>,
    /// How things stand.
    pub(crate) status: String,
    /// Attempts that were logged.
    pub(crate) attempts: u32,
    /// First line about the message, milliseconds since 1970.
    #[serde(serialize_with = "time")]
    pub(crate) first_seen: i64,
    /// Last line about the delivery.
    #[serde(serialize_with = "time")]
    pub(crate) last_seen: i64,
    /// Next hop.
    pub(crate) relay: Option<String>,
    /// Enhanced status code.
    pub(crate) dsn: Option<String>,
    /// What was answered.
    pub(crate) reply: Option<String>,
    /// ReasonCount it failed, in the fine vocabulary.
    pub(crate) reason: Option<String>,
    /// PowerMTA's bounce category.
    pub(crate) category: Option<String>,
    /// hard, soft, none, unknown.
    pub(crate) severity: Option<String>,
    /// The rule that decided; empty when none did.
    pub(crate) rule: Option<String>,
    /// Seconds from arrival to the last attempt.
    pub(crate) delay: Option<f64>,
    /// Bytes.
    pub(crate) size: Option<u64>,
    /// The server that logged it.
    pub(crate) host: Option<String>,
    /// The queue id it has since it was requeued.
    pub(crate) requeued_as: Option<String>,
    /// The queue id of the message it reports on or goes on from.
    pub(crate) parent: Option<String>,
    /// The queue id of the last notification about it.
    pub(crate) notification: Option<String>,
}

fn time<S: Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&clock::rfc3339(*at_ms))
}

pub(crate) const COLUMNS: &str = "queue_id, message_id, client_id, sender, recipient, original_recipient, status, attempts, first_seen,
    last_seen, relay, dsn, reply, reason, coalesce(logged_category, category), severity, rule, delay, size, host, requeued_as,
    parent, notification";

/// The column of `last_seen`, counted from 1.
const LAST_SEEN: u32 = 10;

/// Deliveries and what their replies mean.
pub(crate) const FROM: &str = "deliveries LEFT JOIN meanings ON meanings.id = meaning";

pub(crate) fn found(row: &Row<'_>) -> rusqlite::Result<StoredDelivery> {
    Ok(StoredDelivery {
        queue_id: row.get(0)?,
        message_id: row.get(1)?,
        client_id: row.get(2)?,
        sender: row.get(3)?,
        recipient: row.get(4)?,
        original_recipient: row.get(5)?,
        status: row.get(6)?,
        attempts: row.get(7)?,
        first_seen: row.get(8)?,
        last_seen: row.get(9)?,
        relay: row.get(10)?,
        dsn: row.get(11)?,
        reply: row.get(12)?,
        reason: row.get(13)?,
        category: row.get(14)?,
        severity: row.get(15)?,
        rule: row.get(16)?,
        delay: row.get(17)?,
        size: row.get::<_, Option<i64>>(18)?.and_then(|size| size.try_into().ok()),
        host: row.get(19)?,
        requeued_as: row.get(20)?,
        parent: row.get(21)?,
        notification: row.get(22)?,
    })
}

/// Unknown texts of one shape.
#[derive(Debug, Serialize)]
pub(crate) struct UnclassifiedShape {
    /// The text with what varies left out.
    pub(crate) shape: String,
    /// Deliveries.
    pub(crate) count: u64,
    /// The latest text.
    pub(crate) example: String,
    /// Its enhanced status code.
    pub(crate) dsn: Option<String>,
    /// Its next hop.
    pub(crate) relay: Option<String>,
    /// When it was last seen.
    #[serde(serialize_with = "time")]
    pub(crate) last_seen: i64,
}

/// A reply that may mean something else now.
#[derive(Clone, Debug)]
pub(crate) struct FailingDelivery {
    /// The row.
    pub(crate) row: i64,
    /// What was answered.
    pub(crate) reply: String,
    /// Enhanced status code.
    pub(crate) dsn: Option<String>,
    /// Next hop.
    pub(crate) relay: Option<String>,
    /// Reason, severity and rule so far.
    pub(crate) before: [Option<String>; 3],
}

impl FailingDelivery {
    /// Whether this says something else than before.
    pub(crate) fn differs(&self, class: &Class) -> bool {
        let now = [class.reason.as_str(), severity_name(class.severity), class.rule.as_str()];
        self.before.iter().zip(now).any(|(before, now)| before.as_deref() != Some(now))
    }
}

/// `WHERE`; what belongs into it is added to `values`.
fn conditions(filter: &Filter, unclassified: bool, values: &mut Vec<Value>) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut with = |text: &str, value: Value| {
        values.push(value);
        texts.push(text.replace('?', &format!("?{}", values.len())));
    };
    if let Some(recipient) = &filter.recipient {
        with("(recipient = ? OR original_recipient = ?)", Value::Text(recipient.clone()));
    }
    if let Some(id) = &filter.queue_id {
        with("(queue_id = ? OR requeued_as = ?)", Value::Text(id.clone()));
    }
    if let Some(id) = &filter.message_id {
        let bare = id.trim_start_matches('<').trim_end_matches('>');
        with("message_id = ?", Value::Text(bare.to_owned()));
    }
    // An address or an id picks few rows; a plus keeps SQLite from walking through all of a client, time or status instead.
    let few = if filter.picks_few() { "+" } else { "" };
    if let Some(client) = &filter.client {
        with(&format!("{few}client_id = ?"), Value::Text(client.clone()));
    }
    if let Some(since) = filter.since_ms {
        with(&format!("{few}last_seen >= ?"), Value::Integer(since));
    }
    if let Some(until) = filter.until_ms {
        with(&format!("{few}last_seen < ?"), Value::Integer(until));
    }
    if !filter.statuses.is_empty() {
        let marks: Vec<String> = filter
            .statuses
            .iter()
            .map(|status| {
                values.push(Value::Text(status.clone()));
                format!("?{}", values.len())
            })
            .collect();
        texts.push(format!("{few}status IN ({})", marks.join(", ")));
        if !filter.statuses.iter().any(|status| status == "sent") {
            texts.push(format!("{few}status <> 'sent'"));
        }
    }
    if filter.failed {
        texts.push(format!("{few}status IN ('bounced', 'expired', 'rejected') AND {few}status <> 'sent'"));
    }
    if unclassified {
        texts.push("meaning < 0".into());
    }
    if texts.is_empty() { String::new() } else { format!(" WHERE {}", texts.join(" AND ")) }
}

/// The statement for a filter, and what belongs into it.
pub(crate) fn statement(filter: &Filter) -> (String, Vec<Value>) {
    let mut values = Vec::new();
    // With `latest`, recipients that came before are passed over.
    let limit =
        filter.limit.filter(|_| !filter.latest).map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
    let few = filter.picks_few();
    if let Some(statuses) = filter.rare_statuses().filter(|_| !few && filter.client.is_none()) {
        // Each status is in order of time in the index; they are merged as they come, and none is sorted.
        let select = |status: &String| {
            let one = Filter { failed: false, statuses: vec![status.clone()], ..filter.clone() };
            format!("SELECT {COLUMNS} FROM {FROM}{}", conditions(&one, false, &mut values))
        };
        let selects: Vec<String> = statuses.iter().map(select).collect();
        return (format!("{} ORDER BY {LAST_SEEN} DESC{limit}", selects.join(" UNION ALL ")), values);
    }
    let wanted = conditions(filter, false, &mut values);
    let order = format!("ORDER BY {}last_seen DESC, deliveries.id DESC", if few { "+" } else { "" });
    (format!("SELECT {COLUMNS} FROM {FROM}{wanted} {order}{limit}"), values)
}

impl Index {
    /// Gives the deliveries that are wanted to `each`, the latest first, until it returns false.
    pub(crate) fn deliveries(
        &self,
        filter: &Filter,
        mut each: impl FnMut(StoredDelivery) -> Result<bool>,
    ) -> Result<()> {
        let (sql, values) = statement(filter);
        let mut select = self.told(self.connection.prepare(&sql))?;
        let mut rows = self.told(select.query(params_from_iter(&values)))?;
        let (mut seen, mut left) = (FxHashSet::default(), filter.limit.unwrap_or(u64::MAX));
        while left > 0
            && let Some(row) = self.told(rows.next())?
        {
            let found = self.told(found(row))?;
            let recipient = || found.recipient.as_ref().map(|recipient| recipient.to_ascii_lowercase());
            if filter.latest && !seen.insert(FxBuildHasher.hash_one(recipient())) {
                continue;
            }
            left -= 1;
            if !each(found)? {
                break;
            }
        }
        Ok(())
    }

    /// The texts that no rule knows, by shape, the most frequent first.
    pub(crate) fn unclassified(&self, filter: &Filter) -> Result<Vec<UnclassifiedShape>> {
        let mut values = Vec::new();
        let wanted = conditions(filter, true, &mut values);
        let sql = format!(
            "SELECT reply, dsn, relay, last_seen FROM deliveries INDEXED BY deliveries_unclassified{wanted}
             AND reply IS NOT NULL ORDER BY last_seen DESC"
        );
        let mut select = self.told(self.connection.prepare(&sql))?;
        let mut rows = self.told(select.query(params_from_iter(&values)))?;
        let mut shapes: BTreeMap<String, UnclassifiedShape> = BTreeMap::new();
        while let Some(row) = self.told(rows.next())? {
            let reply: String = self.told(row.get(0))?;
            let shape = shape(&reply);
            if let Some(known) = shapes.get_mut(&shape) {
                known.count += 1;
                continue;
            }
            let example = UnclassifiedShape {
                shape: shape.clone(),
                count: 1,
                example: reply,
                dsn: self.told(row.get(1))?,
                relay: self.told(row.get(2))?,
                last_seen: self.told(row.get(3))?,
            };
            shapes.insert(shape, example);
        }
        let mut shapes: Vec<UnclassifiedShape> = shapes.into_values().collect();
        shapes.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
        shapes.truncate(filter.limit.and_then(|limit| limit.try_into().ok()).unwrap_or(usize::MAX));
        Ok(shapes)
    }

    /// Up to `many` deliveries that failed or were put off, in rows behind `after`.
    pub(crate) fn failing(&self, after: i64, many: usize) -> Result<Vec<FailingDelivery>> {
        let sql = "SELECT deliveries.id, reply, dsn, relay, reason, severity, rule
            FROM deliveries LEFT JOIN meanings ON meanings.id = meaning
            WHERE deliveries.id > ?1 AND status IN ('bounced', 'expired', 'rejected', 'deferred') AND reply IS NOT NULL
            ORDER BY deliveries.id LIMIT ?2";
        let rows = (|| {
            let mut select = self.connection.prepare_cached(sql)?;
            let rows = select.query_map(params![after, many as i64], |row| {
                Ok(FailingDelivery {
                    row: row.get(0)?,
                    reply: row.get(1)?,
                    dsn: row.get(2)?,
                    relay: row.get(3)?,
                    before: [row.get(4)?, row.get(5)?, row.get(6)?],
                })
            })?;
            rows.collect()
        })();
        self.told(rows)
    }

    /// How many rows there are.
    pub(crate) fn count(&self) -> Result<u64> {
        let count =
            self.connection.query_row("SELECT count(*) FROM deliveries", [], |row| row.get::<_, i64>(0));
        Ok(self.told(count)?.unsigned_abs())
    }
}
