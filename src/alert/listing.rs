//! The state of every rule, for people and programs that ask.
//!
//! Not here: changing it. Invariant: the names in JSON are public.

use super::announcement::{shown, threshold, what};
use super::desk::Desk;
use super::readings::Reading;
use crate::clock;
use crate::config::AlertRule;
use crate::error::Result;
use crate::store::{AlertRecord, AlertState};
use serde::Serialize;
use std::cmp::Reverse;

/// The state of a rule for one group.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RuleState {
    /// The rule.
    pub(crate) alert: String,
    /// `quiet`, `pending` or `firing`.
    pub(crate) state: &'static str,
    /// What is measured, in words.
    pub(crate) what: String,
    /// The group; empty: all mail.
    pub(crate) subject: String,
    /// None: not enough data.
    pub(crate) value: Option<f64>,
    /// The value in words.
    pub(crate) shown: String,
    /// The threshold in words.
    pub(crate) threshold: String,
    /// Since when it is pending or fires (RFC 3339).
    pub(crate) since: Option<String>,
    /// Whether it was announced.
    pub(crate) announced: bool,
    /// Until when nobody is alerted by the rule (RFC 3339), if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) silent_until: Option<String>,
    /// What the rule does not watch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Desk<'_> {
    /// A row for each group that a rule fires for, or soon may, and one for all other groups.
    pub(crate) fn states(&self) -> Result<Vec<RuleState>> {
        let mut before = self.before()?;
        let mut lookups = self.lookups();
        let mut rows = Vec::new();
        for rule in &self.config.alerting.get()?.rules {
            let was = before.remove(&rule.name).unwrap_or_default();
            let mut of_rule = of_rule(rule, &was, lookups.readings(rule)?);
            if let Some(last) = of_rule.last_mut() {
                last.note = not_watched(lookups.without_provider(rule));
            }
            let silent = self.store.silent_until(&rule.name)?.filter(|until| *until > self.now_ms);
            of_rule.iter_mut().for_each(|row| row.silent_until = silent.map(clock::rfc3339));
            rows.extend(of_rule);
        }
        Ok(rows)
    }
}

fn of_rule(rule: &AlertRule, was: &[AlertRecord], mut readings: Vec<Reading>) -> Vec<RuleState> {
    // The biggest first: of very many groups only these are looked at.
    readings.sort_by_key(|reading| Reverse(reading.deliveries));
    let of = |subject: &str| readings.iter().find(|reading| reading.subject == subject);
    let is_open = |alert: &&AlertRecord| alert.state != AlertState::Resolved;
    let open: Vec<&AlertRecord> = was.iter().filter(is_open).collect();
    let open_row = |alert: &&AlertRecord| {
        let value = of(&alert.subject).map_or(alert.value, |reading| reading.value);
        row(rule, &alert.subject, value, Some(alert))
    };
    let mut rows: Vec<RuleState> = open.iter().map(open_row).collect();
    let is_quiet = |reading: &&Reading| !open.iter().any(|alert| alert.subject == reading.subject);
    let quiet: Vec<&Reading> = readings.iter().filter(is_quiet).collect();
    match quiet.as_slice() {
        [] if !open.is_empty() => {}
        [only] => rows.push(row(rule, &only.subject, only.value, None)),
        [] => rows.push(RuleState { shown: nobody(rule), ..row(rule, "each", None, None) }),
        others => {
            let few = others.iter().filter(|reading| reading.value.is_none()).count();
            let counted = match few {
                0 => format!("{} others", others.len()),
                _ => format!("{} others, {few} with fewer than {} deliveries", others.len(), rule.at_least),
            };
            rows.push(RuleState { shown: counted, ..row(rule, "each", None, None) });
        }
    }
    rows
}

/// What is shown where no group has deliveries.
fn nobody(rule: &AlertRule) -> String {
    let group = rule.of.as_ref().map_or("group", |of| of.group.name()).replace('-', " ");
    let known = if group == "provider" { "known " } else { "" };
    format!("no {known}{group} with deliveries in the last {}", rule.window)
}

/// Deliveries of the window that no provider is known of.
fn not_watched(deliveries: u64) -> Option<String> {
    let note = "to servers of no known provider are not watched; of = \"recipient-domain:each\" watches all";
    (deliveries > 0).then(|| format!("{deliveries} deliveries {note}"))
}

fn row(rule: &AlertRule, subject: &str, value: Option<f64>, alert: Option<&AlertRecord>) -> RuleState {
    RuleState {
        alert: rule.name.clone(),
        state: alert.map_or("quiet", |alert| alert.state.name()),
        what: what(rule, subject),
        subject: subject.to_owned(),
        value,
        shown: shown(&rule.when, value),
        threshold: threshold(rule),
        since: alert.map(|alert| clock::rfc3339(alert.since_ms)),
        announced: alert.is_some_and(|alert| alert.told == Some(alert.state)),
        silent_until: None,
        note: None,
    }
}
