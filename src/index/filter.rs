//! Which deliveries are wanted, and the SQL that finds them.
//!
//! Not here: reading the rows (`delivery_query`). Invariant: every filter alone is answered by an
//! index of the database.

use super::seen::Seen;
use super::stored_delivery::{FROM, ID, LAST_SEEN, columns};
use crate::class::About;
use crate::mailbox_syntax::spellings;
use crate::maillog::delivery_route::USUAL_INSTANCE;
use crate::maillog::message_ids::ALERT_ID;
use crate::maillog::{LoggedStatus, SourceKind, Whose};
use rusqlite::types::Value;
use std::collections::BTreeSet;

const FAILED: [&str; 3] = ["bounced", "expired", "rejected"];
/// Statuses that a reply is the reason for.
const WITH_REASON: [&str; 4] = ["bounced", "expired", "rejected", "deferred"];

/// Which deliveries are wanted. The default is all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Of the mail that may be seen.
    pub(crate) seen: Seen,
    /// Only bounced, expired and rejected ones.
    pub(crate) failed: bool,
    /// With one of these statuses; empty: with any.
    pub(crate) statuses: Vec<String>,
    /// To this address, before or after aliases; neither case nor the spelling of the domain
    /// matters.
    pub(crate) recipient: Option<String>,
    pub(crate) client: Option<String>,
    /// Sent in this stream, with its kind (`vmta/mta1`) or of any kind (`mta1`).
    pub(crate) source: Option<String>,
    /// Sent with this TLS level, or with exactly this value.
    pub(crate) tls: Option<String>,
    /// Only our own mail (`true`), or only what is not (`false`). A refusal in the session counts
    /// with our own, whoever was refused, as it does in figures.
    pub(crate) own: Option<bool>,
    /// What the failure is about.
    pub(crate) about: Option<About>,
    /// With this reason. It picks the rows to look at; `DeliveryMatch` looks.
    pub(crate) reason: Option<String>,
    /// The numbers of the meanings with that reason, if they pick the rows.
    pub(crate) meanings: Option<Vec<i64>>,
    /// In this row.
    pub(crate) row: Option<i64>,
    /// Its first queue id, or the one since it was requeued.
    pub(crate) queue_id: Option<String>,
    /// With or without brackets.
    pub(crate) message_id: Option<String>,
    /// Updated at or after this time, in milliseconds since 1970.
    pub(crate) since_ms: Option<i64>,
    /// Updated before this time.
    pub(crate) until_ms: Option<i64>,
    /// Only the newest of each recipient.
    pub(crate) latest: bool,
    /// At most this many, the newest.
    pub(crate) limit: Option<u64>,
}

impl Filter {
    /// Whether it names an address or an id, which few deliveries have.
    pub(super) fn picks_few(&self) -> bool {
        self.recipient.is_some() || self.row.is_some() || self.queue_id.is_some() || self.message_id.is_some()
    }

    /// The wanted statuses, each once, if they are named and `sent` is not one of them.
    fn rare_statuses(&self) -> Option<BTreeSet<String>> {
        let may_be = |status: &str| !self.failed || FAILED.contains(&status);
        let named: BTreeSet<String> = if !self.statuses.is_empty() {
            self.statuses.iter().filter(|one| may_be(one)).cloned().collect()
        } else if self.failed || self.about.is_some() {
            WITH_REASON.into_iter().filter(|one| may_be(one)).map(str::to_owned).collect()
        } else {
            BTreeSet::new()
        };
        (!named.is_empty() && !named.contains("sent")).then_some(named)
    }
}

/// The `WHERE` of a filter; its values are added to `values`.
pub(crate) fn conditions(filter: &Filter, unclassified: bool, values: &mut Vec<Value>) -> String {
    let mut texts: Vec<String> = Vec::new();
    if let Some(recipient) = &filter.recipient {
        let first = values.len() + 1;
        values.extend(spellings(recipient).into_iter().map(Value::Text));
        let each: Vec<String> = (first..=values.len()).map(|number| format!("?{number}")).collect();
        let all = each.join(", ");
        texts.push(format!("(recipient IN ({all}) OR original_recipient IN ({all}))"));
    }
    if !filter.picks_few() {
        // The mail of alerts is in no figure.
        texts.push(not_alerts());
    }
    let mut with = |text: &str, value: Value| {
        values.push(value);
        texts.push(text.replace('?', &format!("?{}", values.len())));
    };
    if let Some(row) = filter.row {
        with("deliveries.id = ?", Value::Integer(row));
    }
    if let Some(id) = &filter.queue_id {
        with("(queue_id = ? OR requeued_as = ?)", Value::Text(id.clone()));
    }
    if let Some(id) = &filter.message_id {
        let bare = id.trim_start_matches('<').trim_end_matches('>');
        with("message_id = ?", Value::Text(bare.to_owned()));
    }
    // An address or an id picks few rows. A plus keeps SQLite from using the index of a client,
    // time or status instead.
    let few = if filter.picks_few() { "+" } else { "" };
    if let Some(client) = &filter.client {
        with(&format!("{few}client_id = ?"), Value::Text(client.clone()));
    }
    of_meaning_and_route(filter, &mut with);
    if let Some(since) = filter.since_ms {
        with(&format!("{few}last_seen >= ?"), Value::Integer(since));
    }
    if let Some(until) = filter.until_ms {
        with(&format!("{few}last_seen < ?"), Value::Integer(until));
    }
    if let Some([meaning]) = filter.meanings.as_deref() {
        with("meaning = ?", Value::Integer(*meaning));
    }
    let few = if filter.meanings.is_some() { "+" } else { few };
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
    if filter.own == Some(true) {
        texts.push(format!("({IS_OWN} OR +status = '{}')", LoggedStatus::Rejected.name()));
    }
    texts.extend(filter.seen.condition(few, values));
    if texts.is_empty() { String::new() } else { format!(" WHERE {}", texts.join(" AND ")) }
}

