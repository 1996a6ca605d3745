//! `carom cron`: one tick, with progress and signals.
//!
//! Not here: what a tick does (`cron`).

use super::terminal::{self, Terminal, note};
use crate::config::{Config, DEFAULT_PATH};
use crate::cron::{self, Ticked};
use crate::error::{Error, Exit, Result};
use crate::text::one_line;
use clap::Args;
use std::sync::Arc;

/// Steps that are named, at most.
const NAMED: usize = 20;

#[derive(Args, Debug)]
pub(crate) struct CronArgs {
    /// Count deliveries, but do not keep them: `carom deliveries` and `carom find` will not see
    /// them
    #[arg(long)]
    no_index: bool,
}

pub(crate) fn run(arguments: &CronArgs, mut config: Arc<Config>, terminal: Terminal) -> Result<Exit> {
    if config.file.path().is_none() {
        return Err(no_config());
    }
    config.require_secrets()?;
    if arguments.no_index {
        Arc::make_mut(&mut config).index.deliveries = false;
    }
    let bar = terminal.progress("{bar:30} {bytes}/{total_bytes} of logs, {bytes_per_sec}, {eta} left");
    let (done, stopped) = terminal::watched(bar, |watch| Ok(cron::tick(&config, watch)))?;
    warn(&done, stopped);
    if terminal.json {
        terminal::print(terminal::line(&done)?)?;
    } else if done.logs.bytes > 0 {
        terminal.remark(&summary(&done));
    }
    Ok(if done.problems.is_empty() { Exit::Ok } else { Exit::Failure })
}

/// By the defaults, a tick would remove what the config keeps, and find no application to notify.
fn no_config() -> Error {
    let what = format!("there is no config ({DEFAULT_PATH} does not exist), so the tick does nothing");
    let fix = "write one; or let carom.service and /etc/cron.d/carom name it: carom --config FILE cron";
    Error::new(what).remedy(fix)
}

fn warn(done: &Ticked, stopped: bool) {
    done.left.iter().take(NAMED).for_each(|step| note(one_line(&step.to_string())));
    if done.left.len() > NAMED {
        let more = done.left.len() - NAMED;
        note(format_args!("and {more} more: carom log --status parked,given-up --since 1h"));
    }
    done.problems.iter().for_each(note);
    done.logs.notes.iter().for_each(note);
    if done.logs.busy {
        note("another tick is reading the logs");
    }
    if done.logs.stopped && stopped {
        note("stopped before the end of the logs; the next tick continues from there");
    } else if stopped {
        note("stopped by a signal; the next tick does the rest");
    }
}

fn summary(done: &Ticked) -> String {
    let (lines, changed) = (&done.logs.lines, done.logs.deliveries);
    let (total, foreign, unknown) = (lines.total(), lines.foreign, lines.unknown);
    format!(
        "{total} lines of logs ({foreign} of other programs, {unknown} not understood), {changed} deliveries changed\n"
    )
}
