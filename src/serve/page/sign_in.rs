//! A browser signs in with a token, and out again; and chooses the zone of its times.
//!
//! The token is kept by the browser in a cookie that no script reads and that no other site's page
//! can send. Not here: which tokens there are (`gate`). Invariant: a token is never part of an
//! address, and is accepted only from a form of this page.

use super::page_reader::zone_cookie;
use super::showing::{alone, elsewhere};
use crate::serve::gate;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_query::HttpQuery;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use axum::http::StatusCode;

pub(super) fn form(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    Ok(ask(asked.query.text("back").unwrap_or("/"), None))
}

/// The form; after the sign-in it leads back.
pub(crate) fn ask(back: &str, why: Option<&str>) -> HttpAnswer {
    alone("Sign in", |to| {
        to.raw("<h1>carom</h1>\n");
        if let Some(why) = why {
            to.raw("<p class=unreadable role=alert>").text(why).raw("</p>\n");
        }
        to.raw("<form method=post action=\"/sign-in\" class=stack>\n<label for=token>Token</label>");
        to.raw("<input id=token name=token type=password required maxlength=1000 ");
        to.raw("autocomplete=current-password autofocus>");
        to.tag("input", &[("type", &"hidden"), ("name", &"back"), ("value", &back)]);
        to.raw("<button>Sign in</button></form>\n");
        to.raw("<p class=note>Ask the operator for a token. <code>carom secret new --token</code> makes one.</p>\n");
    })
}

pub(super) fn sign_in(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    gate::is_from_here(asked.headers)?;
    let form = HttpQuery::read(&String::from_utf8_lossy(asked.body), &["token", "back"], true)?;
    let token = form.text("token").unwrap_or_default().trim();
    let back = form.text("back").unwrap_or("/");
    match asked.desk.gate.knows(token, asked.headers, asked.peer) {
        Ok(()) => {
            Ok(elsewhere(back).with("set-cookie", gate::cookie_of(token, asked.headers, asked.is_secured)))
        }
        Err(problem) => {
            let mut again = ask(back, Some(problem.detail()));
            again.status = problem.status();
            Ok(again)
        }
    }
}

pub(super) fn sign_out(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    gate::is_from_here(asked.headers)?;
    Ok(elsewhere("/sign-in").with("set-cookie", gate::no_cookie(asked.headers, asked.is_secured)))
}

pub(super) fn zone(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let name = asked.query.text("zone").unwrap_or("UTC");
    let back = elsewhere(asked.query.text("back").unwrap_or("/"));
    match zone_cookie(name) {
        Some(cookie) => Ok(back.with("set-cookie", cookie)),
        None => Err(Problem::bad_value(
            "zone",
            "is not known here",
            "use UTC, server, or a name like Europe/Berlin",
        )),
    }
}

/// Who is not known is asked for a token, and led back to what was wanted.
pub(crate) fn wanted(back: &str, problem: &Problem, has_token: bool) -> HttpAnswer {
    let why = (has_token || problem.status() != StatusCode::UNAUTHORIZED).then(|| problem.detail());
    let mut shown = ask(back, why);
    shown.status = problem.status();
    shown
}
