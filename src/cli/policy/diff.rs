//! `carom policy diff`: where a policy that only observes would have decided differently.
//!
//! Not here: observing (`monitor`) and keeping differences (`store`).

use crate::cli::asked_store::folded_store;
use crate::cli::terminal::{Terminal, print};
use crate::clock;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::store::Difference;
use crate::workshop::expectation;
use clap::Args;
use serde_json::Value;

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// Only this policy
    name: Option<String>,
    /// Show the newest N
    #[arg(long, short = 'n', value_name = "N", default_value_t = 20)]
    lines: usize,
}

pub(crate) fn run(arguments: &DiffArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let store = folded_store(config)?;
    let differences = store.differences(arguments.name.as_deref(), arguments.lines)?;
    terminal.rows(&differences, "", words)?;
    if terminal.json {
        return Ok(Exit::Ok);
    }
    let counters = store.counters()?.1;
    let count = |name: &str| counters.get(name).copied().unwrap_or(0);
    let [same, different, failed] = ["monitor_same", "monitor_different", "monitor_failed"].map(count);
    print(format!("{same} decided the same, {different} differently, {failed} failed\n"))
}

fn words(found: &Difference) -> String {
    let (at, envelope) = (clock::rfc3339(found.at_ms), &found.envelope);
    let queue_id = envelope.queue_id.as_deref().unwrap_or("-");
    let (plan, other_plan) = (pretty(&found.plan), pretty(&found.other_plan));
    format!(
        "{at}  {queue_id}  <{}> to <{}>  seed {}\n- {} ({:.12})\n+ {} ({:.12})\n{}",
        envelope.sender,
        envelope.recipient,
        found.seed,
        found.policy,
        found.hash,
        found.other_policy,
        found.other_hash,
        expectation::difference(&plan, &other_plan)
    )
}

fn pretty(plan: &str) -> String {
    let value: Option<Value> = serde_json::from_str(plan).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| plan.to_owned())
}
