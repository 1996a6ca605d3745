//! `carom policy list`: which policies there are, and the releases of one.
//!
//! Not here: keeping releases (`policy::releases`), and the list (`policy::listed_policy`).

use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::policy::{listed_policy, releases};
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// The policy whose releases to list
    name: Option<String>,
}

pub(crate) fn run(arguments: &ListArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    match &arguments.name {
        Some(name) => releases(name, config, terminal),
        None => policies(config, terminal),
    }
}

fn releases(name: &str, config: &Config, terminal: Terminal) -> Result<Exit> {
    let none = format!("policy {name} was never installed\n");
    terminal.rows(&releases::list(config, name)?, &none, |release| {
        let mark = if release.in_force { "in force" } else { "" };
        let (number, hash, about) = (release.number, &release.hash[..12], &release.about);
        let (installed, size, file) = (&about.installed, about.size, about.file.display());
        format!("{number:4}  {hash}  {installed:.19}Z  {size:>9} bytes  {mark:8}  {file}")
    })
}

fn policies(config: &Config, terminal: Terminal) -> Result<Exit> {
    terminal.rows(&listed_policy::list(config), "", |one| {
        let mark = if one.default { "decides unless --policy says otherwise" } else { "" };
        let mark = one.fault.as_deref().unwrap_or(mark);
        format!("{:16} {:50} {mark}", one.name, one.from).trim_end().to_owned()
    })
}
