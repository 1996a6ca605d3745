//! The exposition for Prometheus: for node_exporter's textfile collector, and for `/metrics`.
//!
//! What has a fixed vocabulary (outcomes, reasons, providers, TLS levels) is a counter of
//! everything since carom began to count. What mail chooses (domains, clients, relays, sources) is
//! a gauge of the recent past: only the biggest are named, and a counter that gets a name would be
//! taken from `other`, which looks like a restart. Not here: which figures are lifelong. Invariant:
//! HELP, TYPE and each series are there once, and a dimension never has more than `most` series and
//! `other`.

mod families;
mod own;
#[cfg(test)]
mod tests;

use super::super::figures::{Figures, LineCounts, Reason};
use super::super::outcomes::{Outcomes, STATUSES};
use super::super::top::OTHER;
use crate::maillog::{LoggedStatus, Whose};
use families::{Families, bounded, clean};
pub(crate) use own::Counted;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Exposed<'a> {
    /// Everything since carom began to count: it never shrinks.
    pub(crate) lifelong: &'a Figures,
    /// The recent past, an hour for example.
    pub(crate) recent: Option<&'a Figures>,
    /// What carom counted of its own work.
    pub(crate) counted: &'a Counted,
    /// Names of each dimension; the others are `other`.
    pub(crate) most: usize,
}

pub(crate) fn render(exposed: &Exposed<'_>) -> String {
    let mut to = Families::default();
    let (lifelong, most) = (exposed.lifelong, exposed.most.max(1));
    own::own(&mut to, exposed.counted);
    totals(&mut to, lifelong);
    let help = "Deliveries that failed or were deferred, by reason.";
    reasons(&mut to, "carom_failures_total", help, &lifelong.reasons, most);
    let help = "Mail refused in the session, by reason.";
    reasons(&mut to, "carom_rejects_total", help, &lifelong.rejects, most);
    to.counter("carom_unclassified_total", "Deliveries with a reply that no rule knows.");
    to.sample(&[], lifelong.unclassified as f64);
    providers(&mut to, lifelong, most);
    tls(&mut to, lifelong, most);
    if let Some(recent) = exposed.recent {
        window(&mut to, recent, most);
    }
    to.finish()
}

fn totals(to: &mut Families, lifelong: &Figures) {
    let Outcomes { sent, bounced, expired, rejected, deleted, discarded, deferred, held } = lifelong.totals;
    let help = "Deliveries of our own mail that came to an end, by what became of them.";
    to.counter("carom_deliveries_total", help);
    let ends = [
        ("sent", sent),
        ("bounced", bounced),
        ("expired", expired),
        ("rejected", rejected),
        ("deleted", deleted),
        ("discarded", discarded),
    ];
    for (status, count) in ends {
        to.sample(&[("status", status)], count as f64);
    }
    apart(to, lifelong);
    to.gauge("carom_deliveries_waiting", "Deliveries of our own mail that have not come to an end yet.");
    to.sample(&[("status", "deferred")], deferred as f64);
    to.sample(&[("status", "held")], held as f64);
    to.counter("carom_deferrals_total", "Delivery attempts that were deferred.");
    to.sample(&[], lifelong.deferrals as f64);
    if lifelong.bytes > 0 {
        to.counter("carom_delivered_bytes_total", "Bytes delivered.");
        to.sample(&[], lifelong.bytes as f64);
    }
    let LineCounts { parsed, ignored, unknown } = lifelong.lines;
    to.counter("carom_log_lines_total", "Lines of logs, by what carom made of them.");
    for (result, count) in [("parsed", parsed), ("ignored", ignored), ("unknown", unknown)] {
        to.sample(&[("result", result)], count as f64);
    }
}

/// Deliveries that are not our own mail. A status without deliveries is left out, except `sent`.
fn apart(to: &mut Families, lifelong: &Figures) {
    let help = "Deliveries that are not our own mail: of others through us, or handed to carom.";
    to.counter("carom_other_deliveries_total", help);
    for (whose, outcomes) in [(Whose::Others, lifelong.others), (Whose::Carom, lifelong.carom)] {
        for status in STATUSES.into_iter().filter(|status| status.is_final()) {
            let count = outcomes.of(status);
            if count > 0 || status == LoggedStatus::Sent {
                to.sample(&[("whose", whose.name()), ("status", status.name())], count as f64);
            }
        }
    }
}

