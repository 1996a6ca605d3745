//! A page of deliveries as comma-separated values, for spreadsheets.
//!
//! Not here: which deliveries (`delivery_routes`), and how a cell is quoted (`stats`). Invariant:
//! a column has the name and the values of its key in JSON.

use crate::clock;
use crate::index::StoredDelivery;
use crate::stats::render::comma_separated;

pub(super) fn sheet(deliveries: &[StoredDelivery]) -> String {
    let head = cells(&StoredDelivery::default()).map(|(name, _)| name);
    let rows: Vec<[String; 20]> = deliveries.iter().map(|one| cells(one).map(|(_, value)| value)).collect();
    comma_separated(&head, rows.iter().map(|row| row.iter().map(String::as_str).collect()))
}

fn cells(one: &StoredDelivery) -> [(&'static str, String); 20] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        ("id", format!("{:016x}", one.id)),
        ("first_seen", clock::rfc3339(one.first_seen)),
        ("last_seen", clock::rfc3339(one.last_seen)),
        ("status", one.status.clone()),
        ("recipient", text(&one.recipient)),
        ("original_recipient", text(&one.original_recipient)),
        ("sender", text(&one.sender)),
        ("client_id", text(&one.client_id)),
        ("queue_id", text(&one.queue_id)),
        ("message_id", text(&one.message_id)),
        ("relay", text(&one.relay)),
        ("dsn", text(&one.dsn)),
        ("reason", text(&one.reason)),
        ("severity", text(&one.severity)),
        ("about", text(&one.about)),
        ("reply", text(&one.reply)),
        ("attempts", one.attempts.to_string()),
        ("delay", one.delay.map(|delay| delay.to_string()).unwrap_or_default()),
        ("size", one.size.map(|size| size.to_string()).unwrap_or_default()),
        ("source", text(&one.source)),
    ]
}
