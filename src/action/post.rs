//! A POST to an application, and what its answer means for the step.
//!
//! Not here: what is posted (`notify`, `tell`), and the wire (`doors::http`). Invariant: only a 2xx
//! answer counts as delivered.

use super::doors::retry_time::{Next, Patience, after_answer};
use super::step_attempt::StepAttempt;
use crate::clock;
use crate::error::Result;
use crate::webhook::{Secrets, shown};

pub(super) struct Request {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// The same at each try.
    id: String,
}

impl Request {
    /// A request that is signed with `secrets`, if there are any.
    pub(super) fn new(
        url: String,
        content_type: &str,
        body: Vec<u8>,
        id: &str,
        secrets: Option<&Secrets>,
    ) -> Result<Request> {
        let mut headers = vec![("content-type", content_type.to_owned()), ("idempotency-key", id.to_owned())];
        if let Some(secrets) = secrets {
            headers.extend(secrets.headers(id, clock::now_ms(), &body)?);
        }
        Ok(Request { url, headers, body, id: id.to_owned() })
    }
}

/// How a POST ended, and what happened.
pub(super) struct Posted {
    pub(super) end: PostEnd,
    pub(super) said: String,
}

pub(super) enum PostEnd {
    Delivered,
    /// A retry would change nothing.
    Refused,
    Later {
        at_ms: i64,
    },
    GivenUp,
}

/// Posts a request. Without an answer, or with a temporary one, it is retried for `give_up_days`.
pub(super) fn post(request: &Request, give_up_days: u32, attempt: &StepAttempt<'_>) -> Posted {
    let Request { url, headers, body, id } = request;
    let place = shown(url);
    let now_ms = clock::now_ms();
    let (next, said) = match attempt.doors.http.post(url, headers, body, attempt.deadline) {
        Ok(answered) => {
            let next = after_answer(Some(answered.status), answered.retry_after.as_deref(), now_ms);
            (next, format!("{place} answered {}", answered.status))
        }
        Err(missed) => (after_answer(None, None, now_ms), format!("{place}: {}", missed.text)),
    };
    let end = match next {
        Next::Done => PostEnd::Delivered,
        Next::Parked => PostEnd::Refused,
        Next::Again { wait_ms } => again(id, give_up_days, wait_ms, attempt),
    };
    Posted { end, said }
}

/// The request could not even be made, for a reason that may pass.
pub(super) fn not_yet(why: String, id: &str, give_up_days: u32, attempt: &StepAttempt<'_>) -> Posted {
    Posted { end: again(id, give_up_days, 0, attempt), said: why }
}

fn again(id: &str, give_up_days: u32, wait_ms: i64, attempt: &StepAttempt<'_>) -> PostEnd {
    let patience = Patience::with_application(give_up_days);
    attempt.next_try(&patience, id, wait_ms).map_or(PostEnd::GivenUp, |at_ms| PostEnd::Later { at_ms })
}
