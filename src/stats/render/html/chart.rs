//! Charts as SVG: what became of deliveries over time, and how long they took.
//!
//! Horizontal places are per cent and vertical ones pixels, without a view box, so that a chart is as wide as its
//! place and its text is never scaled. Not here: colours, which the style sheet knows. Invariant: each chart has a
//! name for those who do not see it, and the same figures as a table behind it.

use super::escape;
use crate::clock::DAY_MS;
use crate::stats::figures::{Figures, GroupFigures, OUTCOMES, Percentiles, Point, top, usual_length};
use crate::stats::render::wording::{duration, number, short};
use std::fmt::Write;

/// Bars of a chart at most.
const BARS: usize = 96;
/// Pixels between the top line and the base line.
const HEIGHT: f64 = 180.0;
/// Above the top line and below the base line.
const MARGIN: f64 = 12.0;

/// Two charts over the same time: everything, and, as it is seldom much, what was not delivered.
pub(crate) fn course(to: &mut String, figures: &Figures) {
    let (length, points) = figures.steps(BARS);
    if points.iter().all(|point| point.outcomes.total() == 0) {
        return;
    }
    to.push_str(
        "<section aria-labelledby=course><h2 id=course>What became of deliveries</h2>\n<div class=pair>\n",
    );
    bars(to, figures, &points, "All", &[0, 1, 2, 3, 4, 5, 6, 7]);
    bars(to, figures, &points, "Not delivered", &[2, 3, 1, 4, 5, 6, 7]);
    to.push_str("</div>\n<details><summary>As a table</summary><div class=scroll tabindex=0 role=region aria-label=\"Outcomes over time\"><table><thead><tr><th scope=col>Time");
    let shown = shown(&points, &[0, 1, 2, 3, 4, 5, 6, 7]);
    for kind in &shown {
        let _ = write!(to, "<th scope=col>{}", label(*kind));
    }
    to.push_str("<tbody>");
    for point in &points {
        let _ = write!(to, "<tr><th scope=row>{}", time(figures, point.at_ms, length));
        for kind in &shown {
            let _ = write!(to, "<td>{}", number(point.outcomes.counts()[*kind]));
        }
    }
    to.push_str("</table></div></details></section>\n");
}

fn label(kind: usize) -> &'static str {
    match OUTCOMES[kind] {
        "sent" => "delivered",
        "deferred" => "waiting",
        other => other,
    }
}

/// The kinds of which there is at least one.
fn shown(points: &[Point], kinds: &[usize]) -> Vec<usize> {
    let some = |kind: &usize| points.iter().any(|point| point.outcomes.counts()[*kind] > 0);
    kinds.iter().copied().filter(some).collect()
}

fn time(figures: &Figures, at_ms: i64, length: i64) -> String {
    let days = figures.to_ms.saturating_sub(figures.from_ms) > 2 * DAY_MS;
    figures.clock(
        at_ms,
        match (days, length < DAY_MS) {
            (false, _) => "%H:%M",
            (true, true) => "%-d %b %H:%M",
            (true, false) => "%-d %b",
        },
    )
}

fn bars(to: &mut String, figures: &Figures, points: &[Point], name: &str, kinds: &[usize]) {
    let kinds = shown(points, kinds);
    let sum = |point: &Point| kinds.iter().map(|kind| point.outcomes.counts()[*kind]).sum::<u64>();
    let Some(peak) = points.iter().max_by_key(|point| sum(point)).filter(|point| sum(point) > 0) else {
        return;
    };
    let (tick, ticks) = scale(sum(peak));
    let top = (tick * ticks) as f64;
    let period = figures.to_ms.saturating_sub(figures.from_ms).max(1);
    let length = period / i64::try_from(points.len().max(1)).unwrap_or(1);
    let full = HEIGHT + 2.0 * MARGIN + 10.0;
    let _ = write!(to, "<figure class=card><figcaption><h3>{name}</h3><ul class=legend>");
    for kind in &kinds {
        let total: u64 = points.iter().map(|point| point.outcomes.counts()[*kind]).sum();
        let _ = write!(to, "<li class={}>{} <b>{}</b>", OUTCOMES[*kind], label(*kind), number(total));
    }
    let most = format!("at most {} at {}", number(sum(peak)), time(figures, peak.at_ms, length));
    to.push_str("</ul></figcaption>\n<div class=chart>");
    let _ = write!(to, "<svg class=scale width=46 height={full} aria-hidden=true>");
    let level = |count: f64| MARGIN + HEIGHT - count / top * HEIGHT;
    for at in 0..=ticks {
        let (y, text) = (level((tick * at) as f64), short(tick * at));
        let _ = write!(to, "<text x=40 y={y:.1} dy=.32em text-anchor=end>{text}</text>");
    }
    let _ = write!(
        to,
        "</svg><svg class=plot width=100% height={full} role=img aria-label=\"{name}, over time: {most}\">"
    );
    for at in 0..=ticks {
        let (y, class) = (level((tick * at) as f64), if at == 0 { "base" } else { "grid" });
        let _ = write!(to, "<line class={class} x1=0 x2=100% y1={y:.1} y2={y:.1} />");
    }
    let slot = 100.0 / points.len() as f64;
    for (index, point) in points.iter().enumerate() {
        if sum(point) == 0 {
            continue;
        }
        let x = slot * index as f64;
        let _ = write!(to, "<g><title>{}", time(figures, point.at_ms, length));
        let mut below = 0.0;
        let mut parts = String::new();
        for kind in &kinds {
            let count = point.outcomes.counts()[*kind];
            if count == 0 {
                continue;
            }
            let _ = write!(to, "\n{} {}", number(count), label(*kind));
            let (class, y) = (OUTCOMES[*kind], level(below + count as f64));
            let height = level(below) - y;
            let (x, width) = (x + slot * 0.1, slot * 0.8);
            let _ = write!(
                parts,
                "<rect class={class} x={x:.3}% width={width:.3}% y={y:.2} height={height:.2} />"
            );
            below += count as f64;
        }
        let _ = write!(
            to,
            "</title><rect class=hover x={x:.3}% width={slot:.3}% y={MARGIN} height={HEIGHT} />{parts}</g>"
        );
    }
    // Labels stand at full hours or days of the wall clock.
    let every = usual_length(period, length, 6);
    let local = |at_ms: i64| at_ms.saturating_add(i64::from(figures.utc_offset) * 1000);
    let y = MARGIN + HEIGHT + 16.0;
    for (index, point) in points.iter().enumerate() {
        let from_start = local(point.at_ms) - local(figures.from_ms);
        let due = if every > DAY_MS {
            from_start % every == 0
        } else {
            local(point.at_ms).rem_euclid(every) < length
        };
        let x = slot * index as f64;
        if due && x < 94.0 {
            let text = time(figures, point.at_ms, length.max(if every >= DAY_MS { every } else { 0 }));
            let _ = write!(
                to,
                "<line class=tick x1={x:.3}% x2={x:.3}% y1={0} y2={1} />",
                MARGIN + HEIGHT,
                MARGIN + HEIGHT + 4.0
            );
            let _ = write!(to, "<text x={x:.3}% y={y}>{text}</text>");
        }
    }
    to.push_str("</svg></div></figure>\n");
}

