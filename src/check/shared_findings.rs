//! The store that hosts share: how exchanges go, and with `--connect` whether it answers.
//!
//! Not here: exchanging (`crate::shared`). Invariant: without `--connect`, nothing is connected to.

use crate::clock::{self, DAY_MS};
use crate::config::{Config, SharedStore};
use crate::finding::Finding;
use crate::shared::{self, ExchangeState};
use crate::store::Store;
use crate::text::counted;

const SUBJECT: &str = "shared";
/// Facts that wait, and are many.
const MANY: u64 = 100_000;
/// A fix that is always there.
const STATUS: &str = "see what holds it up: carom shared status";

/// What the last exchanges left behind.
pub(super) fn shared_findings(config: &Config) -> Vec<Finding> {
    if !config.shared.get().is_ok_and(SharedStore::is_used) {
        return Vec::new();
    }
    let authority = shared::try_authority(&config.shared).err();
    let authority = authority.iter().map(|error| Finding::error(SUBJECT, error));
    authority.chain(of_exchanges(config)).collect()
}

fn of_exchanges(config: &Config) -> Vec<Finding> {
    let path = config.store_path();
    if !path.exists() {
        return vec![Finding::good(SUBJECT, "the first tick begins to exchange with other hosts")];
    }
    // `store_findings` tells of a store that cannot be read.
    let Ok(Some(state)) = Store::glance(&path).and_then(|store| ExchangeState::read(config, &store)) else {
        return Vec::new();
    };
    let findings = [Some(exchanges(&state)), clock_off(&state), waiting(&state), unshared(&state)];
    findings.into_iter().flatten().map(|finding| finding.of_key(config, &["shared", "url"])).collect()
}

fn exchanges(state: &ExchangeState) -> Finding {
    let mark = &state.mark;
    let last = mark.exchanged_ms.map(clock::rfc3339);
    match (mark.failing_ms, &mark.error) {
        (Some(since_ms), error) => {
            let why = error.as_deref().unwrap_or("for an unknown reason");
            let last = last
                .map_or_else(|| "there was none".to_owned(), |at| format!("the last good one was at {at}"));
            let found =
                format!("exchanges with other hosts fail since {}, {last}: {why}", clock::rfc3339(since_ms));
            Finding::wrong(SUBJECT, found, mark.fix.as_deref().unwrap_or(STATUS))
        }
        (None, _) => match last {
            Some(at) => {
                Finding::good(SUBJECT, format_args!("the last exchange with other hosts was at {at}"))
            }
            None => {
                let found = "no exchange with other hosts yet";
                Finding::note(SUBJECT, found, "let `carom cron` run each minute, or run it now")
            }
        },
    }
}

/// The clock of this host, or that of another one, is wrong.
fn clock_off(state: &ExchangeState) -> Option<Finding> {
    let Some(found) = shared::clock_difference(state.mark.ahead_ms) else {
        let found = "changes of another host are not taken over: their time is more than a day ahead";
        let fix = "set the clock of that host: it is the one where carom check says so";
        return state.mark.has_refused().then(|| Finding::note(SUBJECT, found, fix));
    };
    let what = match state.mark.ahead_ms {
        ahead_ms if ahead_ms >= DAY_MS => "other hosts do not take over what this one changes",
        ahead_ms if ahead_ms <= -DAY_MS => "what other hosts change is not taken over",
        _ => return Some(Finding::note(SUBJECT, found, shared::SET_CLOCK)),
    };
    Some(Finding::wrong(SUBJECT, format_args!("{found}: {what}"), shared::SET_CLOCK))
}

fn waiting(state: &ExchangeState) -> Option<Finding> {
    let found = format!("{} to be shipped to other hosts", counted(state.waiting, "fact"));
    (state.waiting > MANY).then(|| Finding::wrong(SUBJECT, found, STATUS))
}

/// What stays on this host for good.
fn unshared(state: &ExchangeState) -> Option<Finding> {
    let (name, why) = state.unshared.first()?;
    let found = format!(
        "{} that cannot be shared stays on this host: {name}: {why}",
        counted(state.unshared.len() as u64, "fact")
    );
    let fix = "remove the entry, and add it again in a form that other hosts can have: carom suppress remove";
    Some(Finding::note(SUBJECT, found, fix))
}

/// Whether the server answers, is one that carom can use, and takes writes.
pub(crate) fn connect_to_shared(config: &Config) -> Vec<Finding> {
    if !config.shared.get().is_ok_and(SharedStore::is_used) {
        return Vec::new();
    }
    let findings = match shared::probe(&config.shared) {
        Ok(probed) if probed.faults.is_empty() => {
            vec![Finding::good("connect", format_args!("[shared] url answers: Redis {}", probed.version))]
        }
        Ok(probed) => probed.faults.iter().map(|error| Finding::error("connect", error)).collect(),
        Err(error) => vec![Finding::error("connect", &error)],
    };
    let of_url = |finding: Finding| match finding.place {
        Some(_) => finding,
        None => finding.of_key(config, &["shared", "url"]),
    };
    findings.into_iter().map(of_url).collect()
}
