//! The page is whole, needs nothing, and does nothing that mail tells it.

use super::*;
use crate::clock::{DAY_MS, HOUR_MS};
use crate::stats::fixture;

fn page(figures: &Figures) -> String {
    render(figures, &Page { made_ms: fixture::MIDNIGHT, top: 10 })
}

#[test]
fn nothing_from_mail_is_markup() {
    let mut day = fixture::day();
    day.host = fixture::HOSTILE.into();
    day.reasons[0].reason = fixture::HOSTILE.into();
    day.reasons[0].category = fixture::HOSTILE.into();
    day.provider_reasons[0].reason = fixture::HOSTILE.into();
    day.relays[0].name = fixture::HOSTILE.into();
    day.providers[0].name = fixture::HOSTILE.into();
    day.sender_domains[0].name = fixture::HOSTILE.into();
    let text = page(&day);
    assert!(text.matches("&lt;script&gt;alert(1)&lt;/script&gt;").count() > 10);
    assert!(!text.contains("<script") && !text.contains('\x1b') && !text.contains('\u{202e}'));
    assert!(text.chars().all(|c| !c.is_control() || c == '\n'));
}

#[test]
fn it_needs_no_network() {
    let text = page(&fixture::day());
    for word in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", " on"] {
        let found = text.match_indices(word).find(|(at, _)| word != " on" || text[*at..].starts_with(" onl"));
        assert!(found.is_none(), "{word}: {found:?}");
    }
    assert!(text.contains("default-src 'none'"));
}

#[test]
fn charts_are_named_and_have_tables_behind_them() {
    let text = page(&fixture::day());
    assert_eq!(text.matches("<svg").count(), text.matches("</svg>").count());
    let hidden = text.matches("aria-hidden=true").count();
    let named = text.matches("role=img aria-label=\"").count();
    assert_eq!(text.matches("<svg").count(), hidden + named);
    assert_eq!(named, 2);
    assert!(text.contains("<summary>As a table</summary>"));
    assert!(text.contains("All, over time: at most 120 at "), "{text}");
    for id in [
        "course",
        "reasons",
        "rejects",
        "heat",
        "providers",
        "domains",
        "delays",
        "clients",
        "relays",
        "sources",
        "tls-providers",
        "tls",
        "unknown",
    ] {
        assert_eq!(text.matches(&format!(" id={id}>")).count(), 1, "{id}");
    }
}

#[test]
fn a_day_without_mail_is_a_page_too() {
    let text = page(&Figures::default());
    assert!(!text.contains("<section") && text.ends_with("</html>\n"));
    assert!(!text.contains("NaN") && !text.contains("inf"));
}

#[test]
fn a_period_that_was_empty_at_first_says_when_its_data_begin_and_is_not_drawn() {
    let mut day = fixture::day();
    assert!(!page(&day).contains("Data begin at"));
    day.from_ms -= 6 * DAY_MS;
    let text = page(&day);
    assert!(text.contains("Data begin at 20 November 2026 00:00"), "{text}");
    assert!(!text.contains("<th scope=row>15 Nov"), "{text}");
}

#[test]
fn words_and_commands_are_the_same_everywhere() {
    let mut day = fixture::day();
    day.providers.clear();
    let text = page(&day);
    assert!(text.contains("No recipient was at a provider that carom knows."));
    assert!(text.contains("<code dir=ltr>carom deliveries --unclassified</code>"));
    assert!(text.contains(">Still deferred<") && !text.contains(">Waiting<") && !text.contains("waiting"));
    // The colours of the bars have their names beside them.
    let domains = text.split(" id=domains>").nth(1).unwrap();
    assert!(domains.split("</section>").next().unwrap().contains("<li class=sent>delivered"), "{domains}");
}

#[test]
fn odd_figures_do_not_break_it() {
    let mut day = fixture::day();
    day.series.truncate(1);
    day.to_ms = day.from_ms + 1;
    day.recipient_domains[0].delay = Some(Default::default());
    day.recipient_domains[1].outcomes.sent = u64::MAX / 4;
    day.providers.clear();
    day.delay = None;
    assert!(!page(&day).contains("NaN"));
    day.to_ms = i64::MAX;
    assert!(page(&day).len() < 200_000);
    day.from_ms = day.to_ms;
    assert!(page(&day).ends_with("</html>\n"));
}

#[test]
fn a_month_and_an_hour_have_labels_that_can_be_read() {
    let mut day = fixture::day();
    day.to_ms = day.from_ms + 30 * DAY_MS;
    assert!(page(&day).contains(">20 Nov</text>"));
    day.to_ms = day.from_ms + HOUR_MS;
    day.step = crate::stats::series::Resolution::Minute;
    assert!(page(&day).contains(">00:00</text>"));
}
