//! Tables with small bars in them: reasons, groups of deliveries, unknown texts.
//!
//! Not here: charts over time.

use super::LONGEST_NAME;
use super::bars::label;
use super::markup::{Html, percent};
use crate::maillog::LoggedStatus;
use crate::stats::figures::{GroupFigures, Reason, UnknownText, sorted, sum};
use crate::stats::outcomes::{Outcomes, STATUSES};
use crate::stats::render::wording::{duration, number, share};
use crate::stats::tls::by_destination;
use crate::stats::top::{OTHER, top};

/// Characters of a shape, and of an example, of an unknown text.
const SHAPE: usize = 300;
const EXAMPLE: usize = 1000;

/// Reasons with bars, the most frequent first.
pub(crate) fn reasons(
    to: &mut Html,
    (id, head, list): (&'static str, &'static str, &'static str),
    reasons: &[Reason],
    most: usize,
) {
    let sorted = sorted(reasons);
    let Some(first) = sorted.first() else { return };
    let (all, biggest) = (sum(reasons), first.count.max(1));
    section(to, id, head);
    to.raw("<table class=reasons><thead class=sr><tr><th scope=col>Reason<th scope=col>Deliveries");
    to.raw("<th scope=col>Share<tbody>");
    let row = |to: &mut Html, name: &str, note: &str, count: u64| {
        to.raw("<tr><th scope=row><span>").foreign(name, LONGEST_NAME);
        to.raw("</span> <small>").foreign(note, LONGEST_NAME);
        to.raw("</small><svg width=100% height=6 aria-hidden=true>");
        to.raw("<rect class=trough width=100% height=6 rx=3 />");
        let width = percent((count as f64 * 100.0 / biggest as f64).min(100.0));
        to.shape("rect", &[("class", &"bar"), ("width", &width), ("height", &6), ("rx", &3)]);
        to.raw("</svg><td>").text(number(count)).raw("<td class=share>").text(share(count, all));
    };
    for one in sorted.iter().take(most) {
        row(to, &one.reason, &one.category, one.count);
    }
    let rest = sum(sorted.iter().copied().skip(most));
    if rest > 0 {
        row(to, OTHER, "", rest);
    }
    to.raw("</table>");
    command(to, list);
    to.raw("</section>\n");
}

/// The command that lists what a figure counts.
fn command(to: &mut Html, command: &'static str) {
    to.raw("<p class=command>List them: <code dir=ltr>").raw(command).raw("</code></p>");
}

fn section(to: &mut Html, id: &'static str, head: &'static str) {
    to.tag("section", &[("class", &"card"), ("aria-labelledby", &id)]);
    to.tag("h2", &[("id", &id)]).raw(head).raw("</h2>\n");
}

/// Groups of deliveries, each with a bar of what became of them.
pub(crate) fn groups(
    to: &mut Html,
    id: &'static str,
    head: &'static str,
    what: &'static str,
    groups: &[GroupFigures],
    most: usize,
) {
    if groups.is_empty() {
        return;
    }
    let is_timed = groups.iter().any(|group| group.delay.is_some());
    section(to, id, head);
    legend(to, groups);
    to.tag("div", &[("class", &"scroll"), ("tabindex", &0), ("role", &"region"), ("aria-labelledby", &id)]);
    to.raw("<table class=lines><thead><tr><th scope=col>").raw(what).raw("<th scope=col>Deliveries");
    to.raw("<th scope=col class=mix>Outcomes<th scope=col>Delivered<th scope=col>Failed");
    to.raw("<th scope=col class=less>Deferrals");
    if is_timed {
        to.raw("<th scope=col class=less>Half in<th scope=col>90 % in");
    }
    to.raw("<tbody>");
    let (kept, rest) = top(groups, most);
    for one in kept.iter().chain(&rest) {
        group(to, one, is_timed);
    }
    to.raw("</table></div></section>\n");
}

/// What the colours of the bars mean.
fn legend(to: &mut Html, groups: &[GroupFigures]) {
    to.raw("<ul class=\"legend mixes\">");
    let occurs = |status: &LoggedStatus| groups.iter().any(|group| group.outcomes.of(*status) > 0);
    for status in STATUSES.into_iter().filter(occurs) {
        to.tag("li", &[("class", &status)]).text(label(status));
    }
    to.raw("</ul>\n");
}

/// In the place of groups that there are none of.
pub(crate) fn none(to: &mut Html, id: &'static str, head: &'static str, why: &'static str) {
    section(to, id, head);
    to.raw("<p class=note>").raw(why).raw("</p></section>\n");
}

fn group(to: &mut Html, group: &GroupFigures, is_timed: bool) {
    let outcomes = &group.outcomes;
    let name = if group.name.is_empty() { "(none)" } else { &group.name };
    to.raw("<tr><th scope=row><bdi>").foreign(name, LONGEST_NAME).raw("</bdi><td>");
    to.text(number(outcomes.total())).raw("<td class=mix>");
    mix(to, outcomes);
    let failed = outcomes.bounced.saturating_add(outcomes.expired);
    to.raw("<td>").text(share(outcomes.sent, outcomes.concluded()));
    to.raw("<td>").text(number(failed)).raw("<td class=less>").text(number(group.deferrals));
    if is_timed {
        let times = group.delay.map(|delay| [delay.p50, delay.p90].map(duration)).unwrap_or_default();
        to.raw("<td class=less>").text(&times[0]).raw("<td>").text(&times[1]);
    }
}

fn mix(to: &mut Html, outcomes: &Outcomes) {
    to.raw("<svg width=100% height=10 aria-hidden=true>");
    let mut left = 0.0;
    for status in STATUSES.into_iter().filter(|status| outcomes.of(*status) > 0) {
        let width = outcomes.of(status) as f64 * 100.0 / outcomes.total().max(1) as f64;
        let (x, shown) = (percent(left), percent(width));
        to.shape("rect", &[("class", &status), ("x", &x), ("width", &shown), ("height", &10)]);
        left += width;
    }
    to.raw("</svg>");
}

/// Destinations with the number of deliveries that were sent to them without TLS.
pub(crate) fn tls(
    to: &mut Html,
    id: &'static str,
    head: &'static str,
    what: &'static str,
    groups: &[GroupFigures],
    most: usize,
) {
    let destinations = by_destination(groups);
    if destinations.is_empty() {
        return;
    }
    section(to, id, head);
    to.tag("div", &[("class", &"scroll"), ("tabindex", &0), ("role", &"region"), ("aria-labelledby", &id)]);
    to.raw("<table class=lines><thead><tr><th scope=col>").raw(what).raw("<th scope=col>Sent");
    to.raw("<th scope=col>Without TLS<th scope=col>Share<th scope=col>With TLS<tbody>");
    for one in destinations.iter().take(most) {
        to.raw("<tr><th scope=row><bdi>").foreign(&one.group.name, LONGEST_NAME).raw("</bdi><td>");
        to.text(number(one.all)).raw("<td>").text(number(one.without)).raw("<td>");
        to.text(share(one.without, one.all)).raw("<td>").foreign(&one.levels(), LONGEST_NAME);
    }
    to.raw("</table></div></section>\n");
}

/// Replies that no rule knows, each with an example.
pub(crate) fn unknown(to: &mut Html, texts: &[UnknownText], most: usize) {
    if texts.is_empty() {
        return;
    }
    let mut sorted: Vec<&UnknownText> = texts.iter().collect();
    sorted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
    section(to, "unknown", "Replies that no rule knows");
    to.raw("<ol class=unknown>");
    for text in sorted.iter().take(most) {
        to.raw("<li><b>").text(number(text.count)).raw("</b><div><code dir=ltr>");
        to.foreign(&text.shape, SHAPE).raw("</code><details><summary>An example</summary><code dir=ltr>");
        to.foreign(&text.example, EXAMPLE).raw("</code></details></div>");
    }
    to.raw("</ol>\n");
    if sorted.len() > most {
        let more = number((sorted.len() - most) as u64);
        to.raw("<p class=note>And ").text(more).raw(" more.</p>\n");
    }
    command(to, "carom deliveries --unclassified");
    to.raw("</section>\n");
}
