//! Events by HTTP: rows for a table of ClickHouse, and batches for a webhook.
//!
//! Not here: connecting (`action::doors`). Invariant: a batch has its token in every try, so that
//! the server can tell a repetition; a password goes only into a header.

use super::sink_batch::{SinkBatch, UntakenBatch};
use crate::action::Doors;
use crate::action::doors::http::Missed;
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
/// The same about an answer that another program has given.
const WHO: &str = "correct url: what answers there, or a proxy before it, is not ClickHouse's HTTP interface";

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
) -> Result<(), UntakenBatch> {
    let mut headers = vec![("Content-Type", "application/x-ndjson".to_owned())];
    headers.extend(user.map(|user| ("X-ClickHouse-User", user.to_owned())));
    headers.extend(password.map(|password| ("X-ClickHouse-Key", password.to_owned())));
    let url = table.insert(&batch.token)?;
    let answered = doors.http.insert(&url, &headers, &batch.lines, deadline);
    let answered = answered.map_err(|missed| no_answer(table.url, &missed, batch))?;
    let refused = |what: &str| Err(refusal(table.url, what, LOOK));
    let is_exception = answered.exception.is_some() || answered.text.contains("DB::Exception");
    match (answered.status, answered.exception) {
        (200, None) if answered.is_clickhouse && !is_exception => Ok(()),
        (status @ 200..=299, None) if !is_exception => {
            Err(refusal(table.url, &format!("answered {status}, and not as ClickHouse does"), WHO))
        }
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
) -> Result<(), UntakenBatch> {
    let body = webhook_body(&batch.lines);
    let mut headers = vec![("Content-Type", "application/json".to_owned())];
    let id = format!("msg_{}", batch.token);
    match secrets {
        Some(secrets) => headers.extend(secrets.headers(&id, clock::now_ms(), &body)?),
        None => headers.push(("webhook-id", id)),
    }
    let answered = doors.http.post(url, &headers, &body, deadline);
    let answered = answered.map_err(|missed| no_answer(url, &missed, batch))?;
    match answered.status {
        200..=299 => Ok(()),
        status => Err(refusal(url, &format!("answered {status}"), LOOK)),
    }
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

fn refusal(url: &str, what: &str, fix: &str) -> UntakenBatch {
    Error::new(format_args!("{}: {what}", shown(url))).remedy(waits(fix)).into()
}

fn no_answer(url: &str, missed: &Missed, batch: &SinkBatch<'_>) -> UntakenBatch {
    let (to, why) = (shown(url), &missed.text);
    if missed.is_late {
        let what = format!("{to}: {why} to a batch of {} bytes", batch.lines.len());
        let fix = "if the server or the line is slow, set seconds of its [[events]] higher; the events wait, and \
                   the next ticks try again, with smaller batches";
        return UntakenBatch { error: Error::new(what).remedy(fix), is_late: true };
    }
    Error::new(format_args!("{to}: {why}"))
        .remedy(waits("see whether the server runs and [network] allow_private has its address"))
        .into()
}

fn waits(fix: &str) -> String {
    format!("{fix}; the events wait, and the next tick tries again")
}
