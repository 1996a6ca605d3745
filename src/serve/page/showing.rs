//! A view as an answer: its frame, its content, and what a browser may do with it.
//!
//! Invariant: every view has the same policy: nothing from elsewhere, nothing inline, no frames.

use super::frame::{Frame, head};
use crate::serve::http_answer::HttpAnswer;
use crate::serve::problem::Problem;
use crate::stats::render::html::markup::Html;
use axum::http::StatusCode;

const HTML: &str = "text/html; charset=utf-8";
/// What a view may load, run and send.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

pub(crate) fn show(frame: &Frame<'_>, content: impl FnOnce(&mut Html)) -> HttpAnswer {
    let mut to = frame.begin();
    content(&mut to);
    answer(frame.end(to))
}

fn answer(text: String) -> HttpAnswer {
    let answer = HttpAnswer::of(HTML, text).with("content-security-policy", POLICY);
    // Forms of this page say where they come from, and nobody else hears it.
    answer.with("referrer-policy", "same-origin")
}

/// A view without the ways to others: for somebody who is not known yet.
pub(super) fn alone(title: &str, content: impl FnOnce(&mut Html)) -> HttpAnswer {
    let mut to = Html::default();
    head(&mut to, title);
    to.raw("<body class=alone>\n<main id=main>\n");
    content(&mut to);
    to.raw("</main>\n</body>\n</html>\n");
    answer(to.finish())
}

/// What went wrong, for people.
pub(crate) fn problem(problem: &Problem) -> HttpAnswer {
    let title = problem.status().canonical_reason().unwrap_or("Error");
    let mut shown = alone(title, |to| {
        to.raw("<h1>")
            .text(title)
            .raw("</h1>\n<p>")
            .foreign(problem.detail(), 1000)
            .raw("</p>\n<p>To fix it: ");
        to.foreign(problem.fix(), 1000).raw(".</p>\n<p><a href=\"/\">Back to the overview</a></p>\n");
    });
    shown.status = problem.status();
    shown
}

/// Leads to another place of this server.
pub(super) fn elsewhere(place: &str) -> HttpAnswer {
    let mut answer = answer(String::new()).with("location", own_place(place));
    answer.status = StatusCode::SEE_OTHER;
    answer
}

/// A place of this server, and never of another.
fn own_place(place: &str) -> &str {
    let is_own = place.starts_with('/')
        && !place.starts_with("//")
        && place.bytes().all(|c| c.is_ascii_graphic() && c != b'\\');
    if is_own { place } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for place in ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a b", "/x\r\ny: z"] {
            assert_eq!(own_place(place), "/", "{place:?}");
        }
        assert_eq!(own_place("/search?q=a%40b"), "/search?q=a%40b");
    }
}
