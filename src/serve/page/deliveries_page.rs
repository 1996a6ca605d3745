//! `/deliveries`: the list behind every figure, by whatever deliveries have.
//!
//! Not here: finding them (`delivery_filters`). Invariant: the list shows the command that prints
//! the same.

use super::delivery_table::{count, table};
use super::frame::Frame;
use super::page_parts::{command, note, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::serve::delivery_filters::{self, FILTERS};
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_query::HttpQuery;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::figure_lists::typed;
use crate::stats::render::html::markup::Html;

/// Deliveries of a page.
const PAGE: usize = 100;
/// What can be chosen in the form: the parameter, its label.
const CHOICES: [(&str, &str); 10] = [
    ("recipient", "Recipient"),
    ("sender", "Sender"),
    ("client", "Client"),
    ("status", "Status"),
    ("reason", "Reason"),
    ("provider", "Provider"),
    ("domain", "Recipient domain"),
    ("sender_domain", "Sender domain"),
    ("since", "From"),
    ("until", "To"),
];
/// Those of them that are always shown.
const USUAL: usize = 5;

pub(super) fn deliveries(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/deliveries");
    let found = delivery_filters::found(asked, PAGE)?;
    let frame = Frame { title: "Deliveries", path: "/deliveries", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Deliveries");
        form(to, asked.query);
        count(to, found.deliveries.len(), found.next.is_some());
        match found.deliveries.is_empty() {
            true if found.next.is_some() => {
                note(to, "None of the newest deliveries is one. Older deliveries were not looked at yet.");
            }
            true => note(to, "There is no such delivery."),
            false => table(to, &found.deliveries, &reader),
        }
        if let Some(next) = found.next {
            let mut query = asked.query.clone();
            query.set("cursor", delivery_filters::cursor(next));
            to.raw("<p>");
            to.tag("a", &[("class", &"more"), ("href", &format_args!("/deliveries?{}", query.written()))]);
            to.raw("Older deliveries</a></p>\n");
        }
        let mut api = asked.query.clone();
        api.set("limit", "1000");
        let address = format!("/api/v1/deliveries?{}", api.written());
        to.raw("<p class=command>");
        to.tag("a", &[("href", &address)]).raw("As JSON</a> · ");
        to.tag("a", &[("href", &format_args!("{address}&format=csv"))]).raw("as CSV</a></p>\n");
        command(to, "The same on the command line", &command_of(asked.query));
    }))
}

fn form(to: &mut Html, query: &HttpQuery) {
    to.raw("<form action=\"/deliveries\" class=filter>");
    let is_more = CHOICES[USUAL..].iter().any(|(name, _)| query.text(name).is_some());
    for (name, label) in &CHOICES[..USUAL] {
        field(to, name, label, query);
    }
    to.raw(if is_more { "<details open>" } else { "<details>" })
        .raw("<summary>More</summary><div class=fields>");
    for (name, label) in &CHOICES[USUAL..] {
        field(to, name, label, query);
    }
    to.raw("</div></details>");
    // What the form does not have is kept when it is sent.
    for name in FILTERS.iter().filter(|name| CHOICES.iter().all(|(choice, _)| choice != *name)) {
        if let Some(value) = query.text(name) {
            to.tag("input", &[("type", &"hidden"), ("name", name), ("value", &value)]);
        }
    }
    to.raw("<button>Show</button></form>\n");
}

fn field(to: &mut Html, name: &'static str, label: &'static str, query: &HttpQuery) {
    // An empty field is no filter, so the null sender is written as people write it.
    let is_null_sender = name == "sender" && query.given(name) == Some("");
    let value = if is_null_sender { "<>" } else { query.text(name).unwrap_or_default() };
    to.raw("<label>").raw(label);
    to.tag("input", &[("name", &name), ("value", &value), ("maxlength", &998), ("autocomplete", &"off")]);
    to.raw("</label>");
}

fn command_of(query: &HttpQuery) -> String {
    let given = FILTERS.iter().filter_map(|name| option(name, query.given(name)?));
    typed("carom deliveries", given)
}

/// The option of the command for a parameter, and its value; `None`: it asks for nothing.
fn option<'v>(name: &str, value: &'v str) -> Option<(String, &'v str)> {
    let option = || name.replace('_', "-");
    match (name, value) {
        ("sender", "") => Some((option(), "<>")),
        ("own", "false") => Some(("others".into(), "")),
        (_, "") | ("failed" | "unclassified", "false" | "0") => None,
        ("own" | "failed" | "unclassified", _) => Some((option(), "")),
        (_, value) => Some((option(), value)),
    }
}
