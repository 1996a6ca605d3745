//! `carom policy check`: can carom run the policy, and does it accept its settings?

use super::chosen::Chosen;
use crate::cli::check;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::policy::Use;
use crate::workshop::inspect;
use clap::Args;
use std::sync::Arc;

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    chosen: Chosen,
}

pub(crate) fn run(arguments: &CheckArgs, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    let wanted = arguments.chosen.wanted()?;
    let found = match wanted.file {
        Some(file) => inspect::component(config, wanted.name, file, wanted.settings.clone()),
        None => inspect::inside(config, &wanted, Use::One),
    };
    check::show(&found, terminal)
}
