//! Tables with small bars in them: reasons, groups of deliveries, unknown texts.
//!
//! Not here: charts over time.

use super::LONGEST_NAME;
use super::bars::label;
use super::figure_lists::{Choice, Lists};
use super::markup::{Html, card, percent, scroll};
use crate::maillog::LoggedStatus;
use crate::stats::Figures;
use crate::stats::figures::{GroupFigures, Reason, UnknownText, sorted, sum};
use crate::stats::outcomes::{Outcomes, STATUSES};
use crate::stats::render::wording::{duration, number, share};
use crate::stats::tls::{WITHOUT, by_destination};
use crate::stats::top::{OTHER, top};

/// Characters of a shape, and of an example, of an unknown text.
const SHAPE: usize = 300;
const EXAMPLE: usize = 1000;

/// Reasons, and the deliveries that they are counted among.
pub(crate) struct ReasonTable<'a> {
    id: &'static str,
    head: &'static str,
    /// Statuses of those deliveries.
    statuses: &'static str,
    reasons: &'a [Reason],
}

impl<'a> ReasonTable<'a> {
    pub(crate) fn failed(figures: &'a Figures) -> ReasonTable<'a> {
        let (head, statuses) = ("Why deliveries failed or were deferred", "bounced,expired,deferred");
        ReasonTable { id: "reasons", head, statuses, reasons: &figures.reasons }
    }

    pub(crate) fn refused(figures: &'a Figures) -> ReasonTable<'a> {
        let head = "Why mail was refused in the session";
        ReasonTable { id: "rejects", head, statuses: "rejected", reasons: &figures.rejects }
    }
}

/// Reasons with bars, the most frequent first.
pub(crate) fn reasons(to: &mut Html, table: &ReasonTable<'_>, most: usize, lists: &Lists) {
    let sorted = sorted(table.reasons);
    let Some(first) = sorted.first() else { return };
    let (all, biggest) = (sum(table.reasons), first.count.max(1));
    let status = ("status", table.statuses);
    card(to, table.id, table.head);
    severities(to, table.reasons);
    to.raw("<table class=reasons><thead class=sr><tr><th scope=col>Reason<th scope=col>Deliveries");
    to.raw("<th scope=col>Share<tbody>");
    for one in sorted.iter().take(most) {
        to.raw("<tr><th scope=row><span>");
        lists.foreign(to, &one.reason, LONGEST_NAME, &[status, ("reason", &one.reason)]);
        to.raw("</span>");
        let notes = [&one.category, &one.severity].map(String::as_str);
        let notes: Vec<&str> = notes.into_iter().filter(|note| !note.is_empty()).collect();
        to.raw(" <small>").foreign(&notes.join(" · "), LONGEST_NAME).raw("</small>");
        let choices = [status, ("reason", one.reason.as_str())];
        bar(to, severity_class(&one.severity), one.count, (biggest, all), Some((lists, &choices)));
    }
    let rest = sum(sorted.iter().copied().skip(most));
    if rest > 0 {
        to.raw("<tr><th scope=row>").raw(OTHER);
        bar(to, "bar", rest, (biggest, all), None);
    }
    to.raw("</table>");
    lists.command(to, &[status]);
    to.raw("</section>\n");
}

/// Where the deliveries of a count are listed, and which they are.
type Behind<'a> = (&'a Lists, &'a [Choice<'a>]);

/// The bar of a count, and the count.
fn bar(to: &mut Html, class: &str, count: u64, (biggest, all): (u64, u64), behind: Option<Behind<'_>>) {
    to.raw("<svg width=100% height=6 aria-hidden=true>");
    to.raw("<rect class=trough width=100% height=6 rx=3 />");
    let width = percent((count as f64 * 100.0 / biggest as f64).min(100.0));
    to.shape("rect", &[("class", &class), ("width", &width), ("height", &6), ("rx", &3)]);
    to.raw("</svg><td>");
    match behind {
        Some((lists, choices)) => lists.number(to, &number(count), choices),
        None => _ = to.text(number(count)),
    }
    to.raw("<td class=share>").text(share(count, all));
}

