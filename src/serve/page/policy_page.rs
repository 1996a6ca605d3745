//! `/policy`: which policies decide, where they come from, and within which limits.
//!
//! Not here: installing one. Invariants: nothing secret of the config is shown; what cannot be used
//! is shown with its fault, beside the others.

use super::frame::{Frame, LONGEST};
use super::page_parts::{ActionButton, RowTable, command, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::config::Config;
use crate::error::Error;
use crate::policy::listed_policy::{self, ListedPolicy};
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::markup::{Html, card, scroll};
use crate::stats::render::wording::{bytes, number};

/// Characters of a fault.
const FAULT: usize = 1000;
/// Where an installed rule is removed.
const REMOVE: &str = "/api/v1/rules/remove";
const INSTALLED: RowTable = RowTable {
    label: "Installed rules",
    columns: &["Rule", "Pattern", "Only of", "Means"],
    acts: Some("<span class=sr>Action</span>"),
};

pub(super) fn policy(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (reader, config) = (PageReader::of(asked, "/policy"), &asked.desk.config);
    // Rules were installed since the server read its config.
    let config = &config.with_rules_now();
    let (policies, rules) = (listed_policy::list(config), config.installed_rules());
    let frame = Frame { title: "Policy", path: "/policy", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Policies in force");
        table(to, &policies, config);
        installed(to, rules.as_deref(), &reader);
        limits(to, config);
        command(to, "The same on the command line", "carom policy list");
    }))
}

fn table(to: &mut Html, policies: &[ListedPolicy], config: &Config) {
    card(to, "policies", "Policies");
    scroll(to, "policies");
    to.raw("<table class=rows><thead><tr><th scope=col>Policy<th scope=col>What it does");
    to.raw("<th scope=col>From<th scope=col>Hash<th scope=col>Own rules<tbody>");
    for one in policies {
        to.raw("<tr><th scope=row>").foreign(&one.name, LONGEST).raw("<td>");
        if let Some(fault) = &one.fault {
            to.raw("<p class=unreadable>").foreign(fault, FAULT).raw("</p>");
        }
        to.raw(match (one.default, one.name == config.index.policy) {
            (true, true) => "decides, and classifies replies in the mail log",
            (true, false) => "decides unless --policy says otherwise",
            (false, true) => "classifies replies in the mail log",
            (false, false) => "decides where --policy names it",
        });
        to.raw("<td class=why>").foreign(&one.from, LONGEST).raw("<td><code dir=ltr>");
        let hash = one.hash.as_deref().and_then(|hash| hash.get(..12)).unwrap_or_default();
        let settings = config.policy.get(&one.name).and_then(|policy| policy.settings.get("rules"));
        let rules = settings.and_then(toml::Value::as_array).map_or(0, Vec::len);
        to.foreign(hash, LONGEST).raw("</code><td>").text(number(rules as u64));
    }
    to.raw("</table></div></section>\n");
}

/// Rules that were installed here, beside those of the config.
fn installed(to: &mut Html, rules: Result<&[toml::Table], &Error>, reader: &PageReader) {
    if rules.is_ok_and(<[_]>::is_empty) {
        return;
    }
    card(to, "rules", "Installed rules");
    match rules {
        Ok(rules) => INSTALLED.write(to, rules, reader, installed_rule),
        Err(error) => _ = to.raw("<p class=unreadable>").foreign(&error.to_string(), FAULT).raw("</p>"),
    }
    to.raw("</section>\n");
}

fn installed_rule(to: &mut Html, rule: &toml::Table, reader: &PageReader) {
    let text = |name: &str| rule.get(name).and_then(toml::Value::as_str).unwrap_or_default();
    to.raw("<tr><th scope=row>").foreign(text("name"), LONGEST).raw("<td class=why><code dir=ltr>");
    to.foreign(text("pattern"), 2 * LONGEST).raw("</code><td>");
    for (name, words) in [("codes", "code "), ("provider", "servers of ")] {
        if !text(name).is_empty() {
            to.raw(words).raw("<bdi>").foreign(text(name), LONGEST).raw("</bdi> ");
        }
    }
    to.raw("<td>").foreign(text("reason"), LONGEST);
    if !text("severity").is_empty() {
        to.raw(", ").foreign(text("severity"), LONGEST);
    }
    if reader.may_act {
        to.raw("<td>");
        let (values, ask) = ([("name", text("name"))], "Remove this rule?");
        ActionButton { path: REMOVE, word: "Remove", about: text("name"), values: &values, ask, then: "" }
            .write(to, reader);
    }
}

fn limits(to: &mut Html, config: &Config) {
    card(to, "limits", "Limits");
    to.raw("<dl class=pairs><dt>Memory of a policy<dd>").text(bytes(config.limits.memory as u64));
    to.raw("<dt>Largest message<dd>").text(bytes(config.message.max_size));
    to.raw("<dt>Time for one decision<dd>").text(number(config.limits.time)).raw(" ms, without DNS");
    to.raw("<dt>Steps of one plan<dd>").text(number(config.limits.steps as u64));
    to.raw("</dl></section>\n");
}
