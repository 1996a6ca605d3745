//! A line of JSON that holds a line of a log: Docker's json-file, `journalctl -o json`, and what
//! rsyslog, syslog-ng, Vector, Fluent Bit and others write.
//!
//! Not here: times (`json_time`). Invariant: names that are not known are skipped, whatever they
//! hold; a line that is not one object with a message is none.

use super::json_time::stamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

#[derive(Default)]
pub(crate) struct JsonLine {
    /// A stamp that `maillog::stamp` reads; empty if there is no time.
    pub(crate) stamp: Vec<u8>,
    /// `mx postfix/smtp[123]: `; empty if no program is named.
    pub(crate) program: Vec<u8>,
    pub(crate) message: Vec<u8>,
}

impl JsonLine {
    pub(crate) fn read(line: &[u8]) -> Option<JsonLine> {
        let line = line.trim_ascii_start();
        // `journalctl -o json-sse` and `-o json-seq`.
        let line = line.strip_prefix(b"data: ").or_else(|| line.strip_prefix(b"\x1e")).unwrap_or(line);
        if line.first() != Some(&b'{') {
            return None;
        }
        let fields: Fields = serde_json::from_slice(line).ok()?;
        let [message, time, host, tag, pid] = fields.values.map(|(_, value)| value);
        let message = message.filter(|message| !message.is_empty())?;
        Some(JsonLine {
            stamp: time.map(stamp).unwrap_or_default(),
            program: tag.map(|tag| program(host, tag, pid)).unwrap_or_default(),
            message,
        })
    }
}

fn program(host: Option<Vec<u8>>, tag: Vec<u8>, pid: Option<Vec<u8>>) -> Vec<u8> {
    let mut program = host.unwrap_or_default();
    program.retain(|byte| !byte.is_ascii_whitespace());
    if !program.is_empty() {
        program.push(b' ');
    }
    let tag = tag.trim_ascii();
    let tag = tag.strip_suffix(b":").unwrap_or(tag);
    program.extend(tag.iter().filter(|byte| !byte.is_ascii_whitespace()));
    if let Some(pid) = pid.filter(|_| !tag.ends_with(b"]")) {
        program.push(b'[');
        program.extend(pid.into_iter().filter(u8::is_ascii_digit));
        program.push(b']');
    }
    program.extend_from_slice(b": ");
    program
}

/// What is looked for, and the names it has, the best first. Case does not matter.
const NAMES: [&[&str]; 5] = [
    &[
        "message",
        "msg",
        "log",
        "raw_message",
        "_raw",
        "rawmsg",
        "line",
        "event",
        "short_message",
        "textpayload",
    ],
    &[
        "__realtime_timestamp",
        "_source_realtime_timestamp",
        "time",
        "timestamp",
        "@timestamp",
        "isodate",
        "timereported",
        "timegenerated",
        "date",
        "datetime",
        "ts",
        "_time",
        "eventtime",
    ],
    &["_hostname", "host", "hostname", "fromhost", "logsource", "source_host"],
    &[
        "syslogtag",
        "tag",
        "syslog_identifier",
        "ident",
        "program",
        "_program",
        "programname",
        "app-name",
        "app_name",
        "appname",
        "process",
        "syslog_app_name",
        "_comm",
    ],
    &["syslog_pid", "pid", "procid", "process_id", "_pid"],
];

/// The values that are looked for, each with the rank of its name.
#[derive(Default)]
struct Fields {
    values: [(usize, Option<Vec<u8>>); NAMES.len()],
}

impl Fields {
    fn place(name: &str) -> Option<(usize, usize)> {
        let rank = |names: &&[&str]| names.iter().position(|known| known.eq_ignore_ascii_case(name));
        NAMES.iter().enumerate().find_map(|(place, names)| Some((place, rank(names)?)))
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Fields, D::Error> {
        from.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
        let mut fields = Fields::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let Some((place, rank)) = Fields::place(&name) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let JsonText(value) = map.next_value()?;
            let known = &mut fields.values[place];
            if value.is_some() && (known.1.is_none() || rank < known.0) {
                *known = (rank, value);
            }
        }
        Ok(fields)
    }
}

/// A text, a number, or the octets of a text; None for anything else.
struct JsonText(Option<Vec<u8>>);

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<JsonText, D::Error> {
        from.deserialize_any(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = JsonText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonText, E> {
        Ok(JsonText(Some(text.as_bytes().to_vec())))
    }

    fn visit_u64<E>(self, number: u64) -> Result<JsonText, E> {
        Ok(JsonText(Some(number.to_string().into_bytes())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonText, E> {
        Ok(JsonText(Some(number.to_string().into_bytes())))
    }

    fn visit_f64<E>(self, number: f64) -> Result<JsonText, E> {
        Ok(JsonText(Some(format!("{number:.6}").into_bytes())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<JsonText, E> {
        Ok(JsonText(None))
    }

    fn visit_unit<E>(self) -> Result<JsonText, E> {
        Ok(JsonText(None))
    }

    /// journalctl writes a text that is not UTF-8 as octets, and several values of a field as a
    /// list.
    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<JsonText, S::Error> {
        let mut octets = Vec::new();
        let mut first = None;
        while let Some(Element { octet, text }) = seq.next_element()? {
            octets.extend(octet);
            first = first.or(text);
        }
        Ok(JsonText(first.or(Some(octets).filter(|octets| !octets.is_empty()))))
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<JsonText, M::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(JsonText(None))
    }
}

struct Element {
    octet: Option<u8>,
    text: Option<Vec<u8>>,
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Element, D::Error> {
        let JsonText(text) = JsonText::deserialize(from)?;
        let octet = text.as_deref().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
        let text = text.filter(|_| octet.is_none());
        Ok(Element { octet, text })
    }
}
