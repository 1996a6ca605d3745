//! `carom policy install`: a component becomes the release in force.
//!
//! Not here: staging and swapping (`policy::staging`). Invariant: a component that does not pass
//! its check is not installed.

use crate::cli::check;
use crate::cli::terminal::Terminal;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::finding::Finding;
use crate::policy::{Use, Wanted, staging};
use crate::workshop::inspect;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Bytes of a component with an interpreter in it.
const LARGE: u64 = 4 << 20;

#[derive(Args, Debug)]
pub(crate) struct InstallArgs {
    /// The name; its settings are in [policy.NAME.settings]
    name: String,
    /// The component
    file: PathBuf,
}

pub(crate) fn run(arguments: &InstallArgs, config: &Arc<Config>, terminal: Terminal) -> Result<Exit> {
    let name = &arguments.name;
    if arguments.file.metadata().is_ok_and(|file| file.len() > LARGE) {
        terminal.remark("it is compiled first, which takes a minute for a component as large as this\n");
    }
    let staged = staging::stage(config, name, &arguments.file)?;
    let wanted = Wanted { name, file: Some(&staged.release.directory), settings: None };
    let found = inspect::inside(config, &wanted, Use::One);
    if found.iter().any(Finding::is_wrong) {
        check::show(&found, terminal)?;
        let what = format!("policy {name} is not installed; the release in force stays in force");
        return Err(Error::new(what).remedy("fix what is wrong, and install again"));
    }
    let began = Instant::now();
    let release = staged.put_in_force()?;
    let swapped_ms = began.elapsed().as_secs_f64() * 1000.0;
    terminal.show(&release, || {
        let prepared = if release.about.prepared { ", prepared" } else { "" };
        let (number, hash) = (release.number, &release.hash[..12]);
        format!(
            "policy {name}, release {number} ({hash}{prepared}) is in force; swapped in {swapped_ms:.1} ms\n"
        )
    })
}
