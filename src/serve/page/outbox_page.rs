//! `/outbox`: the steps that carom still has to do, those that wait for an operator first, and the
//! buttons that try one again or drop it.
//!
//! Not here: what a step is (`plan`). Invariant: a step is named by its id, as on the command line.

use super::delivery_table::address;
use super::frame::{Frame, LONGEST};
use super::page_parts::{ActionButton, RowTable, command, note, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::stats::render::html::figure_lists::typed;
use crate::stats::render::html::markup::Html;
use crate::stats::render::wording::number;
use crate::store::{PendingStep, WAITING_STATES};

pub(super) const PARAMETERS: &[&str] = &["state"];
/// Steps that are shown.
const SHOWN: usize = 200;
const TABLE: RowTable = RowTable {
    label: "Steps",
    columns: &["Step", "For", "Next try", "Tries", "Since", "Last try"],
    acts: Some("<span class=sr>Actions</span>"),
};
/// Where steps are tried again and dropped.
const RETRY: &str = "/api/v1/outbox/retry";
const DROP: &str = "/api/v1/outbox/drop";
/// Seconds between two looks at the present.
const FRESH: u32 = 30;

pub(super) fn outbox(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/outbox");
    let state = asked.query.word("state", &WAITING_STATES)?;
    asked.desk.fold();
    let store = asked.view.whole()?.store;
    // Of each state the first ones: both come in the order of their time.
    let (mut waiting, mut parked, mut paused) =
        (ShownSteps::default(), ShownSteps::default(), ShownSteps::default());
    if let Some(store) = store {
        store.visit_shown_steps(&mut |step| {
            if step.paused {
                paused.add(step.clone());
            }
            if step.is_parked() {
                parked.add(step)
            } else {
                waiting.add(step)
            }
            Ok(true)
        })?;
    }
    let (all, all_parked) = (waiting.all + parked.all, parked.all);
    let wanted = match state {
        None => vec![parked, waiting],
        Some("parked") => vec![parked],
        Some("paused") => vec![paused],
        Some(_) => vec![waiting],
    };
    let fitting: usize = wanted.iter().map(|shown| shown.all).sum();
    let steps: Vec<PendingStep> = wanted.into_iter().flat_map(|shown| shown.first).take(SHOWN).collect();
    let frame = Frame { title: "Outbox", path: "/outbox", fresh_for: Some(FRESH), reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Outbox");
        to.raw("<p><a href=\"/outbox\">").text(number(all as u64)).raw(" steps</a> to do, ");
        to.raw("<a href=\"/outbox?state=parked\">").text(number(all_parked as u64));
        to.raw(" parked</a>: they wait for you.</p>\n");
        match steps.is_empty() {
            true => note(to, "No step waits."),
            false => TABLE.write(to, steps.iter(), &reader, row),
        }
        if fitting > SHOWN {
            to.raw("<p class=note>The first ").text(number(SHOWN as u64)).raw(" are shown.</p>\n");
        }
        let shown = typed("carom outbox", state.map(|state| ("status", state)).into_iter());
        command(to, "The same on the command line", &shown);
    }))
}

/// Steps of one state: how many, and the first of them.
#[derive(Default)]
struct ShownSteps {
    all: usize,
    first: Vec<PendingStep>,
}

impl ShownSteps {
    fn add(&mut self, step: PendingStep) {
        self.all += 1;
        if self.first.len() < SHOWN {
            self.first.push(step);
        }
    }
}

fn row(to: &mut Html, step: &PendingStep, reader: &PageReader) {
    to.raw("<tr><th scope=row>").foreign(&step.action, LONGEST).raw("<small><code dir=ltr>");
    to.foreign(&step.id, LONGEST).raw("</code></small><td>");
    address(to, Some(step.target()));
    to.raw("<td>");
    match step.is_parked() {
        true => _ = to.raw("<span class=\"mark bounced\">parked</span>"),
        false => reader.time(to, step.due_ms),
    }
    to.raw("<td>").text(number(step.attempts.into())).raw("<td>");
    reader.time(to, step.since_ms);
    to.raw("<td class=why>").foreign(&step.note, 300);
    if reader.may_act {
        to.raw("<td class=acts>");
        let values = [("id", step.id.as_str())];
        for (path, word, ask) in
            [(RETRY, "Retry", ""), (DROP, "Drop", "Drop this step? It is not done any more.")]
        {
            ActionButton { path, word, about: &step.id, values: &values, ask, then: "" }.write(to, reader);
        }
    }
}