/// The condition that excludes the mail of alerts, so that no alert is about alerts.
pub(crate) fn not_alerts() -> String {
    format!("coalesce(message_id, '') NOT GLOB '{ALERT_ID}*'")
}

/// The conditions about what a failure is about, and how it was sent.
fn of_meaning_and_route(filter: &Filter, with: &mut impl FnMut(&str, Value)) {
    if let Some(about) = filter.about {
        let of_about = "+meaning IN (SELECT id FROM meanings WHERE about = ?)";
        with(of_about, Value::Text(about.name().to_owned()));
    }
    if filter.own == Some(false) {
        with("+status <> ?", Value::Text(LoggedStatus::Rejected.name().to_owned()));
    }
    // The index of routes is used only where no other picks less.
    let is_other = filter.picks_few() || filter.client.is_some() || filter.rare_statuses().is_some();
    let other = if is_other { "+" } else { "" };
    let mut with_route = |of_route: &str, name: &str| {
        let within = format!("{other}route > 0 AND {other}route IN (SELECT id FROM routes WHERE {of_route})");
        with(&within, Value::Text(name.to_owned()));
    };
    if let Some(tls) = &filter.tls {
        with_route("tls = ? OR level = ?", tls);
    }
    if filter.own == Some(false) {
        with_route("whose <> ?", Whose::Own.name());
    }
    let Some(source) = &filter.source else { return };
    let (columns, name) = match SourceKind::split(source) {
        Some((kind, name)) => (kind.name().to_owned(), name),
        None => (SourceKind::ALL.map(SourceKind::name).join(", "), source.as_str()),
    };
    let is_name = format!("? COLLATE NOCASE IN ({columns})");
    if name.eq_ignore_ascii_case(USUAL_INSTANCE) {
        // Most deliveries have the usual route, which the index leaves out.
        let any = format!("+route IN (SELECT id FROM routes WHERE {is_name})");
        with(&any, Value::Text(name.to_owned()));
    } else {
        with_route(&is_name, name);
    }
}

/// The condition for our own mail, refusals apart.
pub(crate) const IS_OWN: &str =
    "(route IS NULL OR +route NOT IN (SELECT id FROM routes WHERE whose <> 'own'))";

/// A delivery's place in the order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PlaceInTime {
    pub(crate) last_seen: i64,
    pub(crate) row: i64,
}

/// The statement for a filter, and its values: the newest first.
pub(crate) fn statement(filter: &Filter) -> (String, Vec<Value>) {
    statement_from(filter, None, false)
}

/// The same for what comes after a place.
pub(crate) fn statement_from(
    filter: &Filter,
    after: Option<PlaceInTime>,
    oldest_first: bool,
) -> (String, Vec<Value>) {
    let (mut values, columns) = (Vec::new(), columns());
    let (order, beyond) = if oldest_first { ("ASC", '>') } else { ("DESC", '<') };
    // With `latest`, rows are skipped while reading, so SQLite must not limit them.
    let limit =
        filter.limit.filter(|_| !filter.latest).map(|limit| format!(" LIMIT {limit}")).unwrap_or_default();
    let few = if filter.picks_few() { "+" } else { "" };
    let wanted = |filter: &Filter, values: &mut Vec<Value>| {
        let wanted = conditions(filter, false, values);
        let Some(PlaceInTime { last_seen, row }) = after else { return wanted };
        values.extend([Value::Integer(last_seen), Value::Integer(row)]);
        let (at, row) = (values.len() - 1, values.len());
        let joined = if wanted.is_empty() { "WHERE" } else { "AND" };
        format!(
            "{wanted} {joined} {few}last_seen {beyond}= ?{at} AND ({few}last_seen {beyond} ?{at} OR \
             +deliveries.id {beyond} ?{row})"
        )
    };
    if let Some(meanings) = &filter.meanings {
        // As below: the index has each meaning in order of time.
        let select = |meaning: &i64| {
            let one = Filter { meanings: Some(vec![*meaning]), ..filter.clone() };
            format!("SELECT {columns} FROM {FROM}{}", wanted(&one, &mut values))
        };
        let selects: Vec<String> = meanings.iter().map(select).collect();
        let order = format!("ORDER BY {LAST_SEEN} {order}, {ID} {order}");
        return (format!("{} {order}{limit}", selects.join(" UNION ALL ")), values);
    }
    let rare = filter.rare_statuses().filter(|_| few.is_empty() && filter.client.is_none());
    if let Some(statuses) = rare {
        // The index has each status in order of time, so SQLite merges them without sorting.
        let select = |status: &String| {
            let one = Filter { failed: false, statuses: vec![status.clone()], ..filter.clone() };
            format!("SELECT {columns} FROM {FROM}{}", wanted(&one, &mut values))
        };
        let selects: Vec<String> = statuses.iter().map(select).collect();
        let order = format!("ORDER BY {LAST_SEEN} {order}, {ID} {order}");
        return (format!("{} {order}{limit}", selects.join(" UNION ALL ")), values);
    }
    let wanted = wanted(filter, &mut values);
    let order = format!("ORDER BY {few}last_seen {order}, deliveries.id {order}");
    (format!("SELECT {columns} FROM {FROM}{wanted} {order}{limit}"), values)
}
