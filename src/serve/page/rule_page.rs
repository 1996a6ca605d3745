//! `/rule`: a rule is written for replies that no rule knows, and its effect on the failures of the
//! last days is shown before it is installed.
//!
//! Not here: trying it (`suggest`). Invariant: a rule can be installed only from a view that shows
//! what it would change.

use super::frame::Frame;
use super::page_parts::{ActionButton, command, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::class::About;
use crate::deadline::stopping;
use crate::ingest::Watch;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_query::HttpQuery;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::markup::{Html, card};
use crate::stats::render::wording::number;
use crate::suggest::{DraftChanges, WrittenRule};
use std::sync::Arc;

pub(super) const PARAMETERS: &[&str] =
    &["name", "pattern", "codes", "provider", "reason", "severity", "example"];
/// Days of failures that a rule is tried on.
const DAYS: u32 = 30;
/// Where a rule is installed.
const INSTALL: &str = "/api/v1/rules";
/// How bad it is, and the words for it.
const SEVERITIES: [(&str, &str); 3] =
    [("", "by the reply"), ("soft", "soft"), ("hard", "hard: the address is dead")];
/// Characters of an example.
const EXAMPLE: usize = 1000;
/// What came of a trial.
type Trial = Result<DraftChanges, (String, String)>;

pub(super) fn rule(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (reader, query) = (PageReader::of(asked, "/rule"), asked.query);
    let trial = written(query).map(|rule| tried(asked, &rule)).transpose()?;
    let frame = Frame { title: "A rule", path: "/unknown", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "A rule for a reply");
        if let Some(example) = query.text("example") {
            to.raw("<p class=note>For replies like this one:</p><p><code dir=ltr>");
            to.foreign(example, EXAMPLE).raw("</code></p>\n");
        }
        editor(to, query);
        if let Some(trial) = &trial {
            effect(to, trial, query, &reader);
        }
        command(to, "Drafts on the command line", "carom rules suggest");
    }))
}

fn written(query: &HttpQuery) -> Option<WrittenRule> {
    Some(WrittenRule {
        name: query.owned("name")?,
        pattern: query.owned("pattern")?,
        codes: query.owned("codes"),
        provider: query.owned("provider"),
        reason: query.owned("reason")?,
        severity: query.owned("severity"),
    })
}

fn tried(asked: &HttpAsked<'_>, rule: &WrittenRule) -> Result<Trial, Problem> {
    let index = asked.view.whole()?.index;
    let config = Arc::new(asked.desk.config.with_rules_now());
    let watch = Watch { stop: &stopping::flag(), progress: &|_, _| {} };
    let tried = rule.try_out(&config, index, DAYS, &watch);
    Ok(tried.map_err(|error| {
        (error.text().to_string(), error.remedy_text().unwrap_or("correct the rule").to_owned())
    }))
}

fn editor(to: &mut Html, query: &HttpQuery) {
    let value = |name: &str| query.text(name).unwrap_or_default().to_owned();
    to.raw("<form action=\"/rule\" class=stack><label for=name>Name</label>");
    to.tag(
        "input",
        &[
            ("id", &"name"),
            ("name", &"name"),
            ("required", &""),
            ("maxlength", &60),
            ("value", &value("name")),
        ],
    );
    to.raw("<label for=pattern>Pattern: words of the reply; * is anything between them</label>");
    to.raw("<textarea id=pattern name=pattern required maxlength=2000 spellcheck=false>");
    to.foreign(&value("pattern"), EXAMPLE * 2).raw("</textarea>");
    to.raw("<div class=fields><label>Code");
    to.tag("input", &[("name", &"codes"), ("maxlength", &20), ("value", &value("codes"))]);
    to.raw("</label><label>Only from the servers of");
    to.tag("input", &[("name", &"provider"), ("maxlength", &253), ("value", &value("provider"))]);
    to.raw("</label><label>What it means");
    to.raw("<select name=reason required>");
    choices(
        to,
        About::reasons().map(|reason| (reason, reason)),
        query.text("reason").unwrap_or("undetermined"),
    );
    to.raw("</select></label><label>Severity<select name=severity>");
    choices(to, SEVERITIES.into_iter(), query.text("severity").unwrap_or_default());
    to.raw("</select></label></div>");
    if let Some(example) = query.text("example") {
        to.tag("input", &[("type", &"hidden"), ("name", &"example"), ("value", &example)]);
    }
    to.raw("<div><button>Show what it would change</button></div></form>\n");
}

/// Options: their values and words, of which one is chosen.
fn choices(to: &mut Html, all: impl Iterator<Item = (&'static str, &'static str)>, chosen: &str) {
    for (value, words) in all {
        match value == chosen {
            true => to.tag("option", &[("value", &value), ("selected", &"")]),
            false => to.tag("option", &[("value", &value)]),
        };
        to.raw(words);
    }
}

fn effect(to: &mut Html, trial: &Trial, query: &HttpQuery, reader: &PageReader) {
    card(to, "effect", "What it would change");
    let changes = match trial {
        Ok(changes) => changes,
        Err((what, fix)) => {
            to.raw("<p class=unreadable role=alert>").foreign(what, EXAMPLE).raw(". To fix it: ");
            to.foreign(fix, EXAMPLE).raw(".</p></section>\n");
            return;
        }
    };
    let DraftChanges { deliveries, addresses, known, hard } = *changes;
    to.raw("<p>Of the failures of the last ").text(DAYS).raw(" days it would decide <b>");
    to.text(number(deliveries)).raw("</b> deliveries to <b>").text(number(addresses));
    to.raw("</b> addresses. A rule knows <b>").text(number(known)).raw("</b> of them today, and <b>");
    to.text(number(hard)).raw("</b> would become hard.</p>");
    let names = PARAMETERS.iter().filter(|name| **name != "example");
    let mut values: Vec<(&'static str, &str)> =
        names.filter_map(|name| Some((*name, query.text(name)?))).collect();
    let takes_over = known > 0 || hard > 0;
    if takes_over {
        values.push(("force", "true"));
        to.raw("<p class=unreadable>It changes what is known today. A narrower pattern may be meant.</p>");
    }
    let ask = match takes_over {
        true => format!("Install it, though it changes {} failures that are known today?", known.max(hard)),
        false => String::new(),
    };
    let install = ActionButton {
        path: INSTALL,
        word: "Install",
        about: "this rule",
        values: &values,
        ask: &ask,
        // Here it would be tried again, under a name that is in use.
        then: "/policy",
    };
    install.write(to, reader);
    to.raw("</section>\n");
}
