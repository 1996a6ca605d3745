//! carom's own work: messages, ticks, and the counters of `carom stats`.

use super::super::super::figures::StoreFigures;
use super::families::{Families, Histogram, clean};
use crate::shared::ExchangeState;
use crate::store::{ANSWER_TIMES, Heartbeat, SinkMark};
use std::collections::BTreeMap;

/// Firing alerts that are named.
const MOST_ALERTS: usize = 100;

#[derive(Clone, Debug, Default)]
pub(crate) struct Counted {
    /// The counters of `carom stats`.
    pub(crate) counters: BTreeMap<String, u64>,
    /// The logs that ticks read, and whether each cannot be read.
    pub(crate) logs: Vec<(String, bool)>,
    /// How far each sink of events is.
    pub(crate) sinks: Vec<(String, SinkMark)>,
    /// How ticks go.
    pub(crate) heartbeat: Option<Heartbeat>,
    /// How exchanges with other hosts go.
    pub(crate) shared: Option<ExchangeState>,
    /// What is in the store now.
    pub(crate) store: Option<StoreFigures>,
    /// Alerts that are pending or firing, as rule, group and state.
    pub(crate) alerts: Vec<(String, String, &'static str)>,
}

pub(crate) fn own(to: &mut Families, counted: &Counted) {
    let counter = |name: &str| counted.counters.get(name).copied().unwrap_or(0);
    let (total, rejected) = (counter("total_messages"), counter("rejected"));
    to.counter("carom_messages_total", "Messages that carom was given, by what it did.");
    let taken = total.saturating_sub(rejected);
    for (outcome, count) in [("taken", taken), ("rejected", rejected), ("deferred", counter("deferred"))] {
        to.sample(&[("outcome", outcome)], count as f64);
    }
    if counter("lmtp_sessions") > 0 {
        sessions(to, counted);
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
    counted.shared.iter().for_each(|state| exchanges(to, state));
    if let Some(store) = &counted.store {
        kept(to, store);
    }
    alerts(to, counted);
    if !counted.sinks.is_empty() {
        sinks(to, &counted.sinks);
    }
    in_dialogue(to, counted);
    if !counted.counters.is_empty() {
        to.counter("carom_events_total", "What carom stats shows, under the names it has there.");
        for (name, count) in &counted.counters {
            to.sample(&[("event", &clean(name))], *count as f64);
        }
    }
}

/// What the store has now.
fn kept(to: &mut Families, store: &StoreFigures) {
    to.gauge("carom_outbox_steps", "Steps that wait for their time or another try, or for an operator.");
    to.sample(&[("state", "pending")], store.pending.saturating_sub(store.paused) as f64);
    to.sample(&[("state", "paused")], store.paused as f64);
    to.sample(&[("state", "parked")], store.parked as f64);
    to.gauge("carom_suppressions", "Entries of the suppression list.");
    to.sample(&[], store.suppressed as f64);
}

fn alerts(to: &mut Families, counted: &Counted) {
    let of = |state: &str| counted.alerts.iter().filter(|(.., one)| *one == state).count();
    to.gauge("carom_alerts", "Groups that an alert rule is pending or firing for.");
    for state in ["pending", "firing"] {
        to.sample(&[("state", state)], of(state) as f64);
    }
    if of("firing") > 0 {
        to.gauge("carom_alert_firing", "1: this rule fires for this group.");
    }
    for (rule, subject, _) in counted.alerts.iter().filter(|(.., state)| *state == "firing").take(MOST_ALERTS)
    {
        to.sample(&[("alert", &clean(rule)), ("subject", &clean(subject))], 1.0);
    }
}

fn sinks(to: &mut Families, sinks: &[(String, SinkMark)]) {
    to.counter("carom_sink_events_total", "Events that a sink of [[events]] took.");
    for (sink, mark) in sinks {
        to.sample(&[("sink", &clean(sink))], mark.sent as f64);
    }
    to.counter("carom_sink_dropped_bytes_total", "Bytes of events that were dropped, as drop_oldest says.");
    for (sink, mark) in sinks {
        to.sample(&[("sink", &clean(sink))], mark.dropped as f64);
    }
    to.gauge("carom_sink_waiting_bytes", "Bytes of events that wait for a sink.");
    for (sink, mark) in sinks {
        to.sample(&[("sink", &clean(sink))], mark.waiting as f64);
    }
    to.gauge("carom_sink_uncollected", "1: the last tick left events to be collected.");
    for (sink, mark) in sinks {
        to.sample(&[("sink", &clean(sink))], f64::from(u8::from(mark.uncollected)));
    }
    to.gauge("carom_sink_failing", "1: the sink took nothing at the last try; carom check says why.");
    for (sink, mark) in sinks {
        to.sample(&[("sink", &clean(sink))], f64::from(u8::from(mark.failing_ms.is_some())));
    }
}

fn sessions(to: &mut Families, counted: &Counted) {
    let counters = &counted.counters;
    let counter = |name: &str| counters.get(name).copied().unwrap_or(0);
    to.counter("carom_lmtp_sessions_total", "Sessions of carom lmtp, by what became of them.");
    for (outcome, name) in [("served", "lmtp_sessions"), ("refused", "lmtp_sessions_refused")] {
        to.sample(&[("outcome", outcome)], counter(name) as f64);
    }
    to.counter("carom_lmtp_messages_total", "Messages that clients handed in.");
    to.sample(&[], counter("lmtp_messages") as f64);
    to.counter("carom_lmtp_answers_total", "Answers about recipients, by the class of the reply.");
    for class in ["2xx", "4xx", "5xx"] {
        to.sample(&[("class", class)], counter(&format!("lmtp_answers_{class}")) as f64);
    }
    let codes = || {
        counters.iter().filter_map(|(name, count)| Some((name.strip_prefix("lmtp_answers_code_")?, count)))
    };
    if codes().next().is_some() {
        to.counter("carom_lmtp_answers_by_code_total", "Answers about recipients, by the code of the reply.");
    }
    for (code, count) in codes() {
        to.sample(&[("code", code)], *count as f64);
    }
    let within = ANSWER_TIMES.iter().map(|(limit_ms, name)| (*limit_ms as f64 / 1000.0, counter(name)));
    let counts = Histogram {
        within: within.collect(),
        beyond: counter("lmtp_answered_later"),
        sum: counter("lmtp_answer_ms") as f64 / 1000.0,
    };
    to.histogram("carom_lmtp_answer_seconds", "Time from the end of a message to its answer.", &counts);
}

/// What the mail server asked while a client waited.
fn in_dialogue(to: &mut Families, counted: &Counted) {
    const ACCESS: &str = "Policy requests of the mail server, by answer; failed and malformed ones too.";
    const MAPS: &str = "Look-ups of the mail server, by result.";
    for (prefix, family, help) in [
        ("access_", "carom_access_requests_total", ACCESS),
        ("socketmap_", "carom_socketmap_requests_total", MAPS),
    ] {
        let answers =
            || counted.counters.iter().filter_map(|(name, count)| Some((name.strip_prefix(prefix)?, count)));
        if answers().next().is_some() {
            to.counter(family, help);
        }
        for (answer, count) in answers() {
            to.sample(&[("answer", answer)], *count as f64);
        }
    }
}

fn exchanges(to: &mut Families, state: &ExchangeState) {
    to.gauge("carom_shared_waiting", "Facts that are not in the shared store yet.");
    to.sample(&[], state.waiting as f64);
    to.gauge("carom_shared_groups_behind", "Groups of facts that are to be compared as a whole.");
    to.sample(&[], state.behind as f64);
    to.gauge("carom_shared_failing", "1: the last exchange with the shared store failed.");
    to.sample(&[], f64::from(u8::from(state.mark.failing_ms.is_some())));
    if let Some(at_ms) = state.mark.exchanged_ms {
        let help = "When an exchange with the shared store last succeeded.";
        to.gauge("carom_shared_exchange_timestamp_seconds", help);
        to.sample(&[], at_ms as f64 / 1000.0);
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
