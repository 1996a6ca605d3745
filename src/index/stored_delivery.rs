//! A delivery as the index has it, and how its row is read. Not here: which rows (`filter`).

use super::stored_routes;
use crate::clock;
use crate::maillog::{LoggedStatus, Whose};
use rusqlite::Row;
use serde::{Serialize, Serializer};

/// A delivery as it is stored.
#[derive(Debug, Default, Serialize)]
pub(crate) struct StoredDelivery {
    /// The same as long as the index has it.
    #[serde(serialize_with = "id")]
    pub(crate) id: i64,
    /// Postfix's queue id, the first one.
    pub(crate) queue_id: Option<String>,
    /// Without brackets.
    pub(crate) message_id: Option<String>,
    pub(crate) client_id: Option<String>,
    /// Envelope sender; empty is the null sender.
    pub(crate) sender: Option<String>,
    /// After aliases.
    pub(crate) recipient: Option<String>,
    /// Before aliases, if it was another.
    pub(crate) original_recipient: Option<String>,
    pub(crate) status: String,
    /// Logged attempts.
    pub(crate) attempts: u32,
    /// First line about the message, milliseconds since 1970.
    #[serde(serialize_with = "time")]
    pub(crate) first_seen: i64,
    /// Last line about the delivery.
    #[serde(serialize_with = "time")]
    pub(crate) last_seen: i64,
    /// The next hop.
    pub(crate) relay: Option<String>,
    /// The enhanced status code.
    pub(crate) dsn: Option<String>,
    pub(crate) reply: Option<String>,
    /// Why it failed, in the fine vocabulary of reasons.
    pub(crate) reason: Option<String>,
    /// PowerMTA's bounce category.
    pub(crate) category: Option<String>,
    /// `hard`, `soft`, `none` or `unknown`.
    pub(crate) severity: Option<String>,
    /// What the failure is about: `recipient`, `sender`, `message`, …
    pub(crate) about: Option<String>,
    /// The rule that decided; empty if no rule knew the reply.
    pub(crate) rule: Option<String>,
    /// The TLS level, as Postfix logged it.
    pub(crate) tls: Option<String>,
    /// The most specific of `sources`.
    pub(crate) source: Option<String>,
    /// The streams that it was sent in, each with its kind: `vmta/mta1`, `campaign/spring`.
    pub(crate) sources: Vec<String>,
    /// `own`, `others` or `carom`: whose mail it counts as.
    pub(crate) whose: Whose,
    /// Seconds from arrival to the last attempt.
    pub(crate) delay: Option<f64>,
    /// In bytes.
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

/// A text, because programs read large numbers as fractions.
fn id<S: Serializer>(id: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{id:016x}"))
}

pub(crate) fn time<S: Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&clock::rfc3339(*at_ms))
}

/// What [`stored_delivery`] reads, in this order, from [`FROM`].
pub(crate) const COLUMNS: &str = "queue_id, message_id, client_id, sender, recipient, original_recipient, status, attempts, first_seen,
    last_seen, relay, dsn, reply, reason, coalesce(logged_category, category), severity, rule, delay, size, host, requeued_as,
    parent, notification, nullif(about, ''), vmta, pool, ip, transport, instance, campaign, tls, whose,
    deliveries.id";

/// The number of the column `last_seen` in [`COLUMNS`], counted from 1.
pub(crate) const LAST_SEEN: u32 = 10;

/// The same of `id`.
pub(crate) const ID: u32 = 33;

/// Deliveries, what their replies mean, and how they were sent.
pub(crate) const FROM: &str =
    "deliveries LEFT JOIN meanings ON meanings.id = meaning LEFT JOIN routes ON routes.id = route";

pub(crate) fn stored_delivery(row: &Row<'_>) -> rusqlite::Result<StoredDelivery> {
    let route = stored_routes::route(row, 24)?;
    let sources = stored_routes::sources(&route);
    let status: String = row.get(6)?;
    Ok(StoredDelivery {
        id: row.get(32)?,
        queue_id: row.get(0)?,
        message_id: row.get(1)?,
        client_id: row.get(2)?,
        sender: row.get(3)?,
        recipient: row.get(4)?,
        original_recipient: row.get(5)?,
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
        about: row.get(23)?,
        tls: route.tls().map(str::to_owned),
        whose: if status == LoggedStatus::Rejected.name() { Whose::Own } else { route.whose() },
        status,
        source: sources.first().cloned(),
        sources,
    })
}
