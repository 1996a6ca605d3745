//! A report is complete, fits, and is harmless.

use super::*;
use crate::stats::fixture;
use crate::stats::render::wording::width;

#[test]
fn a_day_is_shown_in_full() {
    let text = render(&fixture::day(), &Look { width: 100, ..Look::default() });
    for expected in [
        "mx.example.net · Friday, 20 November 2026 (UTC)",
        "delivered           2,400",
        "94.1 % of 2,550 that came to an end were delivered",
        "half within 1.2 s, 90 % within 42 s, 99 % within 2.0 h",
        "Each hour from 00:00",
        "user-unknown",
        "bad-mailbox",
        "gmail.example",
        "vmta/mta1",
        "TLS by recipient domain",
        "without TLS",
        "dane 600",
        "Replies that no rule knows",
        "<n> tell the moon",
        "not understood",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains('\x1b') && !text.contains('\u{202e}'), "{text}");
}

#[test]
fn it_fits_into_any_width() {
    for columns in [40, 57, 80, 100, 139] {
        for line in render(&fixture::day(), &Look { width: columns, ..Look::default() }).lines() {
            assert!(width(line) <= columns, "{columns}: {line}");
        }
    }
}

#[test]
fn colour_changes_nothing_else() {
    let look = Look { width: 90, ..Look::default() };
    let (plain, colour) =
        (render(&fixture::day(), &look), render(&fixture::day(), &Look { colour: true, ..look }));
    let mut stripped = String::new();
    for (at, part) in colour.split('\x1b').enumerate() {
        stripped.push_str(if at == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) });
    }
    assert_eq!(stripped, plain);
}

#[test]
fn an_empty_period_has_no_lists() {
    let text = render(&Figures::default(), &Look::default());
    assert_eq!(text.lines().count(), 3, "{text}");
}
