//! What changed against the same hour last week, as a table.
//!
//! Not here: what is notable (`hour_change`).

use super::LONGEST_NAME;
use super::figure_lists::{Choice, Lists};
use super::markup::{Html, card, scroll};
use crate::clock;
use crate::stats::hour_change::{ChangedCount, HourChange};
use crate::stats::render::wording::number;

/// A time on the clock of whoever reads, in the form that strftime knows.
pub(crate) type ReaderClock<'a> = &'a dyn Fn(i64, &str) -> String;

pub(crate) fn changes(to: &mut Html, change: &HourChange, at: ReaderClock<'_>, lists: &Lists) {
    let (begin, end) = change.now_ms;
    card(to, "change", "What changed against the same hour last week");
    to.raw("<p class=note>");
    to.tag("time", &[("datetime", &clock::rfc3339(begin))]).text(at(begin, "%Y-%m-%d %H:%M:%S"));
    to.raw("</time> to ").text(at(end, "%H:%M")).raw(", and seven days before.</p>");
    scroll(to, "change");
    to.raw("<table class=changes><thead><tr><th scope=col>What<th scope=col>Now<th scope=col>Last week");
    to.raw("<th scope=col>Change<tbody>");
    for one in change.outcomes.iter().chain(&change.notable) {
        row(to, change, one, lists);
    }
    to.raw("</table></div>");
    if change.notable.is_empty() {
        to.raw("<p class=none>No reason and no destination differs by more than chance.</p>");
    }
    to.raw("</section>\n");
}

fn row(to: &mut Html, change: &HourChange, one: &ChangedCount, lists: &Lists) {
    let mut choices: Vec<Choice<'_>> = vec![(one.choice.0, &one.choice.1)];
    match one.choice.0 {
        "provider" | "domain" => choices.push(("status", "bounced,expired")),
        "reason" => choices.push(("status", "bounced,expired,deferred")),
        _ => {}
    }
    to.raw("<tr><th scope=row>").raw(what(one.choice.0)).raw("<bdi>");
    to.foreign(&one.name, LONGEST_NAME).raw("</bdi>");
    for ((from, until), count) in [(change.now_ms, one.now), (change.before_ms, one.before)] {
        to.raw("<td>");
        lists.elsewhen(from, until).number(to, &number(count), &choices);
    }
    to.raw("<td>").text(difference(one.now, one.before));
}

/// What a name is counted for.
fn what(option: &str) -> &'static str {
    match option {
        "reason" => "<small>Reason</small> ",
        "provider" => "<small>Failed at provider</small> ",
        "domain" => "<small>Failed at domain</small> ",
        _ => "",
    }
}

fn difference(now: u64, before: u64) -> String {
    match (now, before) {
        (now, before) if now == before => "same".into(),
        (now, 0) => format!("+{}", number(now)),
        (now, before) if now >= before.saturating_mul(3) => {
            format!("× {:.1}", now as f64 / before as f64)
        }
        (now, before) => format!("{:+.0} %", (now as f64 / before as f64 - 1.0) * 100.0).replace('-', "−"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_short() {
        let shown = [(5, 5), (7, 0), (90, 10), (50, 100), (110, 100)].map(|(now, was)| difference(now, was));
        assert_eq!(shown.join(", "), "same, +7, × 9.0, −50 %, +10 %");
    }
}
