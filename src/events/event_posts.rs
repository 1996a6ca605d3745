//! Events by HTTP: rows for a table of ClickHouse, and batches for a webhook.
//!
//! Not here: connecting (`action::doors`). Invariant: a batch has its token in every try, so that
//! the server can tell a repetition; a password goes only into a header.

use super::sink_batch::SinkBatch;
use crate::action::Doors;
use crate::clock;
use crate::deadline::Deadline;
use crate::error::{Context, Error, Result};
use crate::text::one_line;
use crate::webhook::{Secrets, shown};
use serde::Deserialize;
use std::borrow::Cow;
use url::Url;

/// What to do about a refusal.
const LOOK: &str = "see the log of the server for the cause";

/// The table that rows go to.
pub(super) struct RowsTable<'a> {
    pub(super) url: &'a str,
    pub(super) database: &'a str,
    pub(super) table: &'a str,
}

impl RowsTable<'_> {
    /// Async inserts would be confirmed before they are stored, and know no token.
    fn insert(&self, token: &str) -> Result<String> {
        let mut url = Url::parse(self.url).context("url")?;
        let query = format!("INSERT INTO {} FORMAT JSONEachRow", self.table);
        url.query_pairs_mut()
            .append_pair("database", self.database)
            .append_pair("query", &query)
            .append_pair("insert_deduplication_token", token)
            .append_pair("async_insert", "0")
            .append_pair("wait_end_of_query", "1")
            .append_pair("date_time_input_format", "best_effort")
            .append_pair("input_format_skip_unknown_fields", "1")
            .append_pair("input_format_json_read_objects_as_strings", "1");
        Ok(url.into())
    }
}

pub(super) fn to_clickhouse(
    doors: &Doors,
    table: &RowsTable<'_>,
    (user, password): (Option<&str>, Option<&str>),
    batch: &SinkBatch<'_>,
    deadline: Deadline,
) -> Result<()> {
    let mut headers = vec![("Content-Type", "application/x-ndjson".to_owned())];
    headers.extend(user.map(|user| ("X-ClickHouse-User", user.to_owned())));
    headers.extend(password.map(|password| ("X-ClickHouse-Key", password.to_owned())));
    let url = table.insert(&batch.token)?;
    let answered = doors.http.insert(&url, &headers, &batch.lines, deadline);
    let answered = answered.map_err(|missed| no_answer(table.url, &missed.text))?;
    let refused =
        |what: &str| Err(Error::new(format_args!("{}: {what}", shown(table.url))).remedy(waits(LOOK)));
    match (answered.status, answered.exception) {
        (200..=299, None) if !answered.text.contains("DB::Exception") => Ok(()),
        // It had begun to answer when the rows failed.
        (status @ 200..=299, code) => {
            let code = code.map(|code| format!(" and the exception {}", one_line(&code))).unwrap_or_default();
            refused(format!("answered {status}{code}: {}", answered.text).trim_end_matches(": "))
        }
        (status, _) if answered.text.is_empty() => refused(&format!("answered {status}")),
        (status, _) => refused(&format!("answered {status}: {}", answered.text)),
    }
}

#[derive(Deserialize)]
struct Timed<'a> {
    #[serde(borrow)]
    time: Cow<'a, str>,
}

pub(super) fn to_webhook(
    doors: &Doors,
    url: &str,
    secrets: Option<&Secrets>,
    batch: &SinkBatch<'_>,
    deadline: Deadline,
) -> Result<()> {
    let body = webhook_body(&batch.lines);
    let mut headers = vec![("Content-Type", "application/json".to_owned())];
    let id = format!("msg_{}", batch.token);
    match secrets {
        Some(secrets) => headers.extend(secrets.headers(&id, clock::now_ms(), &body)?),
        None => headers.push(("webhook-id", id)),
    }
    post(doors, (url, url), &headers, &body, deadline)
}

/// The events in the envelope that Standard Webhooks has. The time is that of the last event, so
/// that a repetition is the same.
fn webhook_body(lines: &[u8]) -> Vec<u8> {
    let events: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let last = events.last().and_then(|last| serde_json::from_slice::<Timed<'_>>(last).ok());
    let time = last.map(|last| last.time).unwrap_or_default();
    let head = format!("{{\"type\":\"carom.events\",\"timestamp\":\"{time}\",\"data\":[");
    [head.as_bytes(), &events.join(&b","[..]), b"]}"].concat()
}

/// `shown_url` is without what carom adds.
fn post(
    doors: &Doors,
    (url, shown_url): (&str, &str),
    headers: &[(&'static str, String)],
    body: &[u8],
    deadline: Deadline,
) -> Result<()> {
    let answered = doors.http.post(url, headers, body, deadline);
    let answered = answered.map_err(|missed| no_answer(shown_url, &missed.text))?;
    match answered.status {
        200..=299 => Ok(()),
        status => {
            Err(Error::new(format_args!("{}: answered {status}", shown(shown_url))).remedy(waits(LOOK)))
        }
    }
}

fn no_answer(shown_url: &str, why: &str) -> Error {
    Error::new(format_args!("{}: {why}", shown(shown_url)))
        .remedy(waits("see whether the server runs and [network] allow_private has its address"))
}

fn waits(fix: &str) -> String {
    format!("{fix}; the events wait, and the next tick tries again")
}
