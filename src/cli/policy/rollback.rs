//! `carom policy rollback`: an earlier release takes force again.
//!
//! Not here: swapping (`policy::releases`).

use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::policy::releases;
use clap::Args;
use serde_json::json;

#[derive(Args, Debug)]
pub(crate) struct RollbackArgs {
    /// The policy
    name: String,
    /// Use this release instead of the previous one
    #[arg(long, value_name = "NUMBER")]
    to: Option<u32>,
}

pub(crate) fn run(arguments: &RollbackArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let name = &arguments.name;
    match releases::roll_back(config, name, arguments.to)? {
        Some(release) => terminal.show(&release, || {
            let (number, hash) = (release.number, &release.hash[..12]);
            format!("policy {name}, release {number} ({hash}) is in force again\n")
        }),
        None => terminal.show(&json!({ "shipped": true }), || {
            format!("policy {name} as shipped with carom is in force again\n")
        }),
    }
}
