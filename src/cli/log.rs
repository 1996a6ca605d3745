//! `carom log`: the end of the message log.
//!
//! Not here: the log (`message_log`).

use super::terminal::{Terminal, print};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Exit, Result};
use crate::message_log::{self, MessageLog};
use crate::store::Store;
use clap::Args;
use std::time::Duration;

/// Time for records that are new to the store.
const FOLDING: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Show the last N lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
}

pub(crate) fn run(arguments: &LogArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    fold(config).unwrap_or_else(|error| tracing::debug!(%error, "the next tick takes new records"));
    let entries = message_log::tail(config, arguments.lines)?.into_iter();
    let shown = entries.map(|entry| if terminal.json { entry } else { message_log::readable(&entry) });
    print(shown.map(|line| line + "\n").collect::<String>())
}

/// Takes new records into the store, for whoever reads the counters next. The lines are shown
/// without it, to people who may not write the store too.
fn fold(config: &Config) -> Result<()> {
    let store = Store::lazy(&config.store_path());
    if !store.exists() {
        return Ok(());
    }
    MessageLog::open(config).fold(&store, Deadline::after(FOLDING))
}
