//! `carom relay` at the terminal: progress, signals and the summary around `relay`.

use super::print;
use crate::config::Config;
use crate::deliver::House;
use crate::error::{Context, Exit, Result};
use crate::intake::spool::Relay;
use crate::relay::{self, Summary};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The directory: *.msg, *.eml, *.mbox and Maildir new/; *.tmp and dot files are left alone
    directory: PathBuf,
    /// Keep going: take what comes, until a signal
    #[arg(long, short)]
    follow: bool,
    /// The named policy that decides [default: the config's]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, config: Arc<Config>, json: bool, quiet: bool) -> Result<Exit> {
    let settle = Duration::from_secs(config.relay.settle);
    let (done, failed) = (config.relay.done.as_deref(), config.relay.failed.as_deref());
    let relay = Relay::open(&arguments.directory, done, failed, settle)?;
    let name = arguments.policy.clone().unwrap_or_else(|| config.default_policy.clone());
    let threads = config.relay.threads;
    let house = House::open(config, &name, threads)?;
    house.start_clock()?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        signal_hook::flag::register(signal, stop.clone()).context("cannot wait for signals")?;
    }
    let shown = std::io::stderr().is_terminal() && !quiet && !json;
    let bar = if shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} messages, {per_sec}, {eta} left") {
        bar.set_style(style);
    }
    let progress = |messages: u64, total: u64| {
        bar.set_length(total.max(bar.length().unwrap_or(0)));
        bar.set_position(messages);
    };
    let summary = relay::run(&house, &relay, arguments.follow, &stop, &progress)?;
    bar.finish_and_clear();
    if json {
        let text = serde_json::to_string(&summary).context("summary")?;
        return print(format!("{text}\n").as_bytes());
    }
    if quiet { Ok(Exit::Ok) } else { print(table(&summary).as_bytes()) }
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
