//! The text format of Prometheus, for node_exporter's textfile collector and for `/metrics`.
//!
//! What has a fixed vocabulary (outcomes, reasons, providers) is a counter of everything since carom began to count.
//! What mail chooses (domains, clients, relays) is a gauge of the recent past: only the biggest are named, and a counter
//! that comes to be named would take from `other`, which looks like a restart. Not here: which figures are lifelong; a
//! counter that shrinks because old rows were deleted is a lie. Invariant: HELP and TYPE stand once, a series stands
//! once, and there are never more series than `most` a dimension and one.

use super::super::figures::{Figures, GroupFigures, LineCounts, OTHER, OUTCOMES, Outcomes, top};
use super::wording::clean;
use crate::store::Heartbeat;
use std::collections::BTreeMap;
use std::fmt::Write;

/// What is exposed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exposition<'a> {
    /// Everything since carom began to count: it never shrinks.
    pub(crate) lifelong: &'a Figures,
    /// The recent past, an hour for example.
    pub(crate) recent: Option<&'a Figures>,
    /// What carom counted of its own work.
    pub(crate) counted: &'a Counted,
    /// Names of each dimension; the others are `other`.
    pub(crate) most: usize,
}

/// carom's own work.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// The counters of `carom stats`.
    pub(crate) counters: BTreeMap<String, u64>,
    /// How ticks go.
    pub(crate) heartbeat: Option<Heartbeat>,
}

/// Characters of a label's value.
const LONGEST: usize = 128;

/// The exposition.
pub(crate) fn render(exposition: &Exposition<'_>) -> String {
    let mut text = Text::default();
    own(&mut text, exposition.counted);
    let (lifelong, most) = (exposition.lifelong, exposition.most.max(1));
    let Outcomes { sent, bounced, expired, rejected, deleted, discarded, deferred, held } = lifelong.totals;
    text.family(
        "carom_deliveries_total",
        "counter",
        "Deliveries that came to an end, by what became of them.",
    );
    let ends = [
        ("sent", sent),
        ("bounced", bounced),
        ("expired", expired),
        ("rejected", rejected),
        ("deleted", deleted),
        ("discarded", discarded),
    ];
    for (status, count) in ends {
        text.sample(&[("status", status)], count as f64);
    }
    text.family("carom_deliveries_waiting", "gauge", "Deliveries that did not come to an end yet.");
    text.sample(&[("status", "deferred")], deferred as f64);
    text.sample(&[("status", "held")], held as f64);
    text.family("carom_deferrals_total", "counter", "Delivery attempts that were put off.");
    text.sample(&[], lifelong.deferrals as f64);
    if lifelong.bytes > 0 {
        text.family("carom_delivered_bytes_total", "counter", "Bytes delivered.");
        text.sample(&[], lifelong.bytes as f64);
    }
    let LineCounts { parsed, ignored, unknown } = lifelong.lines;
    text.family("carom_log_lines_total", "counter", "Lines of logs, by what carom made of them.");
    for (result, count) in [("parsed", parsed), ("ignored", ignored), ("unknown", unknown)] {
        text.sample(&[("result", result)], count as f64);
    }
    reasons(&mut text, lifelong, most);
    providers(&mut text, lifelong, most);
    if let Some(recent) = exposition.recent {
        window(&mut text, recent, most);
    }
    text.text
}

fn own(text: &mut Text, counted: &Counted) {
    let counter = |name: &str| counted.counters.get(name).copied().unwrap_or(0);
    let (total, rejected) = (counter("total_messages"), counter("rejected"));
    text.family("carom_messages_total", "counter", "Messages that carom was given, by what it did.");
    for (outcome, count) in
        [("taken", total.saturating_sub(rejected)), ("rejected", rejected), ("deferred", counter("deferred"))]
    {
        text.sample(&[("outcome", outcome)], count as f64);
    }
    if let Some(beat) = &counted.heartbeat {
        let seconds = |at_ms: i64| at_ms as f64 / 1000.0;
        text.family("carom_tick_timestamp_seconds", "gauge", "When the last tick was over.");
        text.sample(&[], seconds(beat.at_ms));
        if let Some(whole_ms) = beat.whole_ms {
            let help = "When the last tick was over of which no part failed.";
            text.family("carom_tick_last_success_timestamp_seconds", "gauge", help);
            text.sample(&[], seconds(whole_ms));
        }
        text.family("carom_tick_duration_seconds", "gauge", "How long the last tick took.");
        text.sample(&[], beat.duration_ms as f64 / 1000.0);
        text.family("carom_tick_failed_parts", "gauge", "Parts of the last tick that failed.");
        text.sample(&[], beat.failed.len() as f64);
    }
    if !counted.counters.is_empty() {
        text.family("carom_events_total", "counter", "What carom stats shows, under the names it has there.");
        for (name, count) in &counted.counters {
            text.sample(&[("event", &clean(name, LONGEST))], *count as f64);
        }
    }
}

