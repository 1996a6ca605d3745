//! `/unknown`: replies that no rule knows, by shape, the most frequent first.
//!
//! Not here: what a shape is (`maillog`). Invariant: text from mail is text.

use super::frame::{Frame, LONGEST};
use super::page_parts::{command, note, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::clock;
use crate::index::{Filter, UnclassifiedShape};
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::markup::{Html, card, scroll};
use crate::stats::render::wording::number;
use crate::suggest;
use url::form_urlencoded::Serializer;

pub(super) const PARAMETERS: &[&str] = &["since"];
/// Shapes that are shown.
const SHOWN: u64 = 50;
/// What is shown without a choice.
const USUAL: &str = "30d";
/// Characters of a shape and of an example.
const TEXT: usize = 600;

pub(super) fn unknown(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/unknown");
    let since = asked.query.text("since").unwrap_or(USUAL).to_owned();
    let since_ms = asked.query.time("since")?.or_else(|| clock::typed_time::time(USUAL).ok());
    let filter = Filter { since_ms, limit: Some(SHOWN), ..Filter::default() };
    let index = asked.view.whole()?.index;
    let shapes = index.map(|index| index.unclassified(&filter)).transpose()?.unwrap_or_default();
    let frame = Frame { title: "Unknown texts", path: "/unknown", fresh_for: None, reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Replies that no rule knows");
        to.raw("<form action=\"/unknown\" class=filter><label>Since");
        to.tag("input", &[("name", &"since"), ("value", &since), ("maxlength", &40)]);
        to.raw("</label><button>Show</button></form>\n");
        match shapes.is_empty() {
            true => note(to, "Every failure has a rule."),
            false => table(to, &shapes, &since, &reader),
        }
        command(
            to,
            "The same on the command line",
            &format!(
                "carom deliveries --unclassified --since {}",
                crate::stats::render::html::figure_lists::shell_word(&since)
            ),
        );
    }))
}

/// Leads to the editor, with a pattern to begin with.
fn write_rule(to: &mut Html, one: &UnclassifiedShape) {
    let Some((name, pattern)) = suggest::beginning(&one.shape) else { return };
    let mut query = Serializer::for_suffix(String::from("/rule?"), 6);
    query.append_pair("name", &name).append_pair("pattern", &pattern).append_pair("example", &one.example);
    to.raw("<p class=command>");
    to.tag("a", &[("href", &query.finish())]).raw("Write a rule</a></p>");
}

fn table(to: &mut Html, shapes: &[UnclassifiedShape], since: &str, reader: &PageReader) {
    card(to, "shapes", "By shape");
    scroll(to, "shapes");
    to.raw("<table class=rows><thead><tr><th scope=col>Reply<th scope=col>Deliveries");
    to.raw("<th scope=col>Code<th scope=col>Latest<tbody>");
    for one in shapes {
        let mut query = Serializer::for_suffix(String::from("/deliveries?"), 12);
        query.append_pair("unclassified", "true");
        query.append_pair("shape", &one.shape).append_pair("since", since);
        to.raw("<tr><th scope=row class=why><code dir=ltr>").foreign(&one.shape, TEXT).raw("</code>");
        to.raw("<details><summary>An example</summary><code dir=ltr>").foreign(&one.example, TEXT);
        to.raw("</code></details>");
        write_rule(to, one);
        to.raw("<td>");
        to.tag("a", &[("href", &query.finish())]).text(number(one.count)).raw("</a><td>");
        to.foreign(one.dsn.as_deref().unwrap_or_default(), LONGEST).raw("<td>");
        reader.time(to, one.last_seen);
    }
    to.raw("</table></div></section>\n");
}
