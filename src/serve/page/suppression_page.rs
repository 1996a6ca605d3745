//! `/suppressions`: who gets no more mail, and why; release and suppress. `/undo`: what a period
//! suppressed, shown before it is released.
//!
//! Not here: the list (`store`) and what an undo finds (`release`).

use super::entry_words::{entry_table, suppress_form};
use super::frame::Frame;
use super::page_parts::{ActionButton, command, note, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::clock;
use crate::release::{self, Undo, UndoFilter};
use crate::serve::api::{action_routes, store_routes};
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_query::HttpQuery;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::figure_lists::{Choice, typed};
use crate::stats::render::html::markup::{Html, card};
use crate::stats::render::wording::number;

pub(super) const PARAMETERS: &[&str] = &["containing", "cursor"];
pub(super) const UNDO_PARAMETERS: &[&str] =
    &["since", "until", "rule", "reason", "source", "provider", "sender_domain"];
/// Entries of a page.
const PAGE: usize = 100;
/// Where an undo is carried out.
const UNDO: &str = "/api/v1/suppressions/undo";

pub(super) fn suppressions(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/suppressions");
    let containing = asked.query.text("containing").unwrap_or_default().to_lowercase();
    let after = asked.query.text("cursor").map(store_routes::entry_at).transpose()?;
    asked.desk.fold();
    let (entries, next) = asked.view.suppressions(&containing, after, clock::now_ms(), PAGE)?;
    let frame = Frame { title: "Suppressions", path: "/suppressions", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Suppressions");
        to.raw("<form action=\"/suppressions\" class=filter><label>Addresses that contain");
        to.tag("input", &[("name", &"containing"), ("value", &containing), ("maxlength", &998)]);
        to.raw("</label><button>Show</button></form>\n");
        match entries.is_empty() {
            true => note(to, "No entry."),
            false => entry_table(to, &entries, &reader),
        }
        if let Some(next) = &next {
            let mut query = asked.query.clone();
            query.set("cursor", store_routes::place_of(next));
            to.raw("<p>");
            to.tag("a", &[("class", &"more"), ("href", &format_args!("/suppressions?{}", query.written()))]);
            to.raw("More entries</a></p>\n");
        }
        if reader.may_act {
            card(to, "new", "Suppress an address");
            suppress_form(to, "", &reader);
            to.raw("</section>\n");
        }
        if reader.is_whole {
            to.raw("<p><a href=\"/undo\">Undo what a period suppressed</a></p>\n");
            let list = format!(
                "carom suppress list {}",
                crate::stats::render::html::figure_lists::shell_word(&containing)
            );
            command(to, "The same on the command line", list.trim_end_matches(" ''"));
        }
    }))
}

pub(super) fn undo(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (reader, now_ms) = (PageReader::of(asked, "/undo"), clock::now_ms());
    let query = asked.query;
    let found = match (query.time("since")?, asked.view.whole()?.store) {
        (Some(since_ms), Some(store)) => {
            let until_ms = query.time("until")?.unwrap_or(release::open_end(now_ms));
            if since_ms >= until_ms {
                return Err(Problem::bad_value("until", "is not after since", "give the beginning as since"));
            }
            action_routes::known_source(query.text("source"))?;
            asked.desk.fold();
            let filter = undo_filter(query, (since_ms, until_ms));
            Some((Undo::find(store, &filter, &asked.desk.config, now_ms)?, filter))
        }
        _ => None,
    };
    let frame = Frame { title: "Undo a period", path: "/suppressions", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Undo what a period suppressed");
        to.raw("<p class=note>Entries of operators and imports stay, unless the source names them. Soft bounces ");
        to.raw("of the period are forgotten, and applications are notified with bounce.undone.</p>\n");
        undo_form(to, query);
        if let Some((found, filter)) = &found {
            preview(to, found, filter, &reader);
        }
    }))
}

fn undo_filter(query: &HttpQuery, (since_ms, until_ms): (i64, i64)) -> UndoFilter {
    UndoFilter {
        since_ms,
        until_ms,
        rule: query.owned("rule"),
        reason: query.owned("reason"),
        source: query.owned("source"),
        provider: query.owned("provider"),
        sender_domain: query.owned("sender_domain"),
    }
}

fn undo_form(to: &mut Html, query: &HttpQuery) {
    to.raw("<form action=\"/undo\" class=filter>");
    let labels = ["From", "To", "Rule", "Reason", "Source", "Provider", "Mail of"];
    for (name, label) in UNDO_PARAMETERS.iter().zip(labels) {
        to.raw("<label>").raw(label);
        let value = query.text(name).unwrap_or_default();
        let hint = if *name == "since" { "3h, 2026-01-31T12:00:00Z" } else { "" };
        to.tag("input", &[("name", name), ("value", &value), ("maxlength", &253), ("placeholder", &hint)]);
        to.raw("</label>");
    }
    to.raw("<button>Show what would be released</button></form>\n");
}

fn preview(to: &mut Html, found: &Undo, filter: &UndoFilter, reader: &PageReader) {
    let sum = found.sum();
    card(to, "preview", "What would happen");
    to.raw("<p><b>").text(number(sum.released as u64)).raw("</b> entries would be released, <b>");
    to.text(number(sum.restored as u64)).raw("</b> stay because an earlier entry goes on, and <b>");
    to.text(number(sum.notified as u64)).raw("</b> notifications would be sent. Nothing was changed.</p>\n");
    let entries: Vec<_> = found.releases.iter().take(PAGE).map(|one| one.entry.clone()).collect();
    if !entries.is_empty() {
        entry_table(to, &entries, &reader.without_buttons());
    }
    if found.releases.len() > PAGE {
        to.raw("<p class=note>The first ").text(number(PAGE as u64)).raw(" are shown.</p>\n");
    }
    // The period as it is shown here: an age means another one when the button is pressed.
    let times = [filter.since_ms, filter.until_ms].map(clock::rfc3339);
    let UndoFilter { rule, reason, source, provider, sender_domain, .. } = filter;
    let mut values = vec![("since", times[0].as_str()), ("until", times[1].as_str())];
    let named = [("rule", rule), ("reason", reason), ("source", source), ("provider", provider)];
    let named = named.into_iter().chain([("sender_domain", sender_domain)]);
    values.extend(named.filter_map(|(name, value)| Some((name, value.as_deref()?))));
    if sum.released + sum.restored > 0 {
        let ask = format!("Release {} entries?", sum.released);
        let undo = ActionButton {
            path: UNDO,
            word: "Release them",
            about: "of the period",
            values: &values,
            ask: &ask,
            then: "",
        };
        undo.write(to, reader);
    }
    to.raw("</section>\n");
    let options: Vec<Choice<'_>> =
        values.iter().map(|(name, value)| (option(name), *value)).chain([("dry-run", "")]).collect();
    command(to, "The same on the command line", &typed("carom suppress undo", options.into_iter()));
}

fn option(name: &'static str) -> &'static str {
    if name == "sender_domain" { "sender-domain" } else { name }
}
