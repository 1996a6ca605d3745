//! An event as a line of JSON, `{"schema":1,"kind":"delivery","id":…,"time":…,"host":…,"data":…}`.
//!
//! Not here: what `data` says (`collecting`; `docs/events.md`). Invariant: the same event is the
//! same line under the same id, whoever writes it and however often.

use crate::clock;
use crate::config::EventKind;
use crate::digest::sha256_hex;
use crate::error::{Context, Result};
use crate::text::push_json;
use serde::Serialize;

/// How an event begins, with the version of the schema. It grows when a field changes its meaning
/// or goes; new fields may come at any time.
const SCHEMA: &str = "{\"schema\":1,\"kind\":\"";
/// Digits of an id.
const ID: usize = 32;

/// Appends an event of this host.
pub(super) fn write<T: Serialize>(
    to: &mut Vec<u8>,
    kind: EventKind,
    id: &str,
    (host, at_ms): (&str, i64),
    data: &T,
) -> Result<()> {
    let rendered = serde_json::to_vec(data).context("JSON")?;
    write_rendered(to, kind, id.as_bytes(), (host, at_ms), &rendered);
    Ok(())
}

/// The same for data that is JSON already.
pub(super) fn write_rendered(
    to: &mut Vec<u8>,
    kind: EventKind,
    id: &[u8],
    (host, at_ms): (&str, i64),
    data: &[u8],
) {
    to.extend_from_slice(SCHEMA.as_bytes());
    to.extend_from_slice(kind.name().as_bytes());
    to.extend_from_slice(b"\",\"id\":\"");
    to.extend_from_slice(id);
    to.extend_from_slice(b"\",\"time\":\"");
    clock::push_rfc3339(to, at_ms);
    to.extend_from_slice(b"\",\"host\":\"");
    push_json(to, host);
    to.extend_from_slice(b"\",\"data\":");
    to.extend_from_slice(data);
    to.extend_from_slice(b"}\n");
}

/// The id of an event that these parts name.
pub(super) fn id(parts: &[&[u8]]) -> String {
    let mut named = Vec::new();
    for part in parts {
        named.extend_from_slice(&(part.len() as u64).to_le_bytes());
        named.extend_from_slice(part);
    }
    sha256_hex(&[&named], ID)
}

/// Whether a line is an event of one of these kinds.
pub(super) fn is_of(line: &[u8], kinds: &[EventKind]) -> bool {
    let kind = line.strip_prefix(SCHEMA.as_bytes());
    kind.is_some_and(|rest| {
        kinds.iter().any(|kind| {
            rest.starts_with(kind.name().as_bytes()) && rest.get(kind.name().len()) == Some(&b'"')
        })
    })
}
