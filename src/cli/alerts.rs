//! `carom alerts`: how the rules stand.

use super::print;
use super::show::line;
use crate::alert::Desk;
use crate::clock;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::store::Store;
use std::fmt::Write;

/// A line for each rule and group; the exit code says whether one fires.
pub(crate) fn alerts(config: &Config, json: bool) -> Result<Exit> {
    let store = Store::open(&config.store_path())?;
    let beat = store.heartbeat()?.unwrap_or_default();
    let now_ms = clock::now_ms();
    let desk = Desk { config, store: &store, now_ms, failed: &beat.failed, whole: true };
    let standing = desk.standing()?;
    let mut text = String::new();
    let width = |of: &dyn Fn(&crate::alert::Standing) -> usize| standing.iter().map(of).max().unwrap_or(0);
    let name = width(&|one| one.alert.chars().count()).min(30);
    let what = width(&|one| one.what.chars().count()).min(50);
    for one in &standing {
        if json {
            text.push_str(&line(one)?);
            continue;
        }
        let since = one.since.as_deref().map(|since| format!("  since {since}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{:8} {:name$}  {:what$}  {}, threshold {}{since}",
            one.state, one.alert, one.what, one.shown, one.threshold
        );
    }
    if !json && standing.is_empty() {
        text.push_str("there are no [[alert]] rules in the config\n");
    }
    print(text.as_bytes())?;
    let fires = standing.iter().any(|one| one.state == "firing");
    Ok(if fires { Exit::Failure } else { Exit::Ok })
}
