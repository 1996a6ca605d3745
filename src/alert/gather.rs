//! The figures of a window that rules look at, counted from the deliveries themselves.
//!
//! Invariant: the mail that alerts are told by does not count.

use crate::action::ALERT_ID;
use crate::error::Result;
use crate::stats::Figures;
use crate::stats::domain::registered;
use crate::stats::figures::{Line, Outcomes, Percentiles, ProviderReason, Reason, UnknownText};
use crate::store::index::{Filter, Found, Index};
use std::collections::BTreeMap;

/// Counts what was heard of in the window.
pub(super) fn figures(index: &Index, from_ms: i64, to_ms: i64) -> Result<Figures> {
    let mut count = Count::default();
    let filter = Filter { since_ms: Some(from_ms), until_ms: Some(to_ms), ..Filter::default() };
    index.deliveries(&filter, |found| {
        if !found.message_id.as_deref().is_some_and(|id| id.starts_with(ALERT_ID)) {
            count.take(&found);
        }
        Ok(true)
    })?;
    Ok(count.figures(from_ms, to_ms))
}

#[derive(Default)]
struct Tallied {
    outcomes: Outcomes,
    deferrals: u64,
    delays: Vec<f64>,
}

#[derive(Default)]
struct Count {
    all: Tallied,
    /// By provider, recipient domain, sender domain, client, relay.
    groups: [BTreeMap<String, Tallied>; 5],
    reasons: BTreeMap<(String, String, String), u64>,
    rejects: BTreeMap<String, u64>,
    unknown: u64,
}

impl Tallied {
    fn take(&mut self, found: &Found) {
        let outcomes = &mut self.outcomes;
        let into = match found.status.as_str() {
            "sent" => &mut outcomes.sent,
            "bounced" => &mut outcomes.bounced,
            "deferred" => &mut outcomes.deferred,
            "expired" => &mut outcomes.expired,
            "rejected" => &mut outcomes.rejected,
            "held" => &mut outcomes.held,
            "deleted" => &mut outcomes.deleted,
            _ => &mut outcomes.discarded,
        };
        *into += 1;
        let last = u32::from(!matches!(found.status.as_str(), "deferred" | "expired"));
        self.deferrals += u64::from(found.attempts.saturating_sub(last));
        if found.status == "sent" {
            self.delays.extend(found.delay);
        }
    }

    fn line(mut self, name: String) -> Line {
        self.delays.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = (self.delays.len() as f64 * share).ceil() as usize;
            self.delays.get(place.max(1) - 1).copied()
        };
        let delay = at(0.5).zip(at(0.9)).zip(at(0.99));
        let delay = delay.map(|((p50, p90), p99)| Percentiles { p50, p90, p99 });
        Line { name, outcomes: self.outcomes, deferrals: self.deferrals, bytes: 0, delay }
    }
}

impl Count {
    fn take(&mut self, found: &Found) {
        self.all.take(found);
        let domain = |address: &Option<String>| {
            let (_, domain) = address.as_deref()?.rsplit_once('@')?;
            Some(domain.to_lowercase())
        };
        let host = found.relay.as_deref().and_then(|relay| relay.split(['[', ':']).next());
        let host = host.filter(|host| host.contains('.')).map(str::to_lowercase);
        let recipient = domain(&found.recipient);
        let provider = host.as_deref().map(|host| registered(host).to_owned()).or_else(|| recipient.clone());
        let names = [provider.clone(), recipient, domain(&found.sender), found.client_id.clone(), host];
        for (group, name) in self.groups.iter_mut().zip(names) {
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                group.entry(name).or_default().take(found);
            }
        }
        let reason = found.reason.clone().filter(|reason| !reason.is_empty());
        if let Some(reason) = reason {
            if found.status == "rejected" {
                *self.rejects.entry(reason).or_default() += 1;
            } else {
                let category = found.category.clone().unwrap_or_default();
                *self.reasons.entry((reason, category, provider.unwrap_or_default())).or_default() += 1;
            }
        }
        self.unknown += u64::from(found.rule.as_deref() == Some(""));
    }

    fn figures(self, from_ms: i64, to_ms: i64) -> Figures {
        let all = self.all.line(String::new());
        let lines = |group: BTreeMap<String, Tallied>| -> Vec<Line> {
            group.into_iter().map(|(name, tallied)| tallied.line(name)).collect()
        };
        let [providers, recipients, senders, clients, relays] = self.groups.map(lines);
        let mut figures = Figures {
            from_ms,
            to_ms,
            totals: all.outcomes,
            deferrals: all.deferrals,
            delay: all.delay,
            providers,
            recipient_domains: recipients,
            sender_domains: senders,
            clients,
            relays,
            ..Figures::default()
        };
        for ((reason, category, provider), count) in self.reasons {
            match figures.reasons.iter_mut().find(|one| one.reason == reason && one.category == category) {
                Some(one) => one.count += count,
                None => figures.reasons.push(Reason { reason: reason.clone(), category, count }),
            }
            figures.provider_reasons.push(ProviderReason { provider, reason, count });
        }
        let reject = |(reason, count)| Reason { reason, category: String::new(), count };
        figures.rejects = self.rejects.into_iter().map(reject).collect();
        if self.unknown > 0 {
            figures.unknown.push(UnknownText { count: self.unknown, ..UnknownText::default() });
        }
        figures
    }
}
