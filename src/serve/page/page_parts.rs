//! Pieces that several views have.

use super::frame::LONGEST;
use super::page_reader::PageReader;
use crate::stats::Figures;
use crate::stats::render::html::figure_lists::{short_time, typed};
use crate::stats::render::html::markup::Html;

/// The command that shows the same.
pub(crate) fn command(to: &mut Html, what: &'static str, command: &str) {
    to.raw("<p class=command>").raw(what).raw(": <code dir=ltr>").text(command).raw("</code></p>\n");
}

/// What prints the figures of their period.
pub(crate) fn report_command(figures: &Figures) -> String {
    let times = [figures.from_ms, figures.to_ms].map(short_time);
    typed("carom report", [("since", times[0].as_str()), ("until", times[1].as_str())].into_iter())
}

/// The head of a view.
pub(crate) fn title(to: &mut Html, title: &str) {
    to.raw("<header><h1><bdi>").foreign(title, LONGEST).raw("</bdi></h1></header>\n");
}

pub(crate) fn note(to: &mut Html, note: &str) {
    to.raw("<p class=none>").text(note).raw("</p>\n");
}

/// A table of rows, in a box that it can be moved in.
pub(crate) struct RowTable {
    /// What the rows are.
    pub(crate) label: &'static str,
    pub(crate) columns: &'static [&'static str],
    /// The head of the column with buttons, for readers who may act.
    pub(crate) acts: Option<&'static str>,
}

impl RowTable {
    pub(crate) fn write<R>(
        &self,
        to: &mut Html,
        rows: impl IntoIterator<Item = R>,
        reader: &PageReader,
        row: impl Fn(&mut Html, R, &PageReader),
    ) {
        let RowTable { label, columns, acts } = self;
        to.tag("div", &[("class", &"scroll"), ("tabindex", &0), ("role", &"group"), ("aria-label", label)]);
        to.raw("<table class=rows><thead><tr>");
        for column in columns.iter().chain(acts.iter().filter(|_| reader.may_act)) {
            to.raw("<th scope=col>").raw(column);
        }
        to.raw("<tbody>");
        rows.into_iter().for_each(|one| row(to, one, reader));
        to.raw("</table></div>\n");
    }
}

/// A button that carries out one action: the values go to `path` as JSON.
pub(crate) struct ActionButton<'a> {
    pub(crate) path: &'a str,
    /// The word on the button.
    pub(crate) word: &'static str,
    /// What it is for, for readers who do not see the row.
    pub(crate) about: &'a str,
    pub(crate) values: &'a [(&'static str, &'a str)],
    /// Asked before it is done; empty: nothing is asked.
    pub(crate) ask: &'a str,
    /// The view that shows the result; empty: the same.
    pub(crate) then: &'static str,
}

impl ActionButton<'_> {
    /// Nothing for a reader who may not act.
    pub(crate) fn write(&self, to: &mut Html, reader: &PageReader) {
        if !reader.may_act {
            return;
        }
        let ActionButton { path, word, about, values, ask, then } = self;
        let attributes: [(&'static str, &dyn std::fmt::Display); 4] =
            [("class", &"act"), ("data-post", path), ("data-ask", ask), ("data-then", then)];
        to.tag("form", &attributes);
        for (name, value) in *values {
            to.tag("input", &[("type", &"hidden"), ("name", name), ("value", value)]);
        }
        to.raw("<button disabled>").raw(word).raw("<span class=sr> ").foreign(about, LONGEST);
        to.raw("</span></button></form>");
    }
}
