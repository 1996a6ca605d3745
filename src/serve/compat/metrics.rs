//! `/metrics`: what `carom export prometheus` prints.

use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use crate::stats::export;

pub(super) const ROUTES: &[HttpRoute] = &[HttpRoute::new("/metrics", Need::AllMail, &[], metrics)];

/// The media type of the text format.
const FORM: &str = "text/plain; version=0.0.4; charset=utf-8";

fn metrics(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    asked.desk.fold();
    let (whole, config) = (asked.view.whole()?, &asked.desk.config);
    let Some(store) = whole.store else {
        let nothing = Problem::unavailable("there is no store yet, so nothing was counted");
        return Err(nothing.with_fix("run `carom cron`, which makes it"));
    };
    Ok(HttpAnswer::of(FORM, export::exposition(config, store, whole.index, store.heartbeat()?)?))
}
