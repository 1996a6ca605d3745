//! `carom rules`: rules of other tools, converted.
//!
//! Not here: the conversion (`import::pda`).

use super::read_input;
use super::terminal::print;
use crate::error::{Context, Exit, Result};
use crate::import::pda::rules_of_pda;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Convert a bounce-regex-list.xml of Postfix-Deliverability-Analytics into rules for
    /// [policy.bounce.settings]
    Import {
        /// The file
        file: PathBuf,
    },
}

pub(crate) fn run(command: &RulesCommand) -> Result<Exit> {
    let RulesCommand::Import { file } = command;
    let bytes = read_input(file)?;
    print(rules_of_pda(&String::from_utf8_lossy(&bytes)).context(file.display())?)
}
