//! How long deliveries took: a dot for half, for 90 % and for 99 %, on a logarithmic scale.
//!
//! Invariant: the times are in the table next to the dots.

use super::LONGEST_NAME;
use super::figure_lists::{Choice, Lists};
use super::markup::{Html, card, percent, scroll};
use crate::stats::Figures;
use crate::stats::figures::{GroupFigures, Percentiles};
use crate::stats::render::wording::duration;
use crate::stats::top::{OTHER, top};

/// Where the scale may begin and end, and what it is labelled with.
const MARKS: [(f64, &str); 9] = [
    (0.01, "10 ms"),
    (0.1, "0.1 s"),
    (1.0, "1 s"),
    (10.0, "10 s"),
    (60.0, "1 min"),
    (600.0, "10 min"),
    (3600.0, "1 h"),
    (36_000.0, "10 h"),
    (432_000.0, "5 d"),
];

/// By provider if delays of providers are known, else by recipient domain.
pub(crate) fn delays(to: &mut Html, figures: &Figures, most: usize, lists: &Lists) {
    let by_provider = figures.providers.iter().any(|group| group.delay.is_some());
    let (head, option, groups) = match by_provider {
        true => ("Time to deliver, by provider", "provider", &figures.providers),
        false => ("Time to deliver, by recipient domain", "domain", &figures.recipient_domains),
    };
    let (kept, _) = top(&timed(groups), most);
    let all = figures.delay.iter().map(|delay| DelayRow { name: "All", option: None, delay });
    chart(to, ("delays", head), all.chain(rows(&kept, option)).collect(), lists);
}

/// The recipient domains that took longest for nine of ten deliveries.
pub(crate) fn slowest(to: &mut Html, figures: &Figures, most: usize, lists: &Lists) {
    let mut domains = timed(&figures.recipient_domains);
    let slow = |group: &GroupFigures| group.delay.map_or(0.0, |delay| delay.p90);
    domains.sort_by(|a, b| slow(b).total_cmp(&slow(a)).then_with(|| a.name.cmp(&b.name)));
    domains.truncate(most);
    chart(to, ("slowest", "Slowest recipient domains"), rows(&domains, "domain").collect(), lists);
}

fn timed(groups: &[GroupFigures]) -> Vec<GroupFigures> {
    groups.iter().filter(|group| group.delay.is_some() && group.name != OTHER).cloned().collect()
}

/// Whose delays, and how long they are.
struct DelayRow<'a> {
    name: &'a str,
    /// The option of `carom deliveries` that names it; `None`: all deliveries.
    option: Option<&'static str>,
    delay: &'a Percentiles,
}

fn rows<'a>(groups: &'a [GroupFigures], option: &'static str) -> impl Iterator<Item = DelayRow<'a>> {
    let row = move |group: &'a GroupFigures| {
        Some(DelayRow { name: &group.name, option: Some(option), delay: group.delay.as_ref()? })
    };
    groups.iter().filter_map(row)
}

fn chart(to: &mut Html, (id, head): (&'static str, &'static str), rows: Vec<DelayRow<'_>>, lists: &Lists) {
    if rows.is_empty() {
        return;
    }
    let scale = Scale::around(&rows);
    card(to, id, head);
    to.raw("<ul class=legend><li class=p50>half<li class=p90>90 %<li class=p99>99 %</ul>\n");
    scroll(to, id);
    to.raw("<table class=delays>");
    to.raw("<thead><tr><th scope=col>To<th scope=col class=track><span class=sr>On a scale</span>");
    scale.labels(to);
    to.raw("<th scope=col>half<th scope=col>90 %<th scope=col>99 %<tbody>");
    for DelayRow { name, option, delay } in rows {
        let sent = [("status", "sent")].into_iter();
        let choices: Vec<Choice<'_>> = sent.chain(option.map(|option| (option, name))).collect();
        to.raw("<tr><th scope=row>");
        lists.foreign(to, name, LONGEST_NAME, &choices);
        to.raw("<td class=track>");
        scale.track(to, delay);
        for seconds in [delay.p50, delay.p90, delay.p99] {
            to.raw("<td>").text(duration(seconds));
        }
    }
    to.raw("</table></div></section>\n");
}

/// A part of [`MARKS`].
struct Scale {
    marks: &'static [(f64, &'static str)],
    /// Natural logarithms of the first and the last mark.
    from: f64,
    to: f64,
}

impl Scale {
    fn around(rows: &[DelayRow<'_>]) -> Scale {
        let low = rows.iter().map(|row| row.delay.p50).fold(f64::INFINITY, f64::min);
        let high = rows.iter().map(|row| row.delay.p99).fold(0.0, f64::max);
        let end = MARKS.len() - 1;
        let first = MARKS.iter().rposition(|(mark, _)| *mark <= low).unwrap_or(0);
        let last = MARKS.iter().position(|(mark, _)| *mark >= high).unwrap_or(end);
        let last = last.max(first + 1).min(end);
        let marks = &MARKS[first.min(last - 1)..=last];
        Scale { marks, from: marks[0].0.ln(), to: MARKS[last].0.ln() }
    }

    fn place(&self, seconds: f64) -> String {
        let share = (seconds.max(1e-3).ln() - self.from) / (self.to - self.from);
        percent((share * 96.0 + 2.0).clamp(2.0, 98.0))
    }

    fn labels(&self, to: &mut Html) {
        let last = self.marks.len() - 1;
        to.raw("<svg width=100% height=16 aria-hidden=true>");
        for (index, (mark, text)) in self.marks.iter().enumerate() {
            let (anchor, class) = match index {
                0 => ("start", "edge"),
                _ if index == last => ("end", "edge"),
                // Left out on a narrow screen.
                _ => ("middle", "wide"),
            };
            let x = self.place(*mark);
            to.tag("text", &[("class", &class), ("x", &x), ("y", &11), ("text-anchor", &anchor)]);
            to.raw(text).raw("</text>");
        }
        to.raw("</svg>");
    }

    fn track(&self, to: &mut Html, delay: &Percentiles) {
        to.raw("<svg width=100% height=22 aria-hidden=true>");
        for (mark, _) in self.marks {
            let x = self.place(*mark);
            to.shape("line", &[("class", &"grid"), ("x1", &x), ("x2", &x), ("y1", &0), ("y2", &22)]);
        }
        let [half, ninety, nearly] = [delay.p50, delay.p90, delay.p99].map(|seconds| self.place(seconds));
        to.shape("line", &[("class", &"reach"), ("x1", &half), ("x2", &nearly), ("y1", &11), ("y2", &11)]);
        // The lower percentile is drawn last: where dots meet, it is on top.
        for (class, x) in [("p99", nearly), ("p90", ninety), ("p50", half)] {
            to.shape("circle", &[("class", &class), ("cx", &x), ("cy", &11), ("r", &4.5)]);
        }
        to.raw("</svg>");
    }
}