fn reasons(to: &mut Families, family: &'static str, help: &str, reasons: &[Reason], most: usize) {
    let mut counts = BTreeMap::new();
    for one in reasons {
        *counts.entry((clean(&one.reason), clean(&one.category))).or_insert(0) += one.count;
    }
    if counts.is_empty() {
        return;
    }
    to.counter(family, help);
    for ((reason, category), count) in bounded(counts, most, other()) {
        to.sample(&[("reason", &reason), ("category", &category)], count as f64);
    }
}

fn other() -> (String, String) {
    (OTHER.to_owned(), OTHER.to_owned())
}

fn providers(to: &mut Families, figures: &Figures, most: usize) {
    if !figures.providers.is_empty() {
        let help = "Deliveries by who runs the recipient's mail server.";
        to.counter("carom_provider_deliveries_total", help);
        to.groups("provider", &figures.providers, most, LoggedStatus::is_final);
    }
    let mut counts = BTreeMap::new();
    for one in &figures.provider_reasons {
        *counts.entry((clean(&one.provider), clean(&one.reason))).or_insert(0) += one.count;
    }
    if counts.is_empty() {
        return;
    }
    let help = "Deliveries that failed or were deferred, by provider and reason.";
    to.counter("carom_provider_failures_total", help);
    for ((provider, reason), count) in bounded(counts, most.saturating_mul(10), other()) {
        to.sample(&[("provider", &provider), ("reason", &reason)], count as f64);
    }
}

/// TLS levels of everything that was sent, and by provider.
fn tls(to: &mut Families, lifelong: &Figures, most: usize) {
    if lifelong.tls.is_empty() {
        return;
    }
    to.counter("carom_tls_deliveries_total", "Sent deliveries by TLS level, where the log says it.");
    to.levels(&[], &lifelong.tls);
    if lifelong.providers.iter().any(|provider| !provider.tls.is_empty()) {
        let help = "Sent deliveries by who runs the recipient's mail server, and TLS level.";
        to.counter("carom_provider_tls_deliveries_total", help);
        to.tls("provider", &lifelong.providers, most);
    }
}

fn window(to: &mut Families, figures: &Figures, most: usize) {
    to.gauge("carom_window_seconds", "Length of the period that the gauges of deliveries are about.");
    to.sample(&[], figures.length_ms() as f64 / 1000.0);
    if let Some(delay) = figures.delay {
        let help = "Time from arrival to delivery within which this percentage was delivered.";
        to.gauge("carom_delivery_delay_seconds", help);
        for (percentile, seconds) in [("50", delay.p50), ("90", delay.p90), ("99", delay.p99)] {
            to.sample(&[("percentile", percentile)], seconds);
        }
    }
    for (family, label, what, groups) in [
        (
            "carom_recipient_domain_deliveries",
            "recipient_domain",
            "domain of the recipient",
            &figures.recipient_domains,
        ),
        ("carom_sender_domain_deliveries", "sender_domain", "domain of the sender", &figures.sender_domains),
        ("carom_client_deliveries", "client", "client", &figures.clients),
        ("carom_relay_deliveries", "relay", "next hop", &figures.relays),
        ("carom_source_deliveries", "source", "sending stream", &figures.sources),
    ] {
        if !groups.is_empty() {
            to.gauge(family, &format!("Deliveries in the window, by {what}."));
            to.groups(label, groups, most, |_| true);
        }
    }
    if figures.recipient_domains.iter().any(|domain| !domain.tls.is_empty()) {
        let help = "Sent deliveries in the window, by domain of the recipient and TLS level.";
        to.gauge("carom_recipient_domain_tls_deliveries", help);
        to.tls("recipient_domain", &figures.recipient_domains, most);
    }
}
