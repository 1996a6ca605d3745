//! Figures for the tests of the renderers: a day with every kind of entry, and names chosen by
//! someone hostile.

use super::figures::{
    Figures, GroupFigures, LineCounts, Percentiles, ProviderReason, Reason, StoreFigures, UnknownText,
};
use super::outcomes::Outcomes;
use super::series::{Point, Resolution};
use crate::clock::{DAY_MS, HOUR_MS};
use std::collections::BTreeMap;

/// 2026-11-20T00:00:00Z.
pub(crate) const MIDNIGHT: i64 = 1_795_132_800_000;
/// What a stranger can put where a name is expected.
pub(crate) const HOSTILE: &str = "=1+1|\"><script>alert(1)</script>\\\x1b[2J\r\n\u{202e}&amp;'";

pub(crate) fn line(name: &str, sent: u64, bounced: u64, deferrals: u64, delay: Option<f64>) -> GroupFigures {
    GroupFigures {
        name: name.into(),
        outcomes: Outcomes { sent, bounced, deferred: deferrals / 10, ..Outcomes::default() },
        deferrals,
        bytes: sent * 14_000,
        delay: delay.map(|p50| Percentiles { p50, p90: p50 * 10.0, p99: p50 * 150.0 }),
        tls: BTreeMap::new(),
    }
}

fn reason(reason: &str, category: &str, count: u64) -> Reason {
    let severity = match reason {
        "user-unknown" => "hard",
        "mailbox-full" => "soft",
        _ => "",
    };
    Reason { reason: reason.into(), category: category.into(), count, severity: severity.into() }
}

fn levels(levels: &[(&str, u64)]) -> BTreeMap<String, u64> {
    levels.iter().map(|(level, deliveries)| ((*level).to_owned(), *deliveries)).collect()
}

fn provider_reason(provider: &str, reason: &str, count: u64) -> ProviderReason {
    ProviderReason { provider: provider.into(), reason: reason.into(), count }
}

fn unknown(shape: &str, count: u64, example: &str) -> UnknownText {
    UnknownText { shape: shape.into(), count, example: example.into() }
}

pub(crate) fn day() -> Figures {
    let point = |hour: i64| Point {
        at_ms: MIDNIGHT + hour * HOUR_MS,
        outcomes: Outcomes { sent: 100, bounced: u64::from(hour % 5 == 0) * 20, ..Outcomes::default() },
    };
    Figures {
        from_ms: MIDNIGHT,
        to_ms: MIDNIGHT + DAY_MS,
        utc_offset: 0,
        step: Resolution::Hour,
        host: "mx.example.net".into(),
        totals: TOTALS,
        deferrals: 240,
        oldest_deferred_ms: Some(MIDNIGHT - 3 * HOUR_MS),
        store: Some(StoreFigures { pending: 7, paused: 1, parked: 2, suppressed: 4321 }),
        bytes: 33_600_000,
        delay: Some(Percentiles { p50: 1.2, p90: 42.0, p99: 7200.0 }),
        series: (0..24).map(point).collect(),
        reasons: vec![
            reason("mailbox-full", "quota-issues", 40),
            reason("user-unknown", "bad-mailbox", 90),
            reason("undetermined", "other", 12),
        ],
        rejects: vec![reason("relay-denied", "relaying-issues", 55)],
        unclassified: 12,
        lines: LineCounts { parsed: 12_000, ignored: 3_400, unknown: 7 },
        ..groups()
    }
}

const TOTALS: Outcomes = Outcomes {
    sent: 2400,
    bounced: 120,
    deferred: 24,
    expired: 30,
    rejected: 55,
    held: 2,
    deleted: 1,
    discarded: 3,
};

/// The lists of the day.
fn groups() -> Figures {
    let mut domains = vec![
        line("gmail.example", 1500, 30, 40, Some(1.2)),
        line("web.example", 700, 60, 200, Some(3.0)),
        line(HOSTILE, 200, 30, 0, None),
    ];
    domains[1].tls = levels(&[("none", 20), ("dane", 600), ("may", 1)]);
    domains[2].tls = levels(&[("none", 200)]);
    Figures {
        sender_domains: domains[..1].to_vec(),
        recipient_domains: domains,
        providers: vec![
            GroupFigures { tls: levels(&[("may", 1500)]), ..line("google", 1500, 30, 40, Some(1.2)) },
            line("united-internet", 700, 60, 200, Some(3.0)),
        ],
        clients: vec![line("shop", 2000, 100, 9, None), line(HOSTILE, 400, 20, 0, None)],
        relays: vec![line("mx.example.com[192.0.2.1]:25", 2400, 120, 240, Some(2.0))],
        sources: vec![line("vmta/mta1", 2000, 100, 9, None), line(HOSTILE, 400, 20, 0, None)],
        tls: levels(&[("none", 30), ("may", 2000)]),
        provider_reasons: vec![
            provider_reason("google", "user-unknown", 30),
            provider_reason("united-internet", "user-unknown", 60),
            provider_reason("united-internet", "mailbox-full", 40),
            provider_reason(HOSTILE, "mailbox-full", 1),
        ],
        unknown: vec![
            unknown(HOSTILE, 4, &HOSTILE.repeat(9)),
            unknown("<n> tell the moon <addr>", 8, "550 tell the moon x@example.com"),
        ],
        ..Figures::default()
    }
}
