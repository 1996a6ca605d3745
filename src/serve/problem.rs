//! What went wrong with a request: a status and a document of RFC 9457, which names the fix.
//!
//! Invariant: a problem never shows what the caller may not see, nor where carom keeps its files.

use super::http_answer::HttpAnswer;
use crate::error::Error;
use axum::http::StatusCode;
use serde_json::json;

#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The word for it, which programs read.
    word: &'static str,
    detail: String,
    fix: String,
    /// Header fields of the answer.
    fields: Vec<(&'static str, String)>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        word: &'static str,
        detail: impl ToString,
        fix: impl ToString,
    ) -> Problem {
        Problem { status, word, detail: detail.to_string(), fix: fix.to_string(), fields: Vec::new() }
    }

    /// A parameter, a part of the path or a member of the body that cannot be used.
    pub(crate) fn bad_value(name: &str, what: impl ToString, fix: impl ToString) -> Problem {
        let detail = format!("{name}: {}", what.to_string());
        Problem::new(StatusCode::BAD_REQUEST, "bad-value", detail, fix)
    }

    pub(crate) fn not_found(detail: impl ToString) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not-found", detail, "see /api/v1/openapi.json for what there is")
    }

    /// What carom could not do: the cause goes to its log.
    pub(crate) fn of_error(error: &Error) -> Problem {
        tracing::warn!(%error, "a request could not be answered");
        Problem::unavailable("carom could not read or write what this needs")
    }

    /// What carom needs is not there now: why is in its log.
    pub(crate) fn unavailable(detail: impl ToString) -> Problem {
        let fix = "see carom's log, and run `carom check`";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail, fix)
    }

    pub(crate) fn with_fix(self, fix: impl ToString) -> Problem {
        Problem { fix: fix.to_string(), ..self }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    pub(crate) fn fix(&self) -> &str {
        &self.fix
    }

    pub(crate) fn with(mut self, field: &'static str, value: impl ToString) -> Problem {
        self.fields.push((field, value.to_string()));
        self
    }

    pub(crate) fn answer(self) -> HttpAnswer {
        let document = json!({
            "type": format!("urn:carom:{}", self.word),
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": self.detail,
            "fix": self.fix,
        });
        let mut answer = HttpAnswer::json(&document);
        answer.status = self.status;
        answer.kind = "application/problem+json";
        answer.fields = self.fields;
        answer
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        Problem::of_error(&error)
    }
}
