//! The suppression list, written: CSV (RFC 4180) with a heading, or JSON Lines.

use crate::clock;
use crate::plan::Grounds;
use crate::stats::render::csv;
use crate::store::Suppressed;

const HEADER: [&str; 11] = [
    "address",
    "sender_domain",
    "reason",
    "source",
    "added",
    "expires",
    "rule",
    "provider",
    "status",
    "soft_bounces",
    "report",
];

pub(crate) fn csv(entries: &[Suppressed]) -> String {
    csv::rows(&HEADER, []) + &csv_rows(entries)
}

/// The same without the heading.
pub(crate) fn csv_rows(entries: &[Suppressed]) -> String {
    let row = |entry: &Suppressed| {
        let expires = entry.expires_ms.map(clock::rfc3339).unwrap_or_default();
        let Suppressed { address, sender_domain, reason, source, grounds, .. } = entry.clone();
        let Grounds { rule, provider, status, soft_bounces, key, .. } = grounds;
        let soft_bounces = if soft_bounces == 0 { String::new() } else { soft_bounces.to_string() };
        let added = clock::rfc3339(entry.added_ms);
        [address, sender_domain, reason, source, added, expires, rule, provider, status, soft_bounces, key]
    };
    let rows: Vec<[String; 11]> = entries.iter().map(row).collect();
    csv::rows(&[], rows.iter().map(|row| row.iter().map(String::as_str).collect()))
}

pub(crate) fn json_lines(entries: &[Suppressed]) -> String {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap_or_default() + "\n").collect()
}
