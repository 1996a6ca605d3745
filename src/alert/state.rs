//! How an alert changes from one tick to the next: a pure function of its state and its value.
//!
//! Quiet → pending, for the rule's `hold` → firing → resolved → quiet. Firing is announced at most
//! once an hour for a group, and resolved once for each announcement of firing. Invariant: however
//! a value jumps to and fro, a rule sends at most [`MESSAGES`] messages an hour, and its last state
//! is announced.

use super::readings::{Reading, absent};
use crate::clock::HOUR_MS;
use crate::config::AlertRule;
use crate::store::{AlertRecord, AlertState};
use std::collections::{BTreeMap, HashSet};

/// Messages of one rule in an hour; firing is repeated for a group after an hour, too.
const MESSAGES: usize = 6;
/// Groups of one rule that are remembered.
const SUBJECTS: usize = 500;

/// Whether a value is beyond the threshold.
pub(crate) fn is_beyond(rule: &AlertRule, value: Option<f64>) -> bool {
    let above = rule.above.or_else(|| rule.below.is_none().then_some(0.0));
    value.is_some_and(|value| {
        above.is_some_and(|limit| value > limit) || rule.below.is_some_and(|limit| value < limit)
    })
}

/// The alerts of a rule after these readings. What is to be announced now has `told_ms` equal to
/// `now_ms`.
pub(crate) fn next(
    rule: &AlertRule,
    before: Vec<AlertRecord>,
    readings: &[Reading],
    now_ms: i64,
) -> Vec<AlertRecord> {
    let is_recent = |alert: &&AlertRecord| alert.told.is_some() && now_ms - alert.told_ms < HOUR_MS;
    let messages: HashSet<i64> = before.iter().filter(is_recent).map(|alert| alert.told_ms).collect();
    let may_tell = messages.len() < MESSAGES;
    let mut before: BTreeMap<String, AlertRecord> =
        before.into_iter().map(|alert| (alert.subject.clone(), alert)).collect();
    let mut after = Vec::new();
    for (subject, value) in values(rule, &before, readings) {
        let was = before.remove(&subject);
        if was.is_none() && after.len() >= SUBJECTS {
            continue;
        }
        let Some(mut alert) = one(rule, was, subject, value, now_ms) else { continue };
        if may_tell {
            tell(&mut alert, now_ms);
        }
        after.push(alert);
    }
    after
}

/// Groups that matter: those that were known before, and those that are beyond the threshold now.
fn values(
    rule: &AlertRule,
    before: &BTreeMap<String, AlertRecord>,
    readings: &[Reading],
) -> Vec<(String, Option<f64>)> {
    let matters =
        |reading: &&Reading| before.contains_key(&reading.subject) || is_beyond(rule, reading.value);
    let read: HashSet<&String> = readings.iter().map(|reading| &reading.subject).collect();
    let gone = before.keys().filter(|subject| !read.contains(subject));
    let current = readings.iter().filter(matters).map(|reading| (reading.subject.clone(), reading.value));
    current.chain(gone.map(|subject| (subject.clone(), absent(rule)))).collect()
}

/// The alert of one group now; none if the group is quiet and there is nothing to remember.
fn one(
    rule: &AlertRule,
    was: Option<AlertRecord>,
    subject: String,
    value: Option<f64>,
    now_ms: i64,
) -> Option<AlertRecord> {
    use AlertState::{Firing, Pending, Resolved};
    let state = was.as_ref().map(|alert| alert.state);
    let new = || AlertRecord {
        rule: rule.name.clone(),
        subject,
        state: Pending,
        since_ms: now_ms,
        value,
        told: None,
        told_ms: 0,
        fired_ms: 0,
    };
    let mut alert = was.unwrap_or_else(new);
    alert.value = value;
    match (state, is_beyond(rule, value)) {
        (None, false) => return None,
        (None | Some(Resolved), true) => (alert.state, alert.since_ms) = (Pending, now_ms),
        // If it was pending only, it was not announced and ends as what it was before.
        (Some(Pending | Firing), false) => (alert.state, alert.since_ms) = (Resolved, now_ms),
        _ => {}
    }
    if alert.state == Pending && now_ms.saturating_sub(alert.since_ms) >= rule.hold.ms() {
        alert.state = Firing;
    }
    let is_over = alert.state == Resolved && alert.told != Some(Firing);
    let is_old = alert.told.is_none() || now_ms - alert.told_ms.max(alert.fired_ms) >= HOUR_MS;
    (!is_over || !is_old).then_some(alert)
}

/// Marks a change that was not announced yet as announced now.
fn tell(alert: &mut AlertRecord, now_ms: i64) {
    let is_due = match alert.state {
        AlertState::Pending => false,
        AlertState::Firing => alert.told != Some(AlertState::Firing) && now_ms - alert.fired_ms >= HOUR_MS,
        AlertState::Resolved => alert.told == Some(AlertState::Firing),
    };
    if is_due {
        (alert.told, alert.told_ms) = (Some(alert.state), now_ms);
        if alert.state == AlertState::Firing {
            alert.fired_ms = now_ms;
        }
    }
}
