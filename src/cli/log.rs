//! `carom log`: the end of the message log.
//!
//! Not here: the log (`message_log`).

use super::terminal::{Terminal, print};
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::message_log;
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct LogArgs {
    /// Show the last N lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
}

pub(crate) fn run(arguments: &LogArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let entries = message_log::tail(config, arguments.lines)?.into_iter();
    let shown = entries.map(|entry| if terminal.json { entry } else { message_log::readable(&entry) });
    print(shown.map(|line| line + "\n").collect::<String>())
}