/// Each severity with its words.
const SEVERITIES: [(&str, &str); 3] =
    [("hard", "hard: the address is dead"), ("hard or soft", "hard or soft, by the reply"), ("soft", "soft")];

/// What the colours of the bars mean, if they differ.
fn severities(to: &mut Html, reasons: &[Reason]) {
    let occurs = |severity: &str| reasons.iter().any(|one| one.severity == severity);
    if !SEVERITIES.iter().any(|(severity, _)| occurs(severity)) {
        return;
    }
    to.raw("<ul class=legend>");
    for (severity, words) in SEVERITIES.into_iter().filter(|(severity, _)| occurs(severity)) {
        to.tag("li", &[("class", &severity_class(severity))]).text(words);
    }
    if occurs("") {
        to.raw("<li class=bar>no rule says it");
    }
    to.raw("</ul>\n");
}

fn severity_class(severity: &str) -> &'static str {
    match severity {
        "hard" => "hard",
        "soft" => "soft",
        "hard or soft" => "either",
        _ => "bar",
    }
}

/// Deliveries by a name that they have in common.
pub(crate) struct GroupTable<'a> {
    id: &'static str,
    head: &'static str,
    /// The option of `carom deliveries` that names one.
    option: &'static str,
    groups: &'a [GroupFigures],
    /// Nothing but outcomes is counted.
    is_short: bool,
}

