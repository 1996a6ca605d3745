//! `carom stats`: counters, or the messages of each minute.
//!
//! Not here: how they look (`stats::sink_counters`).

use super::asked_store::folded_store;
use super::terminal::{Terminal, print};
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::stats::sink_counters;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct StatsArgs {
    /// With --json: messages per minute instead of counters
    #[arg(long)]
    minutes: bool,
}

pub(crate) fn run(arguments: &StatsArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let store = folded_store(config)?;
    match (terminal.json, arguments.minutes) {
        (false, _) => print(sink_counters::render(&store)?),
        (true, false) => print(format!("{}\n", sink_counters::json(&store)?)),
        (true, true) => print(format!("{}\n", sink_counters::series_json(&store)?)),
    }
}
