//! An entry of the suppression list as people read it.

use crate::clock;
use crate::store::{Store, Suppressed};
use crate::text::{bounded, one_line};

/// Bytes of a reason that people are shown.
const REASON: usize = 60;

/// An entry in a line, with who has put it there, where that is on record.
pub(super) fn shown_with_author(entry: &Suppressed, store: &Store) -> String {
    let who = store.who_added(entry).ok().flatten();
    who.map_or_else(|| shown(entry), |who| format!("{} ({})", shown(entry), one_line(&who)))
}

/// An entry of the list in a line.
pub(crate) fn shown(entry: &Suppressed) -> String {
    let until = entry.expires_ms.map_or("until removed".into(), |at| format!("until {}", clock::rfc3339(at)));
    let sender = if entry.sender_domain.is_empty() { "all mail" } else { &entry.sender_domain };
    let (since, source) = (clock::rfc3339(entry.added_ms), &entry.source);
    let reason = match bounded(&entry.reason, REASON) {
        whole if whole.len() == entry.reason.len() => one_line(whole),
        part => one_line(part) + "…",
    };
    format!("{:40} {sender:24} {reason:20} {since} {until}  {source}", entry.address)
}
