//! carom's own work: messages, ticks, and the counters of `carom stats`.

use super::families::{Families, clean};
use crate::store::Heartbeat;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// The counters of `carom stats`.
    pub(crate) counters: BTreeMap<String, u64>,
    /// The logs that ticks read, and whether each cannot be read.
    pub(crate) logs: Vec<(String, bool)>,
    /// How ticks go.
    pub(crate) heartbeat: Option<Heartbeat>,
}

pub(crate) fn own(to: &mut Families, counted: &Counted) {
    let counter = |name: &str| counted.counters.get(name).copied().unwrap_or(0);
    let (total, rejected) = (counter("total_messages"), counter("rejected"));
    to.counter("carom_messages_total", "Messages that carom was given, by what it did.");
    let taken = total.saturating_sub(rejected);
    for (outcome, count) in [("taken", taken), ("rejected", rejected), ("deferred", counter("deferred"))] {
        to.sample(&[("outcome", outcome)], count as f64);
    }
    if let Some(beat) = &counted.heartbeat {
        ticks(to, beat);
    }
    if !counted.logs.is_empty() {
        to.gauge("carom_log_unreadable", "1: the log cannot be read; carom check says why.");
        for (log, is_unreadable) in &counted.logs {
            to.sample(&[("log", &clean(log))], f64::from(u8::from(*is_unreadable)));
        }
    }
    if !counted.counters.is_empty() {
        to.counter("carom_events_total", "What carom stats shows, under the names it has there.");
        for (name, count) in &counted.counters {
            to.sample(&[("event", &clean(name))], *count as f64);
        }
    }
}

fn ticks(to: &mut Families, beat: &Heartbeat) {
    to.gauge("carom_tick_timestamp_seconds", "When the last tick ended.");
    to.sample(&[], beat.at_ms as f64 / 1000.0);
    if let Some(whole_ms) = beat.whole_ms {
        let help = "When the last tick ended in which no part failed.";
        to.gauge("carom_tick_last_success_timestamp_seconds", help);
        to.sample(&[], whole_ms as f64 / 1000.0);
    }
    to.gauge("carom_tick_duration_seconds", "How long the last tick took.");
    to.sample(&[], beat.duration_ms as f64 / 1000.0);
    to.gauge("carom_tick_failed_parts", "Parts of the last tick that failed.");
    to.sample(&[], beat.failed.len() as f64);
}
