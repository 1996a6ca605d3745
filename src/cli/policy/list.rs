//! `carom policy list`: which policies there are, and the releases of one.
//!
//! Not here: keeping releases (`policy::releases`).

use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::policy::{releases, shipped};
use clap::Args;
use serde::Serialize;

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

/// A policy, as it is listed.
#[derive(Serialize)]
struct Listed {
    name: String,
    from: String,
    release: Option<u32>,
    hash: Option<String>,
    default: bool,
}

fn policies(config: &Config, terminal: Terminal) -> Result<Exit> {
    let with_path = config.policy.iter().filter(|(_, policy)| policy.path.is_some());
    let mut names: Vec<String> = releases::installed(config);
    names.extend(shipped().map(str::to_owned));
    names.extend(with_path.map(|(name, _)| name.clone()));
    names.sort();
    names.dedup();
    let all: Vec<Listed> = names.into_iter().map(|name| listed(name, config)).collect::<Result<_>>()?;
    terminal.rows(&all, "", |one| {
        let mark = if one.default { "decides unless --policy says otherwise" } else { "" };
        format!("{:16} {:50} {mark}", one.name, one.from)
    })
}

fn listed(name: String, config: &Config) -> Result<Listed> {
    let file = config.policy.get(&name).and_then(|policy| policy.path.as_ref());
    let release = releases::list(config, &name)?.into_iter().find(|release| release.in_force);
    let from = match (file, &release) {
        (Some(file), _) => format!("file {}", file.display()),
        (None, Some(release)) => format!("release {}, installed {}", release.number, release.about.installed),
        (None, None) => "shipped with carom".to_owned(),
    };
    let default = name == config.default_policy;
    let number = release.as_ref().map(|release| release.number);
    Ok(Listed { name, from, release: number, hash: release.map(|release| release.hash), default })
}
