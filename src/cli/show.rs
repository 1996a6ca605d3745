//! Commands that show something: counters, the message log, the state of the installation, and the conversion of a
//! bouncy-sink config.

use super::{print, say};
use crate::config::Config;
use crate::error::{Context, Exit, Result};
use crate::stats::sink_counters;
use crate::store::Store;
use crate::{import::bouncy_sink, message_log};
use clap::Args;
use std::path::Path;

#[derive(Args, Debug)]
pub(crate) struct Stats {
    /// Messages of each minute instead of counters
    #[arg(long)]
    minutes: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Log {
    /// Show the last N lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
}

/// Every row as JSON, or as the columns that people read.
pub(crate) fn line(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map(|text| text + "\n").context("JSON")
}

pub(crate) fn stats(arguments: &Stats, config: &Config, json: bool) -> Result<Exit> {
    let store = Store::open(&config.store_path())?;
    let text = match (arguments.minutes, json) {
        (true, true) => line(&sink_counters::series_json(&store)?)?,
        (false, true) => line(&sink_counters::json(&store)?)?,
        (_, false) => sink_counters::render(&store)?,
    };
    print(text.as_bytes())
}

pub(crate) fn log(arguments: &Log, config: &Config, json: bool) -> Result<Exit> {
    let mut text = String::new();
    for entry in message_log::tail(config, arguments.lines)? {
        text.push_str(&if json { entry } else { message_log::readable(&entry) });
        text.push('\n');
    }
    print(text.as_bytes())
}

pub(crate) fn import(file: &Path) -> Result<Exit> {
    let remedy = "name bouncy-sink's consume-mail.ini";
    let ini = std::fs::read(file).context(file.display()).map_err(|error| error.remedy(remedy))?;
    let beside = |name: &str| std::fs::read(file.parent().unwrap_or(Path::new(".")).join(name)).ok();
    let read = |name: &str| beside(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let imported = bouncy_sink::import(&String::from_utf8_lossy(&ini), read)?;
    for note in &imported.notes {
        say(&format!("carom: {note}\n"));
    }
    print(imported.toml.as_bytes())
}
