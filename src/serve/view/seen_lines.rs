//! The lines of the mail log about a message that a caller may see.
//!
//! Not here: whose line one is (`message_lines`). Invariant: a line comes out only for a delivery
//! that the caller sees, and to a customer only if it names no recipient of another.

use super::{PageAsked, View};
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::index::{Filter, StoredDelivery, hash_of_row};
use crate::maillog::logged_message::{LoggedMessage, LoggedRecipient};
use crate::maillog::message_lines::lines_about;
use crate::maillog::{LifeLine, LineMeaning};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// Deliveries of a message.
const DELIVERIES: usize = 1000;
/// Messages whose lines are looked for.
const MESSAGES: usize = 20;
/// Lines of them.
const LINES: usize = 500;
/// How long the logs are searched.
const SEARCH: Duration = Duration::from_secs(2);

/// A line of the mail log.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RawLine {
    /// RFC 3339.
    pub(crate) time: String,
    /// The log that has it.
    pub(crate) log: String,
    pub(crate) line: String,
    #[serde(skip)]
    pub(crate) means: LineMeaning,
}

/// What the logs have about a message.
pub(crate) struct RawLines {
    /// The oldest first.
    pub(crate) lines: Vec<RawLine>,
    /// All logs were searched.
    pub(crate) is_complete: bool,
}

/// A message that was asked for.
pub(crate) struct SeenMessage {
    /// The oldest first.
    pub(crate) deliveries: Vec<StoredDelivery>,
    /// One delivery of each other message that has the same queue id, the newest first.
    pub(crate) others: Vec<StoredDelivery>,
}

impl SeenMessage {
    /// The message of this delivery, or else the newest one.
    fn one_of(mut found: Vec<StoredDelivery>, delivery: Option<i64>) -> SeenMessage {
        found.sort_by_key(|one| (one.last_seen, one.id));
        let meant = found.iter().find(|one| Some(one.id) == delivery).or(found.last());
        let Some(meant) = meant.map(message_of) else {
            return SeenMessage { deliveries: found, others: Vec::new() };
        };
        let (deliveries, rest): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|one| message_of(one) == meant);
        let mut others: BTreeMap<_, StoredDelivery> = BTreeMap::new();
        rest.into_iter().for_each(|one| _ = others.entry(message_of(&one)).or_insert(one));
        SeenMessage { deliveries, others: others.into_values().rev().collect() }
    }
}

/// The row of a delivery, if this is the id of one.
fn row_of_id(id: &str) -> Option<i64> {
    let is_id = id.len() == 16 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_id.then(|| i64::from_str_radix(id, 16).ok()).flatten()
}

/// What tells a message from another one with the same queue id.
fn message_of(delivery: &StoredDelivery) -> (i64, Option<String>, Option<String>) {
    (delivery.first_seen, delivery.host.clone(), delivery.queue_id.clone())
}

impl View<'_> {
    /// The deliveries of a message, by its queue id or Message-ID, the oldest first; or one
    /// delivery by its own id, because a log may name neither. A queue id is used again, and on
    /// other hosts: `delivery` says of which message it is, and without it the newest is meant.
    pub(crate) fn message(&self, id: &str, delivery: Option<i64>) -> Result<SeenMessage> {
        // A delivery's number begins with the second of its first line.
        let since_ms = delivery.map(|delivery| (delivery >> 32).saturating_mul(1000));
        let of = |filter: Filter| {
            let found = self.deliveries(PageAsked {
                filter: Filter { since_ms, ..filter },
                is_wanted: &|_| true,
                after: None,
                oldest_first: since_ms.is_some(),
                limit: DELIVERIES,
            });
            found.map(|page| page.deliveries)
        };
        let by_queue_id = of(Filter { queue_id: Some(id.to_owned()), ..Filter::default() })?;
        if !by_queue_id.is_empty() {
            return Ok(SeenMessage::one_of(by_queue_id, delivery));
        }
        let mut deliveries = of(Filter { message_id: Some(id.to_owned()), ..Filter::default() })?;
        if deliveries.is_empty()
            && let Some(row) = row_of_id(id)
        {
            deliveries = of(Filter { row: Some(row), ..Filter::default() })?;
        }
        deliveries.sort_by_key(|one| (one.last_seen, one.id));
        Ok(SeenMessage { deliveries, others: Vec::new() })
    }

    /// The lines about deliveries that the caller sees.
    pub(crate) fn raw_lines(&self, deliveries: &[StoredDelivery], config: &Config) -> Result<RawLines> {
        let (messages, deadline) = (self.messages(deliveries), Deadline::after(SEARCH));
        let (mut lines, mut is_complete) = (Vec::new(), true);
        for log in config.mail_logs.get()? {
            let name = log.path.as_ref().and_then(|path| path.file_name());
            let name = name.map_or("journal".into(), |name| name.to_string_lossy().into_owned());
            let found = lines_about(&messages, log, deadline);
            is_complete &= found.is_complete;
            lines.extend(found.lines.into_iter().map(|line| (name.clone(), line)));
        }
        lines.sort_by_key(|(_, line)| line.at_ms);
        lines.truncate(LINES);
        let raw = |(log, LifeLine { at_ms, means, text: line, .. })| RawLine {
            time: clock::rfc3339(at_ms),
            log,
            line,
            means,
        };
        Ok(RawLines { lines: lines.into_iter().map(raw).collect(), is_complete })
    }

    /// The messages of some deliveries, each once.
    fn messages<'d>(&self, deliveries: &'d [StoredDelivery]) -> Vec<LoggedMessage<'d>> {
        let mut found: BTreeMap<_, LoggedMessage<'d>> = BTreeMap::new();
        for one in deliveries {
            let queue_id = one.queue_id.as_deref().unwrap_or_default();
            let host = one.host.as_deref().unwrap_or_default();
            let message = found.entry((one.first_seen, queue_id, host)).or_insert_with(|| LoggedMessage {
                host,
                queue_id,
                requeued_as: one.requeued_as.as_deref(),
                message_id: one.message_id.as_deref(),
                first_ms: one.first_seen,
                last_ms: one.last_seen,
                recipients: (!self.is_whole()).then(Vec::new),
                deliveries: Vec::new(),
            });
            message.last_ms = message.last_ms.max(one.last_seen);
            let addresses = [&one.recipient, &one.original_recipient].into_iter().flatten();
            if let Some(recipient) = &one.recipient {
                message.deliveries.push(LoggedRecipient { hash: hash_of_row(one.id), recipient });
            }
            message.recipients.iter_mut().for_each(|known| {
                known.extend(addresses.clone().map(|address| address.to_lowercase()));
            });
        }
        found.into_values().take(MESSAGES).collect()
    }
}
