//! `carom relay`: a directory of messages, with progress, signals and a summary.
//!
//! Not here: what a run does (`relay`) and how files are claimed (`intake::spool`).

use super::terminal::{self, Terminal};
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::house::House;
use crate::intake::spool::Spool;
use crate::relay::{self, Summary};
use crate::text::counted;
use clap::Args;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct RelayArgs {
    /// The directory: *.msg, *.eml, *.mbox and Maildir new/; *.tmp and dot files are left alone
    directory: PathBuf,
    /// Keep running and handle new files until a signal
    #[arg(long, short)]
    follow: bool,
    /// The policy that decides, by name [default: the config's]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

pub(crate) fn run(arguments: &RelayArgs, config: Arc<Config>, terminal: Terminal) -> Result<Exit> {
    let settle = Duration::from_secs(config.relay.settle);
    let (done, failed) = (config.relay.done.as_deref(), config.relay.failed.as_deref());
    let spool = Spool::open(&arguments.directory, done, failed, settle)?;
    let name = arguments.policy.clone().unwrap_or_else(|| config.default_policy.clone());
    config.require_domains(&name)?;
    let threads = config.relay.threads;
    let house = House::open(config, &name, threads)?;
    house.start_clock()?;
    let stop = terminal::stop_flag()?;
    let bar = terminal.progress("{bar:30} {pos}/{len} messages, {per_sec}, {eta} left");
    let progress = |messages: u64, total: u64| bar.set(messages, total.max(bar.total()));
    let summary = relay::run(&house, &spool, arguments.follow, &stop, &progress)?;
    drop(bar);
    if terminal.json || !terminal.quiet {
        terminal.show(&summary, || table(&summary))?;
    }
    match &summary.fault {
        Some(fault) => Err(Error::new(format_args!("{} files are left: {fault}", summary.left))
            .remedy("repair that and run it again")),
        None if summary.failed > 0 && !arguments.follow => {
            let (many, place) = (counted(summary.failed, "file"), spool.failed().display());
            Err(Error::new(format_args!("{many} failed: see {place}"))
                .remedy("beside each is its reason; move it back after the fix"))
        }
        None => Ok(Exit::Ok),
    }
}

fn table(summary: &Summary) -> String {
    let mut text = format!(
        "{} messages in {:.2} s, {:.0}/s; {} failed, {} left\n",
        summary.messages, summary.seconds, summary.per_second, summary.failed, summary.left
    );
    let width = summary.counters.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in &summary.counters {
        let _ = writeln!(text, "  {name:width$}  {value:>8}");
    }
    text
}
