//! A page of deliveries as comma-separated values, for spreadsheets.
//!
//! Not here: which deliveries (`delivery_routes`), and how a cell is quoted (`stats`). Invariant:
//! a column has the name and the values of its key in JSON.

use crate::clock;
use crate::index::StoredDelivery;
use crate::stats::render::comma_separated;

const HEAD: [&str; 20] = [
    "id",
    "first_seen",
    "last_seen",
    "status",
    "recipient",
    "original_recipient",
    "sender",
    "client_id",
    "queue_id",
    "message_id",
    "relay",
    "dsn",
    "reason",
    "severity",
    "about",
    "reply",
    "attempts",
    "delay",
    "size",
    "source",
];

pub(super) fn sheet(deliveries: &[StoredDelivery]) -> String {
    let rows: Vec<[String; 20]> = deliveries.iter().map(cells).collect();
    comma_separated(&HEAD, rows.iter().map(|row| row.iter().map(String::as_str).collect()))
}

fn cells(one: &StoredDelivery) -> [String; 20] {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    [
        format!("{:016x}", one.id),
        clock::rfc3339(one.first_seen),
        clock::rfc3339(one.last_seen),
        one.status.clone(),
        text(&one.recipient),
        text(&one.original_recipient),
        text(&one.sender),
        text(&one.client_id),
        text(&one.queue_id),
        text(&one.message_id),
        text(&one.relay),
        text(&one.dsn),
        text(&one.reason),
        text(&one.severity),
        text(&one.about),
        text(&one.reply),
        one.attempts.to_string(),
        one.delay.map(|delay| delay.to_string()).unwrap_or_default(),
        one.size.map(|size| size.to_string()).unwrap_or_default(),
        text(&one.source),
    ]
}
