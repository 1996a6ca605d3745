//! The reply that a tag of an address names, such as `5.2.2` or `550-5.7.1`, with the usual code and
//! text.
//!
//! Not here: the texts (`known_replies`), and where a reply is asked for (`address`). Invariant: code
//! and status of a reply agree.

use crate::known_replies::STATUSES;
use crate::reply::{is_status, smtp_code, Reply};

/// The reply that a tag names: `5.2.2`, `550-5.1.1`, `550`.
pub fn named_reply(tag: &str) -> Option<Reply> {
    let (code, status) = match tag.split_once('-') {
        Some((code, status)) => (Some(smtp_code(code)?), status.to_owned()),
        None if tag.contains('.') => (None, tag.to_owned()),
        None => {
            let code = smtp_code(tag)?;
            (Some(code), format!("{}.0.0", code / 100))
        }
    };
    let temporary = status.starts_with('4');
    if !is_status(&status) || code.is_some_and(|code| temporary != (code < 500)) {
        return None;
    }
    let known = STATUSES.iter().find(|row| status[2..] == *row.0);
    let (usual, text) = match known {
        Some(("2.2" | "3.1", _, text)) if temporary => (452, *text),
        Some((_, _, text)) if temporary => (451, *text),
        Some((_, code, text)) => (*code, *text),
        None if temporary => (451, "try again later"),
        None => (550, "rejected"),
    };
    Some(Reply::new(code.unwrap_or(usual), &status, text))
}
