//! The files that the page consists of beside its views: one style sheet and one script.
//!
//! Invariant: they come from this server, and hold nothing of mail.

use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::STYLE;

pub(crate) const SHEET: &str = "/page/carom.css";
pub(crate) const SCRIPT: &str = "/page/carom.js";
/// A drawing in the address itself: a ball that rebounds.
pub(crate) const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E\
%3Cpath d='M1 3l6 10 8-9' fill='none' stroke='%232f6fc4' stroke-width='2'/%3E%3Ccircle cx='7' cy='12' r='3' fill='%232f6fc4'/%3E\
%3C/svg%3E";

pub(super) fn sheet(_asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    Ok(HttpAnswer::of("text/css; charset=utf-8", [STYLE, include_str!("serve.css")].concat()))
}

pub(super) fn script(_asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    Ok(HttpAnswer::of("text/javascript; charset=utf-8", include_str!("serve.js")))
}
