//! `[[events]]`: whether files can be written, whether servers may be connected to, and whether a
//! sink has fallen behind.
//!
//! Not here: sending (`events`). Invariant: nothing is sent.

use super::output_findings::grows;
use super::webhook_findings::barred;
use crate::auth::Dns;
use crate::clock;
use crate::config::{Config, EventSink, SinkPlace};
use crate::finding::Finding;
use crate::stats::render::wording::number;
use crate::store::Store;

/// What a finding is about.
const SUBJECT: &str = "events";

pub(super) fn event_findings(config: &Config) -> Vec<Finding> {
    // A fault of [[events]] was found with the sections.
    let sinks = config.events.get().map(Vec::as_slice).unwrap_or_default();
    if sinks.is_empty() {
        return Vec::new();
    }
    let store = Store::look(&config.store_path()).ok();
    let dns = Dns::open(&config.dns).ok();
    let of_sink = |(at, sink): (usize, &EventSink)| {
        let place = match (&sink.place, &dns) {
            (SinkPlace::Files { directory, .. }, _) => {
                grows(SUBJECT, directory, "[[events]] path").map(|finding| (finding, "path"))
            }
            (SinkPlace::ClickHouse { url, .. } | SinkPlace::Webhook { url, .. }, Some(dns)) => {
                barred(config, dns, url, "[[events]] url").map(|finding| (finding, "url"))
            }
            (_, None) => None,
        };
        let place = place.map(|(finding, key)| finding.of_key(config, &["events", &at.to_string(), key]));
        let behind = store.as_ref().and_then(|store| behind(store, sink));
        let behind = behind.map(|finding| finding.of_key(config, &["events", &at.to_string()]));
        place.into_iter().chain(behind)
    };
    sinks.iter().enumerate().flat_map(of_sink).collect()
}

/// A sink that fails, and one that has had something dropped.
fn behind(store: &Store, sink: &EventSink) -> Option<Finding> {
    let mark = store.sink_mark(&sink.name()).ok()?;
    let (name, waiting) = (sink.shown_name(), number(mark.waiting));
    if let Some(since) = mark.failing_ms {
        let found = format!(
            "{name}: nothing was taken since {}: {}; {waiting} bytes wait",
            clock::rfc3339(since),
            mark.fault
        );
        return Some(Finding::wrong(SUBJECT, found, "correct the cause; the events wait, up to max_backlog"));
    }
    if mark.dropped > 0 {
        let found =
            format!("{name}: {} bytes of events were dropped, because it was behind", number(mark.dropped));
        return Some(Finding::note(SUBJECT, found, "set max_backlog of its [[events]] higher, or seconds"));
    }
    let sent = number(mark.sent);
    let more = if mark.uncollected { ", and more events are to be collected" } else { "" };
    Some(Finding::good(SUBJECT, format_args!("{name}: {sent} events sent, {waiting} bytes wait{more}")))
}
