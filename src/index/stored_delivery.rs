//! A delivery as the index has it, and how its row is read. Not here: which rows (`filter`).

use super::stored_routes;
use crate::clock;
use crate::maillog::{LoggedStatus, Whose};
use rusqlite::Row;
use serde::{Serialize, Serializer};

/// A delivery as it is stored; `T` are its texts, owned or as they are in the row.
#[derive(Debug, Default, Serialize)]
pub(crate) struct StoredDelivery<T = String> {
    /// The same as long as the index has it.
    #[serde(serialize_with = "id")]
    pub(crate) id: i64,
    /// Postfix's queue id, the first one.
    pub(crate) queue_id: Option<T>,
    /// Without brackets.
    pub(crate) message_id: Option<T>,
    pub(crate) client_id: Option<T>,
    /// Envelope sender; empty is the null sender.
    pub(crate) sender: Option<T>,
    /// After aliases.
    pub(crate) recipient: Option<T>,
    /// Before aliases, if it was another.
    pub(crate) original_recipient: Option<T>,
    pub(crate) status: T,
    /// Logged attempts.
    pub(crate) attempts: u32,
    /// First line about the message, milliseconds since 1970.
    #[serde(serialize_with = "time")]
    pub(crate) first_seen: i64,
    /// Last line about the delivery.
    #[serde(serialize_with = "time")]
    pub(crate) last_seen: i64,
    /// The next hop.
    pub(crate) relay: Option<T>,
    /// The enhanced status code.
    pub(crate) dsn: Option<T>,
    pub(crate) reply: Option<T>,
    /// Why it failed, in the fine vocabulary of reasons.
    pub(crate) reason: Option<T>,
    /// PowerMTA's bounce category.
    pub(crate) category: Option<T>,
    /// `hard`, `soft`, `none` or `unknown`.
    pub(crate) severity: Option<T>,
    /// What the failure is about: `recipient`, `sender`, `message`, …
    pub(crate) about: Option<T>,
    /// The rule that decided; empty if no rule knew the reply.
    pub(crate) rule: Option<T>,
    /// The TLS level, as Postfix logged it.
    pub(crate) tls: Option<T>,
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
    pub(crate) host: Option<T>,
    /// The queue id it has since it was requeued.
    pub(crate) requeued_as: Option<T>,
    /// The queue id of the message it reports on or goes on from.
    pub(crate) parent: Option<T>,
    /// The queue id of the last notification about it.
    pub(crate) notification: Option<T>,
}

/// A text, because programs read large numbers as fractions.
fn id<S: Serializer>(id: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{id:016x}"))
}

pub(crate) fn time<S: Serializer>(at_ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&clock::rfc3339(*at_ms))
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

pub(crate) fn stored_delivery<'r, T: From<&'r str>>(row: &'r Row<'_>) -> rusqlite::Result<StoredDelivery<T>> {
    let text = |at: usize| Ok::<_, rusqlite::Error>(row.get_ref(at)?.as_str_or_null()?.map(T::from));
    let route = stored_routes::route(row, 24)?;
    let sources = stored_routes::sources(&route);
    let status = row.get_ref(6)?.as_str()?;
    Ok(StoredDelivery {
        id: row.get(32)?,
        queue_id: text(0)?,
        message_id: text(1)?,
        client_id: text(2)?,
        sender: text(3)?,
        recipient: text(4)?,
        original_recipient: text(5)?,
        status: status.into(),
        attempts: row.get(7)?,
        first_seen: row.get(8)?,
        last_seen: row.get(9)?,
        relay: text(10)?,
        dsn: text(11)?,
        reply: text(12)?,
        reason: text(13)?,
        category: text(14)?,
        severity: text(15)?,
        rule: text(16)?,
        delay: row.get(17)?,
        size: row.get::<_, Option<i64>>(18)?.and_then(|size| size.try_into().ok()),
        host: text(19)?,
        requeued_as: text(20)?,
        parent: text(21)?,
        notification: text(22)?,
        about: text(23)?,
        tls: route.tls().map(T::from),
        whose: if status == LoggedStatus::Rejected.name() { Whose::Own } else { route.whose() },
        source: sources.first().cloned(),
        sources,
    })
}
