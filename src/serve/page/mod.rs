//! The page, for people: the same figures and lists that the commands print, to see and to press.
//!
//! Each view is a function from a request to HTML; the charts and tables of figures are those of
//! the report (`stats::render::html`). Buttons send JSON to the routes of `api`, as any program
//! may. Not here: figures and actions. Invariants: text from mail is written by `Html::foreign` or
//! as the value of an attribute, so it is never markup; nothing is fetched from elsewhere; what is
//! read can be read without the script.

mod alert_page;
mod deliveries_page;
mod delivery_table;
mod entry_words;
mod frame;
mod message_page;
mod outbox_page;
mod overview_page;
mod page_parts;
mod period_choice;
mod policy_page;
mod provider_page;
mod queue_page;
mod rule_page;
mod page_reader;
mod search_page;
mod showing;
mod sign_in;
mod style;
mod suppression_page;
mod unknown_page;

use super::delivery_filters::FILTERS;
use super::gate;
use super::http_answer::HttpAnswer;
use super::http_route::{Answers, Face, HttpRoute, Need};
use super::problem::Problem;
use axum::http::{HeaderMap, StatusCode, Uri};

const fn view(path: &'static str, need: Need, known: &'static [&'static str], answers: Answers) -> HttpRoute {
    HttpRoute::new(path, need, known, answers).for_people(Face::Person)
}

const fn form(path: &'static str, answers: Answers) -> HttpRoute {
    HttpRoute::new(path, Need::Nothing, &[], answers).for_people(Face::Form)
}

pub(super) const ROUTES: &[HttpRoute] = &[
    view("/", Need::SomeMail, overview_page::PARAMETERS, overview_page::overview),
    // What only the API has is refused.
    view("/deliveries", Need::SomeMail, &["cursor"], deliveries_page::deliveries).with(FILTERS),
    view("/search", Need::SomeMail, search_page::PARAMETERS, search_page::search),
    view("/message", Need::SomeMail, message_page::PARAMETERS, message_page::message),
    view("/providers", Need::SomeMail, overview_page::PARAMETERS, provider_page::providers),
    view("/queue", Need::SomeMail, &[], queue_page::queue),
    view("/suppressions", Need::SomeMail, suppression_page::PARAMETERS, suppression_page::suppressions),
    view("/undo", Need::AllMail, suppression_page::UNDO_PARAMETERS, suppression_page::undo),
    view("/outbox", Need::AllMail, outbox_page::PARAMETERS, outbox_page::outbox),
    view("/unknown", Need::AllMail, unknown_page::PARAMETERS, unknown_page::unknown),
    view("/rule", Need::AllMail, rule_page::PARAMETERS, rule_page::rule),
    view("/alerts", Need::AllMail, &[], alert_page::alerts),
    view("/policy", Need::AllMail, &[], policy_page::policy),
    view("/zone", Need::Nothing, &["zone", "back"], sign_in::zone),
    view("/sign-in", Need::Nothing, &["back"], sign_in::form),
    form("/sign-in", sign_in::sign_in),
    form("/sign-out", sign_in::sign_out),
    view(style::SHEET, Need::Nothing, &[], style::sheet),
    view(style::SCRIPT, Need::Nothing, &[], style::script),
];

/// What went wrong with a view; who is not known is asked for a token.
pub(super) fn refused(problem: &Problem, wanted: &Uri, asked: &HeaderMap) -> HttpAnswer {
    let back = wanted.path_and_query().map_or("/", |wanted| wanted.as_str());
    match problem.status() {
        StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => {
            let has_token = gate::cookies(asked).any(|(name, _)| name == gate::COOKIE);
            sign_in::wanted(back, problem, has_token)
        }
        _ => showing::problem(problem),
    }
}