fn reasons(text: &mut Text, figures: &Figures, most: usize) {
    for (name, help, reasons) in [
        ("carom_failures_total", "Deliveries that failed or were put off, by reason.", &figures.reasons),
        ("carom_rejects_total", "Mail refused in the session, by reason.", &figures.rejects),
    ] {
        let mut counts = BTreeMap::new();
        for one in reasons {
            *counts.entry((clean(&one.reason, LONGEST), clean(&one.category, LONGEST))).or_insert(0) +=
                one.count;
        }
        if counts.is_empty() {
            continue;
        }
        text.family(name, "counter", help);
        for ((reason, category), count) in bounded(counts, most, (OTHER.to_owned(), OTHER.to_owned())) {
            text.sample(&[("reason", &reason), ("category", &category)], count as f64);
        }
    }
    text.family("carom_unclassified_total", "counter", "Deliveries with a reply that no rule knows.");
    text.sample(&[], figures.unclassified as f64);
}

fn providers(text: &mut Text, figures: &Figures, most: usize) {
    if !figures.providers.is_empty() {
        let help = "Deliveries by who runs the recipient's mail server.";
        text.family("carom_provider_deliveries_total", "counter", help);
        text.lines("provider", &figures.providers, most, |status| !matches!(status, "deferred" | "held"));
    }
    let mut counts = BTreeMap::new();
    for one in &figures.provider_reasons {
        *counts.entry((clean(&one.provider, LONGEST), clean(&one.reason, LONGEST))).or_insert(0) += one.count;
    }
    if !counts.is_empty() {
        let help = "Deliveries that failed or were put off, by provider and reason.";
        text.family("carom_provider_failures_total", "counter", help);
        for ((provider, reason), count) in
            bounded(counts, most.saturating_mul(10), (OTHER.to_owned(), OTHER.to_owned()))
        {
            text.sample(&[("provider", &provider), ("reason", &reason)], count as f64);
        }
    }
}

fn window(text: &mut Text, figures: &Figures, most: usize) {
    text.family(
        "carom_window_seconds",
        "gauge",
        "How long the period is that gauges of deliveries are about.",
    );
    text.sample(&[], figures.to_ms.saturating_sub(figures.from_ms) as f64 / 1000.0);
    if let Some(delay) = figures.delay {
        let help = "Time from arrival to delivery within which this percentage was delivered.";
        text.family("carom_delivery_delay_seconds", "gauge", help);
        for (percentile, seconds) in [("50", delay.p50), ("90", delay.p90), ("99", delay.p99)] {
            text.sample(&[("percentile", percentile)], seconds);
        }
    }
    for (name, label, help, lines) in [
        (
            "carom_recipient_domain_deliveries",
            "recipient_domain",
            "Deliveries in the window, by domain of the recipient.",
            &figures.recipient_domains,
        ),
        (
            "carom_sender_domain_deliveries",
            "sender_domain",
            "Deliveries in the window, by domain of the sender.",
            &figures.sender_domains,
        ),
        ("carom_client_deliveries", "client", "Deliveries in the window, by client.", &figures.clients),
        ("carom_relay_deliveries", "relay", "Deliveries in the window, by next hop.", &figures.relays),
    ] {
        if !lines.is_empty() {
            text.family(name, "gauge", help);
            text.lines(label, lines, most, |_| true);
        }
    }
}

/// The biggest, and the others as one.
fn bounded<K: Ord + Clone>(counts: BTreeMap<K, u64>, most: usize, other: K) -> Vec<(K, u64)> {
    let mut sorted: Vec<(K, u64)> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut rest = 0u64;
    let mut kept = Vec::new();
    for (key, count) in sorted {
        if key == other || kept.len() == most {
            rest = rest.saturating_add(count);
        } else {
            kept.push((key, count));
        }
    }
    if rest > 0 {
        kept.push((other, rest));
    }
    kept
}

#[derive(Default)]
struct Text {
    text: String,
    family: &'static str,
}

