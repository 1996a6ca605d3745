//! The envelope of every answer of Postfix-Deliverability-Analytics, also where something is wrong.
//!
//! Not here: results. Invariant: its clients find `status.succeeded`, whatever the HTTP status is.

use super::super::http_answer::HttpAnswer;
use super::super::problem::Problem;
use crate::clock;
use axum::http::HeaderMap;
use serde_json::{Value, json};

/// How the paths of the other tool begin.
const PATHS: &str = "/agent-";

/// Whether a path is one that only clients of the other tool ask for.
pub(in crate::serve) fn is_of_agent(path: &str) -> bool {
    path.starts_with(PATHS)
}

/// A result for a client that sent these header fields.
pub(super) fn enveloped(asked: &HeaderMap, result: Value) -> HttpAnswer {
    sealed(asked, |to| _ = serde_json::to_writer(to, &result), (true, "OK"))
}

/// The same for a result that is written as JSON, and may be large.
pub(super) fn enveloped_text(asked: &HeaderMap, write: impl FnOnce(&mut Vec<u8>)) -> HttpAnswer {
    sealed(asked, write, (true, "OK"))
}

/// What went wrong.
pub(in crate::serve) fn refused(problem: Problem, asked: &HeaderMap) -> HttpAnswer {
    let message = format!("{}: {}", problem.detail(), problem.fix());
    let answer = sealed(asked, |to| to.extend(b"null"), (false, &message));
    let HttpAnswer { status, fields, .. } = problem.answer();
    HttpAnswer { status, fields, ..answer }
}

/// Clients that name their version get that of the server.
fn sealed(
    asked: &HeaderMap,
    write: impl FnOnce(&mut Vec<u8>),
    (succeeded, message): (bool, &str),
) -> HttpAnswer {
    let mut status = json!({ "succeeded": succeeded, "message": message, "timeStamp": clock::now_ms() });
    if asked.contains_key("client-version") {
        status["version"] = env!("CARGO_PKG_VERSION").into();
        status["responseTime"] = 0.into();
    }
    let mut body = br#"{"result":"#.to_vec();
    write(&mut body);
    body.extend(format!(",\"status\":{status}}}\n").bytes());
    HttpAnswer::of("application/json", body)
}
