//! Notifications of an application that the config has paused: they wait, and no try is counted.
//!
//! Not here: sending them (`notify`). Invariants: a paused notification never expires; the time
//! after which its application is given up begins when the pause was last seen.

use super::step_attempt::StepAttempt;
use crate::clock::{self, HOUR_MS, MINUTE_MS};
use crate::config::Application;
use crate::plan::{Notification, StepEnd};
use crate::store::{PAUSED, Performed, Store};

/// The longest time after which a held notification is looked at again.
const LOOK_MS: i64 = 15 * MINUTE_MS;

/// How the step ends while its application is paused.
pub(super) fn held(
    notification: &Notification,
    application: &Application,
    attempt: &StepAttempt<'_>,
) -> Performed {
    let now_ms = clock::now_ms();
    note_pause(&attempt.doors.store, application, now_ms);
    let wait_ms = (now_ms - attempt.mail.at_ms).div_euclid(4).clamp(MINUTE_MS, LOOK_MS);
    let Notification { event, address, .. } = notification;
    let note = format!("{PAUSED}{event} {address}: its [[notify]] has paused = true");
    Performed::new(StepEnd::Held { at_ms: now_ms.saturating_add(wait_ms) }, "", note)
}

/// When the time began after which the application is given up: with the message, or when it was
/// last seen paused.
pub(super) fn since_ms(application: &Application, attempt: &StepAttempt<'_>) -> i64 {
    let came_ms = attempt.mail.at_ms;
    if clock::now_ms() - came_ms < HOUR_MS {
        return came_ms;
    }
    came_ms.max(last_paused_ms(&attempt.doors.store, application).unwrap_or(came_ms))
}

/// The mark that says when an application was last seen paused.
fn mark(application: &Application) -> String {
    format!("paused {}", application.sender_domain().unwrap_or("*"))
}

fn last_paused_ms(store: &Store, application: &Application) -> Option<i64> {
    store.marked(&mark(application)).ok()??.parse().ok()
}

/// Once a minute for all notifications.
fn note_pause(store: &Store, application: &Application, now_ms: i64) {
    let known = last_paused_ms(store, application);
    if known.is_none_or(|at_ms| !(0..MINUTE_MS).contains(&(now_ms - at_ms)))
        && let Err(error) = store.mark(&mark(application), &now_ms.to_string())
    {
        tracing::warn!(%error, "it is not known until when the application was paused");
    }
}