impl Text {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        self.family = name;
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(self.family);
        for (at, (name, value)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{open}{name}=\"{value}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    /// A sample a name and status, of which those that are nothing are left out but for `sent`.
    fn lines(
        &mut self,
        label: &'static str,
        lines: &[GroupFigures],
        most: usize,
        shown: impl Fn(&str) -> bool,
    ) {
        let cleaned: Vec<GroupFigures> = lines
            .iter()
            .map(|line| GroupFigures { name: clean(&line.name, LONGEST), ..line.clone() })
            .collect();
        let (kept, rest) = top(&cleaned, most);
        for line in kept.iter().chain(&rest) {
            for (status, count) in OUTCOMES.iter().zip(line.outcomes.counts()) {
                if shown(status) && (count > 0 || *status == "sent") {
                    self.sample(&[(label, &line.name), ("status", status)], count as f64);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;
    use std::collections::HashSet;

    fn counted() -> Counted {
        let counters = [("total_messages", 30), ("rejected", 4), ("open", 12), ("b\"ad\n", 1)];
        let heartbeat = Heartbeat {
            at_ms: 1_795_132_800_000,
            duration_ms: 125,
            whole_ms: None,
            failed: vec!["logs".into()],
        };
        Counted {
            counters: counters.map(|(name, count)| (name.to_owned(), count)).into(),
            heartbeat: Some(heartbeat),
        }
    }

    fn exposed(most: usize) -> String {
        let day = fixture::day();
        render(&Exposition { lifelong: &day, recent: Some(&day), counted: &counted(), most })
    }

    #[test]
    fn every_series_stands_once_below_its_help_and_type() {
        for text in [
            exposed(20),
            exposed(1),
            render(&Exposition {
                lifelong: &Figures::default(),
                recent: None,
                counted: &Counted::default(),
                most: 5,
            }),
        ] {
            let (mut seen, mut family) = (HashSet::new(), "");
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("# TYPE ") {
                    let (name, kind) = rest.split_once(' ').unwrap();
                    assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
                } else if let Some(rest) = line.strip_prefix("# HELP ") {
                    family = rest.split(' ').next().unwrap();
                    assert!(seen.insert(line), "{line}");
                } else {
                    let (series, value) = line.rsplit_once(' ').unwrap();
                    assert!(seen.insert(series), "{line} stands twice");
                    assert!(series == family || series.starts_with(&format!("{family}{{")), "{line}");
                    assert!(value.parse::<f64>().is_ok(), "{line}");
                    assert!(!line.contains(|c: char| c.is_control()), "{line}");
                }
            }
        }
    }

    #[test]
    fn labels_are_bounded_and_escaped() {
        let text = exposed(1);
        assert!(text.contains("carom_client_deliveries{client=\"shop\",status=\"sent\"} 2000\n"), "{text}");
        assert!(text.contains("carom_client_deliveries{client=\"other\",status=\"sent\"} 400\n"), "{text}");
        assert!(exposed(9).contains(r#"{client="=1+1|\"><script>alert(1)</script>\\"#));
        let many: Vec<GroupFigures> =
            (0..500).map(|n| fixture::line(&format!("d{n}"), 1, 0, 0, None)).collect();
        let day = Figures { recipient_domains: many, ..Figures::default() };
        let text = render(&Exposition { lifelong: &day, recent: Some(&day), counted: &counted(), most: 50 });
        assert_eq!(text.matches("carom_recipient_domain_deliveries{").count(), 51);
        assert!(text.contains("recipient_domain=\"other\",status=\"sent\"} 450"), "{text}");
    }

    #[test]
    fn its_own_messages_are_told_apart_by_what_it_did() {
        let text = exposed(9);
        assert!(text.contains("carom_messages_total{outcome=\"taken\"} 26\n"), "{text}");
        assert!(text.contains("carom_messages_total{outcome=\"rejected\"} 4\n"), "{text}");
        assert!(text.contains("carom_events_total{event=\"open\"} 12\n"), "{text}");
        assert!(text.contains("carom_tick_duration_seconds 0.125\n"), "{text}");
        assert!(!text.contains("carom_tick_last_success"), "there was none");
    }

    #[test]
    fn what_still_waits_is_no_counter() {
        let text = exposed(9);
        assert!(text.contains("carom_deliveries_waiting{status=\"deferred\"} 24\n"), "{text}");
        assert!(!text.contains("carom_deliveries_total{status=\"deferred\"}"));
        assert!(text.contains("carom_delivery_delay_seconds{percentile=\"99\"} 7200\n"), "{text}");
    }
}
