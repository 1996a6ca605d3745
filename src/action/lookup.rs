//! The URL of an application, looked up in a JSON document that the application publishes.
//!
//! Not here: filling it in (`webhook::UrlTemplate`). Invariant: an application that was looked up
//! once is notified there even while its document is unavailable. A document is fetched no more
//! often than it allows, and after a failure at most once a minute.

use super::doors::Doors;
use super::doors::http::Document;
use crate::clock::{self, DAY_MS, HOUR_MS};
use crate::deadline::Deadline;
use crate::store::TemplateLookup;
use serde_json::Value;

/// How long a document is fresh that does not say so.
const HOLDS_MS: i64 = HOUR_MS;
/// Whatever a document says, it is fresh this long at least, and at most.
const LEAST_MS: i64 = 60_000;
const MOST_MS: i64 = DAY_MS;
/// After a failure, the document is not fetched for this long.
const FAILED_MS: i64 = 60_000;
/// Characters of a URL at most.
const MAX_TEMPLATE: usize = 2000;

/// The template that is in the document at `lookup` under `pointer`. The error is one line;
/// asking again later may help.
pub(crate) fn template(
    lookup: &str,
    pointer: &str,
    doors: &Doors,
    deadline: Deadline,
) -> Result<String, String> {
    let source = format!("{lookup}#{pointer}");
    let now_ms = clock::now_ms();
    let known = doors.store.template(&source).map_err(|error| error.to_string())?.unwrap_or_default();
    if known.fresh_ms > now_ms {
        return known.template.ok_or(known.note);
    }
    // Without a template, "not changed" would say nothing.
    let etag = known.etag.as_deref().filter(|_| known.template.is_some());
    let fetched = doors.http.fetch(lookup, etag, deadline).map_err(|missed| missed.text);
    let looked = match fetched.and_then(|document| read(lookup, pointer, &document, &known, now_ms)) {
        Ok(looked) => looked,
        Err(why) => {
            let note = format!("{lookup}: {why}");
            tracing::warn!(lookup, "the URL of the application cannot be looked up: {why}");
            TemplateLookup { note, fresh_ms: now_ms + FAILED_MS, ..known }
        }
    };
    if let Err(error) = doors.store.put_template(&source, &looked) {
        tracing::warn!(%error, lookup, "what was looked up is not remembered");
    }
    looked.template.ok_or(looked.note)
}

/// What a document says, or why it says nothing.
fn read(
    lookup: &str,
    pointer: &str,
    document: &Document,
    known: &TemplateLookup,
    now_ms: i64,
) -> Result<TemplateLookup, String> {
    let fresh_ms = now_ms + holds_ms(document.cache_control.as_deref());
    match document.status {
        304 if known.template.is_some() => {
            return Ok(TemplateLookup { fresh_ms, note: String::new(), ..known.clone() });
        }
        200 => {}
        status => return Err(format!("answered {status}")),
    }
    let value: Value =
        serde_json::from_slice(&document.body).map_err(|_| "is not a JSON document".to_owned())?;
    let template = value.pointer(pointer).and_then(Value::as_str);
    let template = template.ok_or_else(|| format!("has no text at {pointer:?}"))?;
    let plain = template.len() <= MAX_TEMPLATE && template.chars().all(|c| c.is_ascii_graphic());
    let safe = template.starts_with("https://")
        || (template.starts_with("http://") && lookup.starts_with("http://"));
    if !(plain && safe) {
        return Err(format!("what it has at {pointer:?} is not an https URL template"));
    }
    Ok(TemplateLookup {
        template: Some(template.to_owned()),
        etag: document.etag.clone(),
        fresh_ms,
        note: String::new(),
    })
}

/// How long an answer with this Cache-Control (RFC 9111) holds, in milliseconds.
fn holds_ms(cache_control: Option<&str>) -> i64 {
    let directives =
        || cache_control.unwrap_or_default().split(',').map(|word| word.trim().to_ascii_lowercase());
    if directives().any(|word| word == "no-store" || word == "no-cache") {
        return LEAST_MS;
    }
    let max_age =
        directives().find_map(|word| word.strip_prefix("max-age=")?.trim_matches('"').parse::<i64>().ok());
    max_age.map_or(HOLDS_MS, |seconds| seconds.saturating_mul(1000).clamp(LEAST_MS, MOST_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_786_000_000_000;

    fn looked(
        lookup: &str,
        pointer: &str,
        status: u16,
        body: &str,
        known: &TemplateLookup,
    ) -> Result<TemplateLookup, String> {
        let document =
            Document { status, body: body.into(), etag: Some("\"2\"".into()), cache_control: None };
        read(lookup, pointer, &document, known, NOW)
    }

    #[test]
    fn the_template_stands_where_the_pointer_points() {
        let none = TemplateLookup::default();
        let body = r#"{"email_suspensions_url": "https://a.example/emails/{address}/suspend", "api": [{"b/c": "https://b.example/{address}"}]}"#;
        let read = |pointer| looked("https://a.example/", pointer, 200, body, &none);
        let first = read("/email_suspensions_url").unwrap();
        assert_eq!(first.template.as_deref(), Some("https://a.example/emails/{address}/suspend"));
        assert_eq!((first.etag.as_deref(), first.fresh_ms), (Some("\"2\""), NOW + HOLDS_MS));
        assert_eq!(read("/api/0/b~1c").unwrap().template.as_deref(), Some("https://b.example/{address}"));
        assert!(read("/nothing").unwrap_err().contains("/nothing"));
        assert!(read("/api").is_err() && read("").is_err());
        assert!(looked("https://a.example/", "", 200, "<html>", &none).unwrap_err().contains("JSON"));
        assert!(looked("https://a.example/", "", 503, "", &none).unwrap_err().contains("503"));
        assert!(looked("https://a.example/", "", 304, "", &none).is_err());
        assert_eq!(looked("https://a.example/", "/x", 304, "", &first).unwrap().template, first.template);
    }

    #[test]
    fn a_document_leads_nowhere_else() {
        let none = TemplateLookup::default();
        for (template, from_https, from_http) in [
            ("https://b.example/{address}", true, true),
            ("http://b.example/{address}", false, true),
            ("file:///etc/passwd", false, false),
            ("ftp://b.example/", false, false),
            ("/{address}", false, false),
            ("https://b.example/a b", false, false),
            ("https://b.example/\r\nX: y", false, false),
        ] {
            let body = serde_json::json!({ "u": template }).to_string();
            for (lookup, allowed) in [("https://a.example/", from_https), ("http://a.example/", from_http)] {
                assert_eq!(looked(lookup, "/u", 200, &body, &none).is_ok(), allowed, "{lookup} {template}");
            }
        }
    }

    #[test]
    fn how_long_it_holds() {
        for (cache_control, holds) in [
            (None, HOLDS_MS),
            (Some("public"), HOLDS_MS),
            (Some("public, max-age=600"), 600_000),
            (Some("Max-Age=0"), LEAST_MS),
            (Some("max-age=99999999999999999"), MOST_MS),
            (Some("no-cache, max-age=600"), LEAST_MS),
            (Some("max-age=-1"), LEAST_MS),
            (Some("max-age=soon"), HOLDS_MS),
        ] {
            assert_eq!(holds_ms(cache_control), holds, "{cache_control:?}");
        }
    }
}
