//! The suppression list as files: CSV with a header line, or JSON Lines, in and out.
//!
//! Not here: the list itself (`store`). Invariant: what is written is read back as it was; a line
//! that cannot be read is named, and nothing of its file is taken.

#[cfg(test)]
mod tests;

use crate::clock;
use crate::envelope::split_address;
use crate::error::{Error, Result};
use crate::stats::render::csv;
use crate::store::Suppressed;
use ::csv::{ReaderBuilder, StringRecord};
use jiff::Timestamp;

const HEADER: [&str; 6] = ["address", "sender_domain", "reason", "source", "added", "expires"];
/// Names of the column of addresses, in files of other tools.
const ADDRESS: [&str; 3] = ["address", "email", "recipient"];

/// As CSV (RFC 4180).
pub(crate) fn csv(entries: &[Suppressed]) -> String {
    let row = |entry: &Suppressed| {
        let expires = entry.expires_ms.map(clock::rfc3339).unwrap_or_default();
        let Suppressed { address, sender_domain, reason, source, .. } = entry.clone();
        [address, sender_domain, reason, source, clock::rfc3339(entry.added_ms), expires]
    };
    let rows: Vec<[String; 6]> = entries.iter().map(row).collect();
    csv::rows(&HEADER, rows.iter().map(|row| row.iter().map(String::as_str).collect()))
}

pub(crate) fn json_lines(entries: &[Suppressed]) -> String {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap_or_default() + "\n").collect()
}

/// Reads either form, or a plain list of addresses. A line that begins with `{` is JSON; the first
/// other line may name the columns.
pub(crate) fn read(text: &str, source: &str, now_ms: i64) -> Result<Vec<Suppressed>> {
    let mut columns: Option<Vec<String>> = None;
    let mut entries = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_end_matches('\r').trim_start_matches('\u{feff}');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: String| {
            let form = HEADER.join(",");
            Error::new(format_args!("line {number}: {why}")).remedy(format_args!(
                "write a header line ({form}) and one line for each address, or one JSON object a line"
            ))
        };
        let entry = if line.trim_start().starts_with('{') {
            of_json(line, now_ms)
        } else {
            let fields = fields(line).ok_or_else(|| wrong("a quotation mark is not closed".into()))?;
            let names: Vec<String> = fields.iter().map(|field| field.trim().to_lowercase()).collect();
            if columns.is_none() && names.iter().any(|name| ADDRESS.contains(&name.as_str())) {
                columns = Some(names);
                continue;
            }
            of_fields(&fields, columns.get_or_insert_with(|| vec!["address".into()]), now_ms)
        };
        let entry = entry.map_err(wrong)?;
        entries.push(checked(entry, source).ok_or_else(|| wrong("invalid address".into()))?);
    }
    Ok(entries)
}

fn of_json(line: &str, now_ms: i64) -> Result<Suppressed, String> {
    let mut entry: Suppressed = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if entry.added_ms == 0 {
        entry.added_ms = now_ms;
    }
    Ok(entry)
}

/// The fields of a line; none if a quotation mark is not closed. A field never spans lines, so one
/// stray mark cannot swallow the lines after it.
fn fields(line: &str) -> Option<StringRecord> {
    if line.matches('"').count() % 2 == 1 {
        return None;
    }
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let mut fields = StringRecord::new();
    reader.read_record(&mut fields).ok()?;
    Some(fields)
}

fn of_fields(fields: &StringRecord, columns: &[String], now_ms: i64) -> Result<Suppressed, String> {
    let field = |names: &[&str]| {
        let place = columns.iter().position(|column| names.contains(&column.as_str()))?;
        Some(without_guard(fields.get(place)?.trim())).filter(|field| !field.is_empty())
    };
    let text = |names: &[&str]| field(names).unwrap_or_default().to_owned();
    let time = |name: &str| {
        let time = field(&[name]).map(str::parse::<Timestamp>).transpose();
        time.map(|time| time.map(Timestamp::as_millisecond)).map_err(|error| format!("{name}: {error}"))
    };
    Ok(Suppressed {
        address: text(&ADDRESS),
        sender_domain: text(&["sender_domain"]),
        reason: text(&["reason", "type"]),
        source: text(&["source"]),
        added_ms: time("added")?.unwrap_or(now_ms),
        expires_ms: time("expires")?,
    })
}

/// Without the apostrophe that keeps a spreadsheet from computing an address that looks like a
/// formula.
fn without_guard(field: &str) -> &str {
    field.strip_prefix('\'').filter(|rest| rest.starts_with(['+', '-', '='])).unwrap_or(field)
}

fn checked(mut entry: Suppressed, source: &str) -> Option<Suppressed> {
    entry.address = entry.address.trim().to_lowercase();
    entry.sender_domain = entry.sender_domain.trim().to_lowercase();
    if entry.source.is_empty() {
        entry.source = source.to_owned();
    }
    let is_clean = !entry.address.chars().any(|c| c.is_control() || c.is_whitespace());
    (is_clean && split_address(&entry.address).is_some()).then_some(entry)
}