impl<'a> GroupTable<'a> {
    pub(crate) fn new(
        id: &'static str,
        head: &'static str,
        option: &'static str,
        groups: &'a [GroupFigures],
    ) -> GroupTable<'a> {
        GroupTable { id, head, option, groups, is_short: false }
    }

    /// The same of these figures.
    pub(crate) fn of(self, figures: &Figures) -> GroupTable<'a> {
        GroupTable { is_short: figures.of_some_mail, ..self }
    }

    /// Those of a report, in its order.
    pub(crate) fn all(figures: &'a Figures) -> [GroupTable<'a>; 6] {
        let sources = if figures.sources.len() > 1 { &figures.sources[..] } else { &[] };
        [
            GroupTable::new("providers", "Providers", "provider", &figures.providers),
            GroupTable::new("domains", "Recipient domains", "domain", &figures.recipient_domains),
            GroupTable::new("clients", "Clients", "client", &figures.clients),
            GroupTable::new("senders", "Sender domains", "sender-domain", &figures.sender_domains),
            GroupTable::new("relays", "Relays", "relay", &figures.relays),
            GroupTable::new("sources", "Sources", "source", sources),
        ]
        .map(|table| table.of(figures))
    }

    /// What the names are, above their column.
    fn what(&self) -> &'static str {
        match self.option {
            "provider" => "Provider",
            "client" => "Client",
            "relay" => "Relay",
            "source" => "Source",
            _ => "Domain",
        }
    }

    /// A name, which leads to its deliveries, unless it is the rest.
    fn name(&self, to: &mut Html, name: &str, choices: &[Choice<'_>], lists: &Lists) {
        to.raw("<tr><th scope=row>");
        match (name, self.list_of(name, choices)) {
            ("", _) => _ = to.raw("(none)"),
            (_, None) => _ = to.raw(OTHER),
            (name, Some(all)) => lists.foreign(to, name, LONGEST_NAME, &all),
        }
    }

    /// A count of deliveries with a name, which leads to them.
    fn count(&self, to: &mut Html, (name, count): (&str, u64), choices: &[Choice<'_>], lists: &Lists) {
        match self.list_of(name, choices).filter(|_| count > 0) {
            Some(all) => lists.number(to, &number(count), &all),
            None => _ = to.text(number(count)),
        }
    }

    /// What finds the deliveries with a name; `None`: nothing does.
    fn list_of<'n>(&self, name: &'n str, choices: &[Choice<'n>]) -> Option<Vec<Choice<'n>>> {
        let is_one = !name.is_empty() && name != OTHER;
        is_one.then(|| choices.iter().copied().chain([(self.option, name)]).collect())
    }
}

/// Groups of deliveries, each with a bar of what became of them.
pub(crate) fn groups(to: &mut Html, table: &GroupTable<'_>, most: usize, lists: &Lists) {
    let groups = table.groups;
    if groups.is_empty() {
        return;
    }
    let is_timed = groups.iter().any(|group| group.delay.is_some());
    card(to, table.id, table.head);
    legend(to, groups);
    scroll(to, table.id);
    to.raw("<table class=lines><thead><tr><th scope=col>").raw(table.what()).raw("<th scope=col>Deliveries");
    to.raw("<th scope=col class=mix>Outcomes<th scope=col>Delivered<th scope=col>Failed");
    if !table.is_short {
        to.raw("<th scope=col class=less>Deferrals");
    }
    if is_timed {
        to.raw("<th scope=col class=less>Half in<th scope=col class=less>90 % in");
    }
    to.raw("<tbody>");
    let (kept, rest) = top(groups, most);
    for one in kept.iter().chain(&rest) {
        table.name(to, &one.name, &[], lists);
        group(to, table, (one, is_timed), lists);
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
    card(to, id, head);
    to.raw("<p class=note>").raw(why).raw("</p></section>\n");
}

fn group(to: &mut Html, table: &GroupTable<'_>, (group, is_timed): (&GroupFigures, bool), lists: &Lists) {
    let (name, outcomes) = (group.name.as_str(), &group.outcomes);
    to.raw("<td>");
    table.count(to, (name, outcomes.total()), &[], lists);
    to.raw("<td class=mix>");
    mix(to, outcomes);
    let failed = outcomes.bounced.saturating_add(outcomes.expired);
    to.raw("<td>").text(share(outcomes.sent, outcomes.concluded())).raw("<td>");
    table.count(to, (name, failed), &[("status", "bounced,expired")], lists);
    if !table.is_short {
        to.raw("<td class=less>").text(number(group.deferrals));
    }
    if is_timed {
        let times = group.delay.map(|delay| [delay.p50, delay.p90].map(duration)).unwrap_or_default();
        to.raw("<td class=less>").text(&times[0]).raw("<td class=less>").text(&times[1]);
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
pub(crate) fn tls(to: &mut Html, table: &GroupTable<'_>, most: usize, lists: &Lists) {
    let destinations = by_destination(table.groups);
    if destinations.is_empty() {
        return;
    }
    card(to, table.id, table.head);
    scroll(to, table.id);
    to.raw("<table class=lines><thead><tr><th scope=col>").raw(table.what()).raw("<th scope=col>Sent");
    to.raw("<th scope=col>Without TLS<th scope=col>Share<th scope=col>With TLS<tbody>");
    for one in destinations.iter().take(most) {
        let without: &[Choice<'_>] = if one.without > 0 { &[("tls", WITHOUT)] } else { &[] };
        table.name(to, &one.group.name, without, lists);
        to.raw("<td>").text(number(one.all)).raw("<td>");
        table.count(to, (&one.group.name, one.without), without, lists);
        to.raw("<td>").text(share(one.without, one.all)).raw("<td>").foreign(&one.levels(), LONGEST_NAME);
    }
    to.raw("</table></div></section>\n");
}

/// Replies that no rule knows, each with an example.
pub(crate) fn unknown(to: &mut Html, texts: &[UnknownText], most: usize, lists: &Lists) {
    if texts.is_empty() {
        return;
    }
    let mut sorted: Vec<&UnknownText> = texts.iter().collect();
    sorted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
    card(to, "unknown", "Replies that no rule knows");
    to.raw("<ol class=unknown>");
    for text in sorted.iter().take(most) {
        to.raw("<li><b>");
        lists.number(to, &number(text.count), &[("unclassified", ""), ("shape", &text.shape)]);
        to.raw("</b><div><code dir=ltr>");
        to.foreign(&text.shape, SHAPE).raw("</code><details><summary>An example</summary><code dir=ltr>");
        to.foreign(&text.example, EXAMPLE).raw("</code></details></div>");
    }
    to.raw("</ol>\n");
    if sorted.len() > most {
        let more = number((sorted.len() - most) as u64);
        to.raw("<p class=note>And ").text(more).raw(" more.</p>\n");
    }
    lists.command(to, &[("unclassified", "")]);
    to.raw("</section>\n");
}