/// Round steps of a scale that reaches `most`: how large, and how many.
fn scale(most: u64) -> (u64, u64) {
    let mut unit = 1u64;
    loop {
        for factor in [1, 2, 5] {
            let tick = unit.saturating_mul(factor);
            if most.div_ceil(tick) <= 4 {
                return (tick, most.div_ceil(tick).max(1));
            }
        }
        unit = unit.saturating_mul(10);
    }
}

/// A dot for half, a dot for 90 %, a dot for 99 %, on a logarithmic scale of seconds.
pub(crate) fn delays(
    to: &mut String,
    head: &str,
    lines: &[GroupFigures],
    all: Option<&Percentiles>,
    most: usize,
) {
    let timed: Vec<GroupFigures> = lines.iter().filter(|line| line.delay.is_some()).cloned().collect();
    let (kept, _) = top(&timed, most);
    let rows: Vec<(String, &Percentiles)> = all
        .map(|all| ("All".to_owned(), all))
        .into_iter()
        .chain(
            kept.iter()
                .filter_map(|line| Some((escape(&line.name, super::LONGEST_NAME), line.delay.as_ref()?))),
        )
        .collect();
    if rows.is_empty() {
        return;
    }
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
    let low = rows.iter().map(|(_, delay)| delay.p50).fold(f64::INFINITY, f64::min);
    let high = rows.iter().map(|(_, delay)| delay.p99).fold(0.0, f64::max);
    let first = MARKS.iter().rposition(|(mark, _)| *mark <= low).unwrap_or(0);
    let last = MARKS
        .iter()
        .position(|(mark, _)| *mark >= high)
        .unwrap_or(MARKS.len() - 1)
        .max(first + 1)
        .min(MARKS.len() - 1);
    let first = first.min(last - 1);
    let (from, to_) = (MARKS[first].0.ln(), MARKS[last].0.ln());
    let x = |seconds: f64| ((seconds.max(1e-3).ln() - from) / (to_ - from) * 96.0 + 2.0).clamp(2.0, 98.0);
    let _ = write!(
        to,
        "<section class=card aria-labelledby=delays><h2 id=delays>{head}</h2>\n<ul class=legend><li class=p50>half<li class=p90>90 %<li class=p99>99 %</ul>\n\
         <div class=scroll tabindex=0 role=region aria-labelledby=delays><table class=delays><thead><tr><th scope=col>To<th scope=col class=track><svg width=100% height=16 aria-hidden=true>"
    );
    for (index, (mark, text)) in MARKS[first..=last].iter().enumerate() {
        let anchor = match index {
            0 => "start",
            _ if index == last - first => "end",
            _ => "middle",
        };
        let class = if index > 0 && index < last - first { " class=wide" } else { "" };
        let _ = write!(to, "<text{class} x={:.2}% y=11 text-anchor={anchor}>{text}</text>", x(*mark));
    }
    to.push_str("</svg><th scope=col>half<th scope=col>90 %<th scope=col>99 %<tbody>");
    for (name, delay) in &rows {
        let [half, ninety, nearly] = [delay.p50, delay.p90, delay.p99].map(x);
        let _ = write!(
            to,
            "<tr><th scope=row><bdi>{name}</bdi><td class=track><svg width=100% height=22 aria-hidden=true>"
        );
        for (mark, _) in &MARKS[first..=last] {
            let _ = write!(to, "<line class=grid x1={0:.2}% x2={0:.2}% y1=0 y2=22 />", x(*mark));
        }
        let _ = write!(
            to,
            "<line class=reach x1={half:.2}% x2={nearly:.2}% y1=11 y2=11 /><circle class=p99 cx={nearly:.2}% cy=11 r=4.5 />\
             <circle class=p90 cx={ninety:.2}% cy=11 r=4.5 /><circle class=p50 cx={half:.2}% cy=11 r=4.5 /></svg>"
        );
        for seconds in [delay.p50, delay.p90, delay.p99] {
            let _ = write!(to, "<td>{}", duration(seconds));
        }
    }
    to.push_str("</table></div></section>\n");
}
