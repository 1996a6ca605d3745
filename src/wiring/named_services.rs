//! Which services of master.cf the parameters of main.cf hand mail to by their names.
//!
//! Not here: tables in files. Invariant: a name counts as a whole, before a colon or alone.

use super::postconf::{Edit, Postconf};

/// Parameters that name services.
const NAMING: [&str; 8] = [
    "transport_maps",
    "default_transport",
    "relay_transport",
    "virtual_transport",
    "local_transport",
    "mailbox_transport",
    "sender_dependent_default_transport_maps",
    "content_filter",
];

/// Whether main.cf hands mail to this service after these edits.
pub(super) fn is_named(postconf: &Postconf, edits: &[Edit], service: &str) -> bool {
    NAMING.iter().any(|parameter| {
        let edited = edits.iter().find_map(|edit| match edit {
            Edit::Parameter(name, value) if name == parameter => Some(value.clone()),
            _ => None,
        });
        let value = edited.unwrap_or_else(|| postconf.own(parameter).ok().flatten());
        value.is_some_and(|value| names(&value, service))
    })
}

/// Whether a value names a service.
pub(super) fn names(value: &str, service: &str) -> bool {
    let is_edge = |letter: Option<char>, edges: &str| {
        letter.is_none_or(|letter| letter.is_whitespace() || edges.contains(letter))
    };
    value.match_indices(service).any(|(at, _)| {
        is_edge(value[..at].chars().next_back(), "=,{")
            && is_edge(value[at + service.len()..].chars().next(), ":,}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_by_its_whole_name() {
        for value in ["inline:{ {a.example=carom:x} }", "inline:{ {a.example=carom} }", "carom", "carom:"] {
            assert!(names(value, "carom"), "{value}");
        }
        for value in ["inline:{ {a.example=carom-lmtp:x} }", "inline:{ {carom.example=x} }", "xcarom:", ""] {
            assert!(!names(value, "carom"), "{value}");
        }
    }
}
