//! The page is whole, needs nothing, and does nothing that mail tells it.

use super::*;
use crate::clock::{DAY_MS, HOUR_MS};
use crate::stats::fixture;

fn page(figures: &Figures) -> String {
    render(figures, &Page { made_ms: fixture::MIDNIGHT, top: 10, present: None })
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
    assert!(
        text.contains("<code dir=ltr>carom deliveries --unclassified --since 2026-11-20T00:00:00Z --until ")
    );
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

/// The luminance of a colour of sRGB (WCAG 2.2), written as `#rgb` or `#rrggbb`.
fn luminance(colour: &str) -> f64 {
    let digits: Vec<f64> =
        colour.chars().skip(1).map(|c| f64::from(c.to_digit(16).expect("a colour"))).collect();
    let channels: Vec<f64> = match digits.len() {
        3 => digits.iter().map(|digit| digit * 17.0).collect(),
        _ => digits.chunks(2).map(|pair| pair[0] * 16.0 + pair[1]).collect(),
    };
    let linear = |channel: &f64| match channel / 255.0 {
        low if low <= 0.04045 => low / 12.92,
        high => ((high + 0.055) / 1.055).powf(2.4),
    };
    let [red, green, blue] = [0, 1, 2].map(|at| linear(&channels[at]));
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[test]
fn text_and_colours_can_be_told_from_what_is_behind_them() {
    let themes: Vec<&str> =
        STYLE.split(":root {").skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
    assert_eq!(themes.len(), 2, "light and dark");
    for theme in themes {
        let colours: Vec<(&str, &str)> =
            theme.split(';').filter_map(|one| one.trim().strip_prefix("--")?.split_once(": ")).collect();
        let of = |name: &str| luminance(colours.iter().find(|(known, _)| *known == name).unwrap().1);
        let contrast = |one: &str, other: &str| {
            let (one, other) = (of(one), of(other));
            (one.max(other) + 0.05) / (one.min(other) + 0.05)
        };
        for text in ["ink", "soft"] {
            for behind in ["page", "card", "line"] {
                assert!(contrast(text, behind) >= 4.5, "{text} on {behind}");
            }
        }
        let decoration = ["page", "card", "line", "rim"];
        for (name, _) in colours.iter().filter(|(name, _)| !decoration.contains(name)) {
            assert!(contrast(name, "card") >= 3.0, "{name}: {}", contrast(name, "card"));
        }
    }
}

#[test]
fn what_waits_and_who_is_suppressed_has_tiles_and_severities_have_colours() {
    let mut day = fixture::day();
    let text = page(&day);
    for tile in [
        "<dt>Oldest deferred</dt><dd>3.0\u{a0}h<small>since 19\u{a0}Nov\u{a0}21:00",
        "<dt>In the outbox</dt><dd>9<small>steps to do, 2 of them parked: they need you",
        "<dt>Suppressed</dt><dd>4,321<small>",
        "<li class=hard>hard: the address is dead<",
        "<li class=soft>soft<",
        "<small>bad-mailbox · hard</small>",
    ] {
        assert!(text.contains(tile), "{tile}: {text}");
    }
    for bar in ["<rect class=hard ", "<rect class=soft ", "<rect class=bar "] {
        assert!(text.contains(bar), "{bar}");
    }
    (day.store, day.oldest_deferred_ms) = (None, None);
    assert!(!page(&day).contains("In the outbox") && !page(&day).contains("Oldest deferred"));
}
