//! The exposition is well formed, bounded and harmless.

use super::*;
use crate::shared::ExchangeState;
use crate::stats::figures::GroupFigures;
use crate::stats::fixture;
use crate::store::{Heartbeat, SinkMark};
use std::collections::HashSet;

fn counted() -> Counted {
    let counters = [("total_messages", 30), ("rejected", 4), ("open", 12), ("b\"ad\n", 1)];
    let heartbeat =
        Heartbeat { at_ms: 1_795_132_800_000, duration_ms: 125, whole_ms: None, failed: vec!["logs".into()] };
    Counted {
        logs: vec![("postfix:/var/log/mail.log".into(), false), ("powermta:/x".into(), true)],
        counters: counters.map(|(name, count)| (name.to_owned(), count)).into(),
        sinks: vec![("file:/x".into(), SinkMark { sent: 7, ..SinkMark::default() })],
        heartbeat: Some(heartbeat),
        shared: Some(ExchangeState::default()),
        ..Counted::default()
    }
}

fn exposed(most: usize) -> String {
    let day = fixture::day();
    render(&Exposed { lifelong: &day, recent: Some(&day), counted: &counted(), most })
}

#[test]
fn every_series_is_there_once_below_its_help_and_type() {
    for text in [
        exposed(20),
        exposed(1),
        render(&Exposed {
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
                assert!(seen.insert(series), "{line} is there twice");
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
    assert!(text.contains("carom_source_deliveries{source=\"vmta/mta1\",status=\"sent\"} 2000\n"), "{text}");
    assert!(text.contains("carom_tls_deliveries_total{tls=\"none\"} 30\n"), "{text}");
    assert!(text.contains("carom_provider_tls_deliveries_total{provider=\"google\",tls=\"may\"} 1500\n"));
    let without = "carom_recipient_domain_tls_deliveries{recipient_domain=\"other\",tls=\"none\"} 200\n";
    assert!(text.contains(without), "{text}");
    assert!(exposed(9).contains(r#"{client="=1+1|\"><script>alert(1)</script>\\"#));
    let many: Vec<GroupFigures> = (0..500).map(|n| fixture::line(&format!("d{n}"), 1, 0, 0, None)).collect();
    let day = Figures { recipient_domains: many, ..Figures::default() };
    let text = render(&Exposed { lifelong: &day, recent: Some(&day), counted: &counted(), most: 50 });
    assert_eq!(text.matches("carom_recipient_domain_deliveries{").count(), 51);
    assert!(text.contains("recipient_domain=\"other\",status=\"sent\"} 450"), "{text}");
}

#[test]
fn its_own_messages_are_counted_by_what_it_did() {
    let text = exposed(9);
    assert!(text.contains("carom_messages_total{outcome=\"taken\"} 26\n"), "{text}");
    assert!(text.contains("carom_messages_total{outcome=\"rejected\"} 4\n"), "{text}");
    assert!(text.contains("carom_events_total{event=\"open\"} 12\n"), "{text}");
    assert!(text.contains("carom_tick_duration_seconds 0.125\n"), "{text}");
    assert!(!text.contains("carom_tick_last_success"), "there was none");
}

#[test]
fn what_still_waits_is_a_gauge() {
    let text = exposed(9);
    assert!(text.contains("carom_deliveries_waiting{status=\"deferred\"} 24\n"), "{text}");
    assert!(!text.contains("carom_deliveries_total{status=\"deferred\"}"));
    assert!(text.contains("carom_delivery_delay_seconds{percentile=\"99\"} 7200\n"), "{text}");
}
