//! How an alert changes from one tick to the next: a pure function of how it stood and what its value is.
//!
//! Quiet → pending, as long as the rule's `hold` → firing → resolved → quiet. Firing is told once, at most once an hour for a group, and
//! resolved once for each time that firing was told. Invariant: however a value jumps to and fro, a rule tells something at most
//! [`MESSAGES`] times an hour, and what stands at the end is told.

use super::readings::{Reading, absent};
use crate::clock::HOUR_MS;
use crate::config;
use crate::store::{AlertRecord, AlertState};
use std::collections::{BTreeMap, HashSet};

/// Messages of one rule in an hour; a group is repeated after an hour, too.
const MESSAGES: usize = 6;
/// Groups of one rule that are remembered.
const SUBJECTS: usize = 500;

/// Whether a value is beyond the threshold.
pub(crate) fn is_beyond(rule: &config::AlertRule, value: Option<f64>) -> bool {
    let above = rule.above.or_else(|| rule.below.is_none().then_some(0.0));
    value.is_some_and(|value| {
        above.is_some_and(|limit| value > limit) || rule.below.is_some_and(|limit| value < limit)
    })
}

/// How the alerts of a rule stand after these readings, and whether there is something to tell: those whose `told_ms` is `now_ms`.
pub(crate) fn next(
    rule: &config::AlertRule,
    before: Vec<AlertRecord>,
    readings: &[Reading],
    now_ms: i64,
) -> Vec<AlertRecord> {
    let recent = |alert: &&AlertRecord| alert.told.is_some() && now_ms - alert.told_ms < HOUR_MS;
    let messages: HashSet<i64> = before.iter().filter(recent).map(|alert| alert.told_ms).collect();
    let may_tell = messages.len() < MESSAGES;
    let mut before: BTreeMap<String, AlertRecord> =
        before.into_iter().map(|alert| (alert.subject.clone(), alert)).collect();
    let mut after = Vec::new();
    let mut values: Vec<(String, Option<f64>)> = Vec::new();
    for reading in readings {
        if before.contains_key(&reading.subject) || is_beyond(rule, reading.value) {
            values.push((reading.subject.clone(), reading.value));
        }
    }
    let read: HashSet<&String> = readings.iter().map(|reading| &reading.subject).collect();
    let gone: Vec<String> = before.keys().filter(|subject| !read.contains(subject)).cloned().collect();
    values.extend(gone.into_iter().map(|subject| (subject, absent(rule))));
    for (subject, value) in values {
        let was = before.remove(&subject);
        if was.is_none() && after.len() >= SUBJECTS {
            continue;
        }
        after.extend(stand(rule, was, subject, value, now_ms).map(|mut alert| {
            if may_tell {
                tell(&mut alert, now_ms);
            }
            alert
        }));
    }
    after
}

/// How it stands now; none: as it should, and there is nothing to remember.
fn stand(
    rule: &config::AlertRule,
    was: Option<AlertRecord>,
    subject: String,
    value: Option<f64>,
    now_ms: i64,
) -> Option<AlertRecord> {
    use AlertState::{Firing, Pending, Resolved};
    let beyond = is_beyond(rule, value);
    let state = was.as_ref().map(|alert| alert.state);
    let begins = || AlertRecord {
        rule: rule.name.clone(),
        subject,
        state: Pending,
        since_ms: now_ms,
        value,
        told: None,
        told_ms: 0,
        fired_ms: 0,
    };
    let mut alert = was.unwrap_or_else(begins);
    alert.value = value;
    match (state, beyond) {
        (None, false) => return None,
        (None | Some(Resolved), true) => (alert.state, alert.since_ms) = (Pending, now_ms),
        // One that came back for a moment and was not told of is what it was before.
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

/// Marks what has changed since it was told last as told now.
fn tell(alert: &mut AlertRecord, now_ms: i64) {
    let due = match alert.state {
        AlertState::Pending => false,
        AlertState::Firing => alert.told != Some(AlertState::Firing) && now_ms - alert.fired_ms >= HOUR_MS,
        AlertState::Resolved => alert.told == Some(AlertState::Firing),
    };
    if due {
        (alert.told, alert.told_ms) = (Some(alert.state), now_ms);
        if alert.state == AlertState::Firing {
            alert.fired_ms = now_ms;
        }
    }
}
