//! `carom alerts`: the state of each rule.

use super::asked_store::folded_store;
use super::terminal::Terminal;
use crate::alert::{Desk, RuleState};
use crate::clock;
use crate::config::Config;
use crate::error::{Exit, Result};

/// A line for each rule and group; the exit code says whether one fires.
pub(crate) fn run(config: &Config, terminal: Terminal) -> Result<Exit> {
    let store = folded_store(config)?;
    let beat = store.heartbeat()?.unwrap_or_default();
    let desk =
        Desk { config, store: &store, now_ms: clock::now_ms(), failed: &beat.failed, logs_complete: true };
    let states = desk.states()?;
    let widest = |text: fn(&RuleState) -> &str| states.iter().map(|one| text(one).chars().count()).max();
    let name = widest(|one| &one.alert).unwrap_or(0).min(30);
    let what = widest(|one| &one.what).unwrap_or(0).min(50);
    terminal.rows(&states, "there are no [[alert]] rules in the config\n", |one| {
        let since = one.since.as_deref().map(|since| format!("  since {since}")).unwrap_or_default();
        let note = one.note.as_deref().map(|note| format!("; {note}")).unwrap_or_default();
        let silent = one.silent_until.as_deref().map(|until| format!("; silent until {until}"));
        let silent = silent.unwrap_or_default();
        let RuleState { state, alert, what: measured, shown, threshold, .. } = one;
        format!(
            "{state:8} {alert:name$}  {measured:what$}  {shown}, threshold {threshold}{since}{silent}{note}"
        )
    })?;
    let fires = states.iter().any(|one| one.state == "firing");
    Ok(if fires { Exit::Failure } else { Exit::Ok })
}
