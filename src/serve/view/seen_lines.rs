//! The lines of the mail log about a message that a caller may see.
//!
//! Not here: whose line one is (`message_lines`). Invariant: a line comes out only for a delivery
//! that the caller sees, and to a customer only if it names no recipient of another.

use super::{PageAsked, View};
use crate::clock;
use crate::config::{Config, LogKind};
use crate::error::Result;
use crate::index::{Filter, StoredDelivery};
use crate::maillog::message_lines::{self, LoggedMessage};
use serde::Serialize;
use std::collections::BTreeMap;

/// Deliveries of a message.
const DELIVERIES: usize = 1000;
/// Messages whose lines are looked for.
const MESSAGES: usize = 20;
/// Lines of them.
const LINES: usize = 500;

/// A line of the mail log.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RawLine {
    /// RFC 3339.
    pub(crate) time: String,
    /// The log that has it.
    pub(crate) log: String,
    pub(crate) line: String,
}

impl View<'_> {
    /// The deliveries of a message, by its queue id or Message-ID, the oldest first.
    pub(crate) fn message(&self, id: &str) -> Result<Vec<StoredDelivery>> {
        let of = |filter: Filter| {
            let found = self.deliveries(PageAsked {
                filter,
                is_wanted: &|_| true,
                after: None,
                oldest_first: true,
                limit: DELIVERIES,
            });
            found.map(|page| page.deliveries)
        };
        let by_queue_id = of(Filter { queue_id: Some(id.to_owned()), ..Filter::default() })?;
        if !by_queue_id.is_empty() {
            return Ok(by_queue_id);
        }
        of(Filter { message_id: Some(id.to_owned()), ..Filter::default() })
    }

    /// The lines about deliveries that the caller sees, the oldest first.
    pub(crate) fn raw_lines(&self, deliveries: &[StoredDelivery], config: &Config) -> Result<Vec<RawLine>> {
        let messages = self.messages(deliveries);
        let mut lines = Vec::new();
        for log in config.mail_logs.get()?.iter().filter(|log| log.kind == LogKind::Postfix) {
            let Some(path) = &log.path else { continue };
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let found = message_lines::lines_about(&messages, path, &log.zone);
            lines.extend(found.into_iter().map(|(at_ms, line)| (at_ms, name.clone(), line)));
        }
        lines.sort_by_key(|(at_ms, ..)| *at_ms);
        lines.truncate(LINES);
        let raw = |(at_ms, log, line)| RawLine { time: clock::rfc3339(at_ms), log, line };
        Ok(lines.into_iter().map(raw).collect())
    }

    /// The messages of some deliveries, each once.
    fn messages<'d>(&self, deliveries: &'d [StoredDelivery]) -> Vec<LoggedMessage<'d>> {
        let mut found: BTreeMap<_, LoggedMessage<'d>> = BTreeMap::new();
        for one in deliveries {
            let Some(queue_id) = one.queue_id.as_deref() else { continue };
            let host = one.host.as_deref().unwrap_or_default();
            let message = found.entry((one.first_seen, queue_id, host)).or_insert_with(|| LoggedMessage {
                host,
                queue_id,
                requeued_as: one.requeued_as.as_deref(),
                message_id: one.message_id.as_deref(),
                first_ms: one.first_seen,
                last_ms: one.last_seen,
                recipients: (!self.is_whole()).then(Vec::new),
            });
            message.last_ms = message.last_ms.max(one.last_seen);
            let addresses = [&one.recipient, &one.original_recipient].into_iter().flatten();
            message.recipients.iter_mut().for_each(|known| {
                known.extend(addresses.clone().map(|address| address.to_lowercase()));
            });
        }
        found.into_values().take(MESSAGES).collect()
    }
}
