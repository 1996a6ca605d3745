//! How exchanges go: a mark in the store, for checks, metrics and people.

use super::foreign_fact::{refusal, shown};
use crate::clock;
use crate::config::{Config, SharedStore};
use crate::error::{Error, Result};
use crate::store::Store;
use serde::{Deserialize, Serialize};

/// The name of the mark.
const MARK: &str = "shared";

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StateMark {
    /// When the last exchange ended well (milliseconds since 1970).
    pub(crate) exchanged_ms: Option<i64>,
    /// Since when they fail.
    pub(crate) failing_ms: Option<i64>,
    /// Why the last one failed, and the fix.
    #[serde(default)]
    pub(crate) error: Option<String>,
    #[serde(default)]
    pub(crate) fix: Option<String>,
    /// It failed in what only ticks do: a process that lives does not know that it is well again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) of_tick: bool,
    /// How far the clock of this host was ahead of that of the shared store at the last tick; 0:
    /// they agreed.
    #[serde(default)]
    pub(crate) ahead_ms: i64,
    /// What time it was then, whether it went well or not.
    #[serde(default)]
    pub(super) clock_ms: Option<i64>,
    /// The least rank that was not taken over because it was too far ahead.
    #[serde(default)]
    pub(super) ahead: Option<i64>,
}

/// Who exchanged, or failed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExchangeBy {
    LivingProcess,
    Tick,
    /// A tick, after what living processes do too.
    TickAlone,
}

/// How exchanges go, and what is left for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExchangeState {
    pub(crate) mark: StateMark,
    /// Facts that are not in the shared store yet.
    pub(crate) waiting: u64,
    /// Groups that are to be compared.
    pub(crate) behind: usize,
    /// The first of those facts that cannot be shipped: what they are about, and why.
    pub(crate) unshared: Vec<(String, &'static str)>,
}

/// Facts that are looked at for that.
const LOOKED_AT: usize = 1000;

impl ExchangeState {
    /// `None`: nothing is shared.
    pub(crate) fn read(config: &Config, store: &Store) -> Result<Option<ExchangeState>> {
        // A fault of [shared] is the tick's to report.
        if !config.shared.get().is_ok_and(SharedStore::is_used) {
            return Ok(None);
        }
        let behind = store.group_positions()?.iter().filter(|one| one.is_behind()).count();
        let mark = StateMark::read(store)?.unwrap_or_default();
        let waiting = waiting(store, &mark)?;
        let queued = store.queued_facts("", LOOKED_AT)?;
        let refused = queued.iter().filter_map(|fact| Some((shown(&fact.name), refusal(fact)?)));
        Ok(Some(ExchangeState { mark, waiting, behind, unshared: refused.collect() }))
    }
}

/// Facts that are not in the shared store yet. Before the first exchange that is all of them: they
/// are compared, and not queued.
pub(crate) fn waiting(store: &Store, mark: &StateMark) -> Result<u64> {
    match mark.exchanged_ms {
        Some(_) => Ok(store.this_host()?.waiting),
        None => store.shared_facts(),
    }
}

/// What is said of a clock that is so far ahead of that of the shared store; `None`: they agree.
pub(crate) fn clock_difference(ahead_ms: i64) -> Option<String> {
    let side = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let seconds = ahead_ms.abs() / 1000;
    (ahead_ms != 0).then(|| format!("the clock of this host is {seconds} s {side} that of the shared store"))
}

impl StateMark {
    /// Whether changes of another host came whose time is too far ahead.
    pub(crate) fn has_refused(&self) -> bool {
        self.ahead.is_some()
    }

    /// Why the last exchange failed; `None`: it did not.
    pub(crate) fn last_error(&self) -> Option<Error> {
        self.failing_ms?;
        let error = Error::new(self.error.as_deref().unwrap_or("exchanges fail for an unknown reason"));
        Some(match &self.fix {
            Some(fix) => error.remedy(fix),
            None => error,
        })
    }

    /// `None`: there was no exchange yet.
    pub(crate) fn read(store: &Store) -> Result<Option<StateMark>> {
        Ok(store.marked(MARK)?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    pub(super) fn write(&self, store: &Store) -> Result<()> {
        store.mark(MARK, &serde_json::to_string(self).unwrap_or_default())
    }

    /// An exchange ended, of a tick or of a process that lives.
    pub(super) fn note(store: &Store, error: Option<&Error>, by: ExchangeBy) -> Result<()> {
        let (before, now_ms) = (StateMark::read(store)?.unwrap_or_default(), clock::now_ms());
        let mark = match error {
            None if by == ExchangeBy::LivingProcess && before.of_tick => {
                StateMark { exchanged_ms: Some(now_ms), ..before.clone() }
            }
            None => StateMark { exchanged_ms: Some(now_ms), ..StateMark::default() },
            Some(error) => StateMark {
                exchanged_ms: before.exchanged_ms,
                failing_ms: before.failing_ms.or(Some(now_ms)),
                error: Some(error.text().to_owned()),
                fix: error.remedy_text().map(str::to_owned),
                of_tick: by == ExchangeBy::TickAlone,
                ..StateMark::default()
            },
        };
        let StateMark { ahead, ahead_ms, .. } = before;
        StateMark { clock_ms: Some(now_ms), ahead, ahead_ms, ..mark }.write(store)
    }
}
