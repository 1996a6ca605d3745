//! A delivery as the index has it, and how its row is read. Not here: which rows (`filter`).

use super::delivery_row::TEXTS;
use super::stored_routes;
use crate::clock;
use crate::maillog::delivery_texts::{DeliveryTexts, MANY};
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

/// Numbers that [`stored_delivery`] reads first.
const NUMBERS: [&str; 6] = ["deliveries.id", "last_seen", "first_seen", "attempts", "delay", "size"];

/// The number of the column `id` in [`columns`], counted from 1.
pub(crate) const ID: u32 = 1;

/// The same of `last_seen`.
pub(crate) const LAST_SEEN: u32 = 2;

/// What it reads of the meaning, after the texts of a delivery, and then of the route.
const OF_MEANING: [&str; 5] =
    ["reason", "coalesce(logged_category, category)", "severity", "nullif(about, '')", "rule"];
const OF_ROUTE: [&str; 8] = ["vmta", "pool", "ip", "transport", "instance", "campaign", "tls", "whose"];

/// Where the route begins.
const ROUTE: usize = NUMBERS.len() + TEXTS.len() + OF_MEANING.len();

/// How many columns [`stored_delivery`] reads.
pub(crate) const COLUMNS: usize = ROUTE + OF_ROUTE.len();

/// What [`stored_delivery`] reads, in this order, from [`FROM`].
pub(crate) fn columns() -> String {
    [&NUMBERS[..], &TEXTS, &OF_MEANING, &OF_ROUTE].concat().join(", ")
}

/// Deliveries, what their replies mean, and how they were sent.
pub(crate) const FROM: &str =
    "deliveries LEFT JOIN meanings ON meanings.id = meaning LEFT JOIN routes ON routes.id = route";

pub(crate) fn stored_delivery<'r, T: From<&'r str>>(row: &'r Row<'_>) -> rusqlite::Result<StoredDelivery<T>> {
    let text = |at: usize| row.get_ref(at)?.as_str_or_null().map_err(rusqlite::Error::from);
    let status = text(NUMBERS.len())?.unwrap_or_default();
    let (mut texts, mut meaning) = ([None; MANY], [None; OF_MEANING.len()]);
    for (at, found) in (NUMBERS.len() + 1..).zip(texts.iter_mut().chain(&mut meaning)) {
        *found = text(at)?;
    }
    let DeliveryTexts {
        queue_id,
        message_id,
        client_id,
        sender,
        recipient,
        original_recipient,
        relay,
        dsn,
        reply,
        host,
        requeued_as,
        parent,
        notification,
    } = DeliveryTexts::of(texts.map(|text| text.map(T::from)));
    let [reason, category, severity, about, rule] = meaning.map(|text| text.map(T::from));
    let route = stored_routes::route(row, ROUTE)?;
    let sources = stored_routes::sources(&route);
    Ok(StoredDelivery {
        id: row.get(0)?,
        last_seen: row.get(1)?,
        first_seen: row.get(2)?,
        attempts: row.get(3)?,
        delay: row.get(4)?,
        size: row.get::<_, Option<i64>>(5)?.and_then(|size| size.try_into().ok()),
        queue_id,
        message_id,
        client_id,
        sender,
        recipient,
        original_recipient,
        status: status.into(),
        relay,
        dsn,
        reply,
        reason,
        category,
        severity,
        about,
        rule,
        tls: route.tls().map(T::from),
        whose: if status == LoggedStatus::Rejected.name() { Whose::Own } else { route.whose() },
        source: sources.first().cloned(),
        sources,
        host,
        requeued_as,
        parent,
        notification,
    })
}
