//! `/alerts`: the state of each rule, and what keeps one silent for a time.
//!
//! Not here: rules (`alert`). Invariant: a rule that fires comes first.

use super::frame::{Frame, LONGEST};
use super::page_parts::{ActionButton, RowTable, command, note, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::alert::{Desk, RuleState};
use crate::clock;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::markup::Html;

/// Where an alert is silenced.
const SILENCE: &str = "/api/v1/alerts/silence";
/// Seconds between two looks at the present.
const FRESH: u32 = 30;
const TABLE: RowTable = RowTable {
    label: "Alerts",
    columns: &["Alert", "State", "Measured", "Value", "Threshold", "Since"],
    acts: Some("Silence"),
};
/// Hours, and the word for them.
const TERMS: [(&str, &str); 3] = [("1", "1 hour"), ("8", "8 hours"), ("72", "3 days")];

pub(super) fn alerts(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/alerts");
    asked.desk.fold();
    let config = &asked.desk.config;
    let mut states = match asked.view.whole()?.store {
        None => Vec::new(),
        Some(store) => {
            let beat = store.heartbeat()?.unwrap_or_default();
            let now_ms = clock::now_ms();
            Desk { config, store, now_ms, failed: &beat.failed, logs_complete: true }.states()?
        }
    };
    states.sort_by_key(|one| match one.state {
        "firing" => 0,
        "pending" => 1,
        _ => 2,
    });
    let frame = Frame { title: "Alerts", path: "/alerts", fresh_for: Some(FRESH), reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Alerts");
        match states.is_empty() {
            true => note(to, "There are no [[alert]] rules in the config."),
            false => TABLE.write(to, &states, &reader, row),
        }
        command(to, "The same on the command line", "carom alerts");
    }))
}

fn row(to: &mut Html, state: &RuleState, reader: &PageReader) {
    let mark = match state.state {
        "firing" => "bounced",
        "pending" => "deferred",
        _ => "sent",
    };
    to.raw("<tr><th scope=row>").foreign(&state.alert, LONGEST).raw("<td>");
    to.tag("span", &[("class", &format_args!("mark {mark}"))]).raw(state.state).raw("</span>");
    if let Some(at_ms) = state.silent_until.as_deref().and_then(clock::parse) {
        to.raw("<small>silent until ");
        reader.time(to, at_ms);
        to.raw("</small>");
    }
    to.raw("<td class=why>");
    to.foreign(&state.what, LONGEST);
    if let Some(note) = &state.note {
        to.raw("<small>").foreign(note, 300).raw("</small>");
    }
    to.raw("<td>").foreign(&state.shown, LONGEST).raw("<td>").foreign(&state.threshold, LONGEST).raw("<td>");
    match state.since.as_deref().and_then(clock::parse) {
        Some(at_ms) => reader.time(to, at_ms),
        None => _ = to.raw("–"),
    }
    if reader.may_act {
        to.raw("<td class=acts>");
        for (term, word) in TERMS {
            let values = [("alert", state.alert.as_str()), ("hours", term)];
            let about = format!("silent: {}", state.alert);
            ActionButton { path: SILENCE, word, about: &about, values: &values, ask: "", then: "" }
                .write(to, reader);
        }
        if state.silent_until.is_some() {
            let values = [("alert", state.alert.as_str()), ("hours", "0")];
            let (word, about) = ("End", format!("of silence: {}", state.alert));
            ActionButton { path: SILENCE, word, about: &about, values: &values, ask: "", then: "" }
                .write(to, reader);
        }
    }
}
