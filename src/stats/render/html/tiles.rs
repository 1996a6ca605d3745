//! What matters most, in large digits.

use super::figure_lists::{Choice, Lists};
use super::markup::Html;
use crate::stats::Figures;
use crate::stats::figures::StoreFigures;
use crate::stats::outcomes::Outcomes;
use crate::stats::render::wording::{bytes, duration, number, share};

/// A tile: its class, its name, its value and a note.
struct Tile<'a> {
    class: &'a str,
    name: &'static str,
    value: &'a str,
    note: &'a str,
}

pub(crate) fn tiles(to: &mut Html, figures: &Figures, made_ms: i64, lists: &Lists) {
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
    let sent = Ok(("status", "sent"));
    count(to, "sent", "Delivered", totals.sent, &(of_concluded(rated.sent) + &size), (lists, sent));
    let failed = |outcomes: &Outcomes| outcomes.bounced.saturating_add(outcomes.expired);
    let expired = match totals.expired {
        0 => String::new(),
        expired => format!(", {} of them expired", number(expired)),
    };
    let note = of_concluded(failed(&rated)) + &expired;
    count(to, "bounced", "Failed", failed(totals), &note, (lists, Ok(("status", "bounced,expired"))));
    let deferrals = match figures.of_some_mail {
        true => String::new(),
        false => format!("{} attempts deferred", number(figures.deferrals)),
    };
    let deferred = Ok(("status", "deferred"));
    count(to, "deferred", "Still deferred", totals.deferred, &deferrals, (lists, deferred));
    if let Some(oldest) = figures.oldest_deferred_ms {
        let age = unbroken(&duration(made_ms.saturating_sub(oldest) as f64 / 1000.0));
        let since = format!("since {}", unbroken(&figures.clock(oldest, "%-d %b %H:%M")));
        let oldest = Tile { class: "deferred", name: "Oldest deferred", value: &age, note: &since };
        tile(to, &oldest, (lists, deferred));
    }
    let refused = format!("{} of all, in the session", unbroken(&share(totals.rejected, totals.total())));
    count(to, "rejected", "Rejected", totals.rejected, &refused, (lists, Ok(("status", "rejected"))));
    if let Some(delay) = figures.delay {
        let [most, nearly] = [delay.p90, delay.p99].map(|seconds| unbroken(&duration(seconds)));
        let rest = format!("90\u{a0}% in {most}, 99\u{a0}% in {nearly}");
        let half = duration(delay.p50);
        let half = Tile { class: "delay", name: "Half delivered in", value: &half, note: &rest };
        tile(to, &half, (lists, sent));
    }
    if let Some(store) = &figures.store {
        in_store(to, store, lists);
    }
    to.raw("</dl>\n");
    apart(to, figures);
}

/// What carom has to do itself, and who gets no mail.
fn in_store(to: &mut Html, store: &StoreFigures, lists: &Lists) {
    let (class, parked) = match store.parked {
        0 => ("delay", "none parked".to_owned()),
        parked => ("bounced", format!("{} of them parked: they need you", number(parked))),
    };
    let waiting = store.pending.saturating_add(store.parked);
    count(to, class, "In the outbox", waiting, &format!("steps to do, {parked}"), (lists, Err("/outbox")));
    count(
        to,
        "delay",
        "Suppressed",
        store.suppressed,
        "entries of the list, now",
        (lists, Err("/suppressions")),
    );
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

/// What a tile leads to: deliveries, or another part of the page.
type Behind<'a> = (&'a Lists, Result<Choice<'a>, &'static str>);

/// A count, which is grey if it is zero.
fn count(to: &mut Html, class: &str, name: &'static str, count: u64, note: &str, behind: Behind<'_>) {
    let class = if count == 0 { "none" } else { class };
    tile(to, &Tile { class, name, value: &number(count), note }, behind);
}

fn tile(to: &mut Html, tile: &Tile<'_>, (lists, choice): Behind<'_>) {
    to.tag("div", &[("class", &format_args!("tile {}", tile.class))]);
    to.raw("<dt>").raw(tile.name).raw("</dt><dd>");
    match choice {
        Ok(choice) => lists.number(to, tile.value, &[choice]),
        Err(place) => lists.place(to, tile.value, place),
    }
    to.raw("<small>").text(tile.note).raw("</small></dd></div>\n");
}

/// A number that stays with its unit.
fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}
