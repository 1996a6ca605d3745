//! What matters most, in large digits.

use super::markup::Html;
use crate::stats::Figures;
use crate::stats::outcomes::Outcomes;
use crate::stats::render::wording::{bytes, duration, number, share};

pub(crate) fn tiles(to: &mut Html, figures: &Figures) {
    to.raw("<dl class=tiles>\n");
    let (totals, rated) = (&figures.totals, figures.rated());
    let concluded = rated.concluded();
    let of_concluded = |count: u64| match concluded {
        0 => "none concluded".to_owned(),
        _ => format!("{} of {} concluded", unbroken(&share(count, concluded)), number(concluded)),
    };
    let size = match figures.bytes {
        0 => String::new(),
        sum => format!(", {}", unbroken(&bytes(sum))),
    };
    count(to, "sent", "Delivered", totals.sent, &(of_concluded(rated.sent) + &size));
    let failed = |outcomes: &Outcomes| outcomes.bounced.saturating_add(outcomes.expired);
    let expired = match totals.expired {
        0 => String::new(),
        expired => format!(", {} of them expired", number(expired)),
    };
    count(to, "bounced", "Failed", failed(totals), &(of_concluded(failed(&rated)) + &expired));
    let deferrals = format!("{} attempts deferred", number(figures.deferrals));
    count(to, "deferred", "Still deferred", totals.deferred, &deferrals);
    let refused = format!("{} of all, in the session", unbroken(&share(totals.rejected, totals.total())));
    count(to, "rejected", "Rejected", totals.rejected, &refused);
    if let Some(delay) = figures.delay {
        let [most, nearly] = [delay.p90, delay.p99].map(|seconds| unbroken(&duration(seconds)));
        let rest = format!("90\u{a0}% in {most}, 99\u{a0}% in {nearly}");
        tile(to, "delay", "Half delivered in", &duration(delay.p50), &rest);
    }
    to.raw("</dl>\n");
    apart(to, figures);
}

/// What the other figures leave out.
fn apart(to: &mut Html, figures: &Figures) {
    for (what, outcomes) in
        [("Mail that others sent through us", figures.others), ("Mail handed to carom", figures.carom)]
    {
        if outcomes.total() > 0 {
            let [sent, failed] = [outcomes.sent, outcomes.bounced + outcomes.expired].map(number);
            to.raw("<p class=apart>").raw(what).raw(", which is not included: ").text(sent);
            to.raw(" delivered, ").text(failed).raw(" bounced or expired, ");
            to.text(number(outcomes.total())).raw(" in all.</p>\n");
        }
    }
}

/// A count, which is grey if it is zero.
fn count(to: &mut Html, class: &str, name: &'static str, count: u64, note: &str) {
    tile(to, if count == 0 { "none" } else { class }, name, &number(count), note);
}

fn tile(to: &mut Html, class: &str, name: &'static str, value: &str, note: &str) {
    to.tag("div", &[("class", &format_args!("tile {class}"))]);
    to.raw("<dt>").raw(name).raw("</dt><dd>").text(value);
    to.raw("<small>").text(note).raw("</small></dd></div>\n");
}

/// A number that stays with its unit.
fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}
