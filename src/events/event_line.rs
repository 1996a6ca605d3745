//! An event as a line of JSON, `{"schema":1,"kind":"delivery","id":…,"time":…,"host":…,"data":…}`.
//!
//! Not here: what `data` says (`collecting`; `docs/events.md`). Invariant: the same event is the
//! same line under the same id, whoever writes it and however often.

use crate::clock;
use crate::config::EventKind;
use crate::digest::sha256_hex;
use crate::error::{Context, Result};
use serde::Serialize;

/// The version of the schema. It grows when a field changes its meaning or goes; new fields may
/// come at any time.
const SCHEMA: u8 = 1;
/// Digits of an id.
const ID: usize = 32;

#[derive(Serialize)]
struct EventHead<'a> {
    schema: u8,
    kind: &'static str,
    id: &'a str,
    time: String,
    host: &'a str,
}

/// Appends an event of this host.
pub(super) fn write<T: Serialize>(
    to: &mut Vec<u8>,
    kind: EventKind,
    id: &str,
    (host, at_ms): (&str, i64),
    data: &T,
) -> Result<()> {
    let mut rendered = Vec::new();
    render(&mut rendered, data)?;
    write_rendered(to, kind, id, (host, at_ms), &rendered)
}

/// Data as it is in its event.
pub(super) fn render<T: Serialize>(to: &mut Vec<u8>, data: &T) -> Result<()> {
    serde_json::to_writer(to, data).context("JSON")
}

/// The same for data that is rendered already.
pub(super) fn write_rendered(
    to: &mut Vec<u8>,
    kind: EventKind,
    id: &str,
    (host, at_ms): (&str, i64),
    data: &[u8],
) -> Result<()> {
    let head = EventHead { schema: SCHEMA, kind: kind.name(), id, time: clock::rfc3339(at_ms), host };
    serde_json::to_writer(&mut *to, &head).context("JSON")?;
    // The data comes in before the brace that ends it.
    to.pop();
    to.extend_from_slice(b",\"data\":");
    to.extend_from_slice(data);
    to.extend_from_slice(b"}\n");
    Ok(())
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
    let kind = line.strip_prefix(b"{\"schema\":1,\"kind\":\"");
    kind.is_some_and(|rest| {
        kinds.iter().any(|kind| {
            rest.starts_with(kind.name().as_bytes()) && rest.get(kind.name().len()) == Some(&b'"')
        })
    })
}
