//! The suppression list as files: CSV with a header line, or JSON Lines, in and out.
//!
//! Not here: the list itself (`store`). Invariant: what is written is read again as it was; a line that cannot be read is named, and
//! nothing of its file is taken.

use crate::clock;
use crate::envelope::split_address;
use crate::error::{Error, Result};
use crate::stats::render::csv;
use crate::store::Suppressed;
use jiff::Timestamp;

const HEADER: &str = "address,sender_domain,reason,source,added,expires";

/// As CSV (RFC 4180).
pub(crate) fn csv(entries: &[Suppressed]) -> String {
    let head: Vec<&str> = HEADER.split(',').collect();
    let row = |entry: &Suppressed| {
        let expires = entry.expires_ms.map(clock::rfc3339).unwrap_or_default();
        let Suppressed { address, sender_domain, reason, source, .. } = entry.clone();
        [address, sender_domain, reason, source, clock::rfc3339(entry.added_ms), expires]
    };
    let rows: Vec<[String; 6]> = entries.iter().map(row).collect();
    csv::rows(&head, rows.iter().map(|row| row.iter().map(String::as_str).collect()))
}

/// As JSON Lines.
pub(crate) fn json_lines(entries: &[Suppressed]) -> String {
    entries.iter().map(|entry| serde_json::to_string(entry).unwrap_or_default() + "\n").collect()
}

/// Reads either form: lines that begin with `{` are JSON, else the first line names the columns; a bare list of addresses is read
/// too. Errors name the line.
pub(crate) fn read(text: &str, source: &str, now_ms: i64) -> Result<Vec<Suppressed>> {
    let mut columns: Option<Vec<String>> = None;
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r').trim_start_matches('\u{feff}');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: &str| {
            Error::new(format_args!("line {}: {why}", index + 1)).remedy(format_args!(
                "write a header line ({HEADER}) and a line each, or a JSON object a line"
            ))
        };
        if line.trim_start().starts_with('{') {
            let mut entry: Suppressed =
                serde_json::from_str(line).map_err(|error| wrong(&error.to_string()))?;
            entry.added_ms = if entry.added_ms == 0 { now_ms } else { entry.added_ms };
            entries.push(checked(entry, source).ok_or_else(|| wrong("no address"))?);
            continue;
        }
        let fields = fields(line).ok_or_else(|| wrong("a quotation mark is not closed"))?;
        let names: Vec<String> = fields.iter().map(|field| field.trim().to_lowercase()).collect();
        if columns.is_none()
            && names.iter().any(|name| name == "address" || name == "email" || name == "recipient")
        {
            columns = Some(names);
            continue;
        }
        let columns = columns.get_or_insert_with(|| vec!["address".into()]);
        let field = |wanted: &[&str]| {
            let place = columns.iter().position(|name| wanted.contains(&name.as_str()))?;
            // The apostrophe that keeps a spreadsheet from computing an address that begins like a formula.
            let guarded =
                |field: &&str| field.starts_with("'+") || field.starts_with("'-") || field.starts_with("'=");
            let field = fields.get(place)?.trim();
            let field = if guarded(&field) { &field[1..] } else { field };
            Some(field).filter(|field| !field.is_empty())
        };
        let time = |name: &str| match field(&[name]) {
            None => Ok(None),
            Some(text) => text.parse::<Timestamp>().map(|time| Some(time.as_millisecond())),
        };
        let added = time("added").map_err(|error| wrong(&format!("added: {error}")))?;
        let entry = Suppressed {
            address: field(&["address", "email", "recipient"]).unwrap_or_default().into(),
            sender_domain: field(&["sender_domain"]).unwrap_or_default().into(),
            reason: field(&["reason", "type"]).unwrap_or_default().into(),
            source: field(&["source"]).unwrap_or_default().into(),
            added_ms: added.unwrap_or(now_ms),
            expires_ms: time("expires").map_err(|error| wrong(&format!("expires: {error}")))?,
        };
        entries.push(checked(entry, source).ok_or_else(|| wrong("no address"))?);
    }
    Ok(entries)
}

fn checked(mut entry: Suppressed, source: &str) -> Option<Suppressed> {
    entry.address = entry.address.trim().to_lowercase();
    entry.sender_domain = entry.sender_domain.trim().to_lowercase();
    if entry.source.is_empty() {
        entry.source = source.to_owned();
    }
    let clean = !entry.address.chars().any(|c| c.is_control() || c.is_whitespace());
    (clean && split_address(&entry.address).is_some()).then_some(entry)
}

/// The fields of a CSV line; `None`: a quotation mark is not closed.
fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        let field = fields.last_mut()?;
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(address: &str, expires_ms: Option<i64>) -> Suppressed {
        Suppressed {
            address: address.into(),
            sender_domain: "example.org".into(),
            reason: "said \"no\", twice".into(),
            source: "operator".into(),
            added_ms: 1_767_225_600_000,
            expires_ms,
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let entries = [entry("a@b.example", None), entry("c,d@b.example", Some(1_767_225_601_000))];
        assert_eq!(read(&csv(&entries), "import", 0).unwrap(), entries);
        assert_eq!(read(&json_lines(&entries), "import", 0).unwrap(), entries);
    }

    #[test]
    fn a_bare_list_of_addresses_will_do() {
        let read = read("A@b.example\n\n# no more\nc@d.example\r\n", "import", 7).unwrap();
        assert_eq!(
            read.iter().map(|entry| entry.address.as_str()).collect::<Vec<_>>(),
            ["a@b.example", "c@d.example"]
        );
        assert!(read.iter().all(|entry| entry.added_ms == 7 && entry.source == "import"));
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let error = read("address\na@b.example\nnobody\n", "import", 0).unwrap_err().to_string();
        assert!(error.starts_with("line 3: no address"), "{error}");
        assert!(
            read("address,added\na@b.example,yesterday\n", "import", 0)
                .unwrap_err()
                .to_string()
                .contains("added")
        );
    }

    #[test]
    fn an_address_that_begins_like_a_formula_comes_back_as_it_was() {
        let entries = [entry("+491234@sms.example", None), entry("-x-@a.example", Some(9_000))];
        assert_eq!(read(&csv(&entries), "import", 0).unwrap(), entries);
    }

    #[test]
    fn a_formula_is_no_formula_in_a_spreadsheet() {
        let mut hostile = entry("a@b.example", None);
        hostile.reason = "=1+1".into();
        assert!(csv(&[hostile]).contains("\"'=1+1\""));
    }
}
