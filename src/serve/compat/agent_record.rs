//! A delivery as Postfix-Deliverability-Analytics shows it, and the states that it knows.
//!
//! Not here: which deliveries. Invariant: a state follows from the class of the failure, and not
//! from the order in which rules were asked.

use crate::index::StoredDelivery;
use crate::maillog::message_ids::{CONVENTION, client_of_message_id};
use serde::Serialize;

/// Soft, hard, unknown, delivered, delivered after a deferral.
const SOFT: u8 = 0;
const HARD: u8 = 1;
const UNKNOWN: u8 = 2;
const OK: u8 = 3;
const FINALLY_OK: u8 = 4;

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AgentRecord {
    /// Milliseconds since 1970.
    pub(super) date: i64,
    pub(super) queue_id: String,
    pub(super) msg_id: String,
    pub(super) rcpt_email: String,
    sender_email: String,
    status: String,
    info: String,
    pub(super) state: u8,
    state_info: String,
}

impl AgentRecord {
    /// `None`: the other tool has no word for it.
    pub(super) fn of(delivery: &StoredDelivery) -> Option<AgentRecord> {
        let status = match delivery.status.as_str() {
            status @ ("sent" | "deferred" | "bounced" | "expired") => status,
            _ => return None,
        };
        let (state, state_info) = state(delivery);
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let info = match (status, &delivery.reply) {
            ("expired", _) => "returned to sender".to_owned(),
            (_, reply) => reply.clone().unwrap_or_default(),
        };
        Some(AgentRecord {
            date: delivery.last_seen,
            queue_id: text(&delivery.queue_id),
            msg_id: delivery.message_id.as_deref().map(shown_id).unwrap_or_default(),
            rcpt_email: text(&delivery.recipient),
            sender_email: delivery.sender.clone().unwrap_or_else(|| "unknown".into()),
            status: status.to_owned(),
            info,
            state,
            state_info,
        })
    }

    /// Whether no rule decided.
    pub(super) fn is_unknown(&self) -> bool {
        self.state == UNKNOWN
    }

    /// Whether it was delivered at the first attempt: such records are left out of queries.
    pub(super) fn was_no_trouble(&self) -> bool {
        self.state == OK
    }
}

/// A Message-ID as the other tool has it: in brackets, and by the convention that names a client,
/// `98494.7.1` of `<98494.7.1@client>`.
fn shown_id(id: &str) -> String {
    match client_of_message_id(id) {
        Some(client) => id[..id.len() - client.len() - 1].to_owned(),
        None => format!("<{id}>"),
    }
}

/// The Message-ID that a path of a client means: whole, or as it was shown.
pub(super) fn message_id(client: &str, written: &str) -> String {
    let is_whole = !written.starts_with(CONVENTION)
        || written.strip_suffix(client).is_some_and(|left| left.ends_with('@'));
    if is_whole { written.to_owned() } else { format!("{written}@{client}") }
}

fn state(delivery: &StoredDelivery) -> (u8, String) {
    let reason = || delivery.reason.clone().unwrap_or_default();
    let is_known = delivery.rule.as_ref().is_some_and(|rule| !rule.is_empty());
    match delivery.status.as_str() {
        "sent" if delivery.attempts > 1 => (FINALLY_OK, "finally OK".into()),
        "sent" => (OK, "OK".into()),
        "expired" => (SOFT, "expired, returned to sender".into()),
        _ if !is_known => (UNKNOWN, "unable to decide on type of bounce".into()),
        _ if delivery.severity.as_deref() == Some("hard") => (HARD, reason()),
        _ => (SOFT, reason()),
    }
}
