//! JSON: the figures as one object, and rows as JSON Lines.
//!
//! bouncy-sink's two shapes are in `sink_counters`. Not here: the names, which are those of
//! `figures`. Invariant: a row is one line, whatever it holds.

use super::super::figures::{Figures, GROUPS_OF_SOME_MAIL, SOME_MAIL};
use crate::error::{Context, Result};
use serde::Serialize;
use serde_json::Value;
use std::io::Write;

/// The figures as one JSON object in one line.
pub(crate) fn figures(figures: &Figures) -> Result<String> {
    if figures.of_some_mail {
        return of_some_mail(figures);
    }
    serde_json::to_string(figures).map(|text| text + "\n").context("JSON")
}

/// The same without what is not counted.
fn of_some_mail(figures: &Figures) -> Result<String> {
    let mut value = serde_json::to_value(figures).context("JSON")?;
    if let Some(members) = value.as_object_mut() {
        members.retain(|name, _| SOME_MAIL.contains(&name.as_str()));
    }
    for name in GROUPS_OF_SOME_MAIL {
        for group in value[name].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            group.retain(|name, _| matches!(name.as_str(), "name" | "outcomes"));
        }
    }
    for reason in value["reasons"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        reason.remove("severity");
    }
    serde_json::to_string(&value).map(|text| text + "\n").context("JSON")
}

/// Writes each row as a line, and returns their number. The rows are not kept.
pub(crate) fn lines<T: Serialize>(to: &mut impl Write, rows: impl IntoIterator<Item = T>) -> Result<u64> {
    let mut count = 0;
    let mut line = Vec::new();
    for row in rows {
        line.clear();
        serde_json::to_writer(&mut line, &row).context("JSON")?;
        line.push(b'\n');
        to.write_all(&line).context("JSON Lines")?;
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = figures(&fixture::day()).unwrap();
        assert_eq!(text.lines().count(), 1);
        assert_eq!(serde_json::from_str::<Figures>(&text).unwrap(), fixture::day());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["from"], "2026-11-20T00:00:00.000Z");
        assert_eq!(value["series"][1]["time"], "2026-11-20T01:00:00.000Z");
        assert_eq!(value["series"][1]["sent"], 100);
        assert_eq!(value["providers"][0]["outcomes"]["bounced"], 30);
        assert_eq!(value["providers"][0]["delay"]["p50"], 1.2);
        assert_eq!(value["step"], "hour");
        assert_eq!(serde_json::from_str::<Figures>("{}").unwrap(), Figures::default());
    }

    #[test]
    fn a_row_is_a_line() {
        let mut text = Vec::new();
        assert_eq!(lines(&mut text, &fixture::day().unknown).unwrap(), 2);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.starts_with("{\"shape\":") && !text.contains('\x1b'));
    }
}
