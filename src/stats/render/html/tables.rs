//! Tables with small bars in them: reasons, reasons by provider, domains, unknown texts.
//!
//! Not here: charts over time. Invariant: every name and text is escaped where it is written.

use super::{LONGEST_NAME, escape};
use crate::stats::figures::{GroupFigures, OTHER, OUTCOMES, ProviderReason, Reason, UnknownText, top};
use crate::stats::render::wording::{duration, number, share};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Providers, and reasons, of the table of both.
const HEAT: (usize, usize) = (8, 12);

/// Reasons, the commonest first, with bars.
pub(crate) fn reasons(to: &mut String, id: &str, head: &str, reasons: &[Reason], most: usize) {
    if reasons.is_empty() {
        return;
    }
    let mut sorted: Vec<&Reason> = reasons.iter().collect();
    sorted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    let all = reasons.iter().fold(0u64, |sum, one| sum.saturating_add(one.count));
    let biggest = sorted[0].count.max(1);
    let _ = write!(
        to,
        "<section class=card aria-labelledby={id}><h2 id={id}>{head}</h2>\n<table class=reasons><thead class=sr><tr><th scope=col>Reason<th scope=col>Deliveries<th scope=col>Share<tbody>"
    );
    let mut row = |name: &str, note: &str, count: u64| {
        let width = (count as f64 * 100.0 / biggest as f64).min(100.0);
        let _ = write!(
            to,
            "<tr><th scope=row><span>{name}</span> <small>{note}</small><svg width=100% height=6 aria-hidden=true><rect class=trough width=100% height=6 rx=3 /><rect class=bar width={width:.2}% height=6 rx=3 /></svg><td>{}<td class=share>{}",
            number(count),
            share(count, all)
        );
    };
    for one in sorted.iter().take(most) {
        row(&escape(&one.reason, LONGEST_NAME), &escape(&one.category, LONGEST_NAME), one.count);
    }
    let rest = sorted.iter().skip(most).fold(0u64, |sum, one| sum.saturating_add(one.count));
    if rest > 0 {
        row(OTHER, "", rest);
    }
    to.push_str("</table></section>\n");
}

/// Reasons by provider; the fuller the colour, the larger a part of the provider's failures.
pub(crate) fn heat(to: &mut String, counts: &[ProviderReason]) {
    let (mut providers, mut reasons, mut cells) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for one in counts {
        *providers.entry(one.provider.as_str()).or_insert(0u64) += one.count;
        *reasons.entry(one.reason.as_str()).or_insert(0u64) += one.count;
        *cells.entry((one.provider.as_str(), one.reason.as_str())).or_insert(0u64) += one.count;
    }
    if cells.is_empty() {
        return;
    }
    let biggest = |counts: BTreeMap<&'_ str, u64>, most: usize| {
        let mut sorted: Vec<(String, u64)> =
            counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        sorted.truncate(most);
        sorted
    };
    let (providers, reasons) = (biggest(providers, HEAT.0), biggest(reasons, HEAT.1));
    to.push_str(
        "<section class=card aria-labelledby=heat><h2 id=heat>Reasons by provider</h2>\n<p class=note>Full colour: most of what failed at this provider.</p>\n\
         <div class=scroll tabindex=0 role=region aria-labelledby=heat><table class=heat><thead><tr><th scope=col>Reason",
    );
    for (provider, _) in &providers {
        let _ = write!(to, "<th scope=col><bdi>{}</bdi>", escape(provider, LONGEST_NAME));
    }
    to.push_str("<tbody>");
    for (reason, _) in &reasons {
        let _ = write!(to, "<tr><th scope=row>{}", escape(reason, LONGEST_NAME));
        for (provider, all) in &providers {
            match cells.get(&(provider.as_str(), reason.as_str())).copied().unwrap_or(0) {
                0 => to.push_str("<td class=nil>·"),
                count => {
                    let part = count as f64 / (*all).max(1) as f64;
                    let heat = 8.0 + 57.0 * part.sqrt().min(1.0);
                    let title = share(count, *all);
                    let _ = write!(to, "<td style=\"--heat:{heat:.0}%\" title=\"{title}\">{}", number(count));
                }
            }
        }
    }
    to.push_str("</table></div></section>\n");
}

/// Lines with a bar of what became of them.
pub(crate) fn lines(to: &mut String, id: &str, head: &str, what: &str, lines: &[GroupFigures], most: usize) {
    if lines.is_empty() {
        return;
    }
    let (kept, rest) = top(lines, most);
    let timed = lines.iter().any(|line| line.delay.is_some());
    let _ = write!(
        to,
        "<section class=card aria-labelledby={id}><h2 id={id}>{head}</h2>\n<div class=scroll tabindex=0 role=region aria-labelledby={id}><table class=lines><thead><tr>\
         <th scope=col>{what}<th scope=col>Deliveries<th scope=col class=mix>Outcomes<th scope=col>Delivered<th scope=col>Failed<th scope=col>Put off"
    );
    if timed {
        to.push_str("<th scope=col>Half in<th scope=col>90 % in");
    }
    to.push_str("<tbody>");
    for line in kept.iter().chain(&rest) {
        let (outcomes, total) = (&line.outcomes, line.outcomes.total());
        let name = escape(if line.name.is_empty() { "(none)" } else { &line.name }, LONGEST_NAME);
        let _ = write!(
            to,
            "<tr><th scope=row><bdi>{name}</bdi><td>{}<td class=mix><svg width=100% height=10 aria-hidden=true>",
            number(total)
        );
        let mut left = 0.0;
        for (class, count) in OUTCOMES.iter().zip(outcomes.counts()).filter(|(_, count)| *count > 0) {
            let width = count as f64 * 100.0 / total.max(1) as f64;
            let _ = write!(to, "<rect class={class} x={left:.2}% width={width:.2}% height=10 />");
            left += width;
        }
        let failed = outcomes.bounced.saturating_add(outcomes.expired);
        let _ = write!(
            to,
            "</svg><td>{}<td>{}<td>{}",
            share(outcomes.sent, outcomes.concluded()),
            number(failed),
            number(line.deferrals)
        );
        if timed {
            let times = line.delay.map(|delay| [delay.p50, delay.p90].map(duration)).unwrap_or_default();
            let _ = write!(to, "<td>{}<td>{}", times[0], times[1]);
        }
    }
    to.push_str("</table></div></section>\n");
}

/// Replies that no rule knows, each with an example.
pub(crate) fn unknown(to: &mut String, texts: &[UnknownText], most: usize) {
    if texts.is_empty() {
        return;
    }
    let mut sorted: Vec<&UnknownText> = texts.iter().collect();
    sorted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
    to.push_str(
        "<section class=card aria-labelledby=unknown><h2 id=unknown>Replies that no rule knows</h2>\n<ol class=unknown>",
    );
    for text in sorted.iter().take(most) {
        let _ = write!(
            to,
            "<li><b>{}</b><div><code dir=ltr>{}</code><details><summary>An example</summary><code dir=ltr>{}</code></details></div>",
            number(text.count),
            escape(&text.shape, 300),
            escape(&text.example, 1000)
        );
    }
    to.push_str("</ol>\n");
    if sorted.len() > most {
        let _ = writeln!(to, "<p class=note>And {} more.</p>", number((sorted.len() - most) as u64));
    }
    to.push_str("</section>\n");
}
