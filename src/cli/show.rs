//! Commands that show something: counters, the message log, the state of the installation, and the conversion of a
//! bouncy-sink config.

use super::{print, say};
use crate::check;
use crate::config::Config;
use crate::error::{Context, Exit, Result};
use crate::stats::count;
use crate::store::Store;
use crate::workshop::inspect::Finding;
use crate::{log, sink};
use clap::Args;
use std::fmt::Write;
use std::path::Path;

#[derive(Args, Debug)]
pub(super) struct Stats {
    /// Messages of each minute instead of counters
    #[arg(long)]
    minutes: bool,
}

#[derive(Args, Debug)]
pub(super) struct Log {
    /// Show the last N lines
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    lines: usize,
}

/// Every row as JSON, or as the columns that people read.
pub(super) fn line(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map(|text| text + "\n").context("JSON")
}

pub(super) fn stats(arguments: &Stats, config: &Config, json: bool) -> Result<Exit> {
    let store = Store::open(&config.store_path())?;
    let text = match (arguments.minutes, json) {
        (true, true) => line(&count::series_json(&store)?)?,
        (false, true) => line(&count::json(&store)?)?,
        (_, false) => count::render(&store)?,
    };
    print(text.as_bytes())
}

pub(super) fn log(arguments: &Log, config: &Config, json: bool) -> Result<Exit> {
    let mut text = String::new();
    for entry in log::tail(config, arguments.lines)? {
        text.push_str(&if json { entry } else { log::readable(&entry) });
        text.push('\n');
    }
    print(text.as_bytes())
}

pub(super) fn check(config: &Config, json: bool) -> Result<Exit> {
    findings(&check::check(config), json)
}

/// Prints findings; the exit code says whether something is wrong.
pub(super) fn findings(findings: &[Finding], json: bool) -> Result<Exit> {
    let mut text = String::new();
    for finding in findings {
        if json {
            text.push_str(&line(finding)?);
            continue;
        }
        let (mark, word) = match (finding.is_wrong(), finding.note) {
            (true, _) => ("wrong", "mend"),
            (_, true) => ("note ", "better"),
            _ => ("ok   ", ""),
        };
        let _ = writeln!(text, "{mark}  {:10} {}", finding.subject, finding.found);
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(text, "       {:10} {word}: {remedy}", "");
        }
    }
    print(text.as_bytes())?;
    Ok(if findings.iter().any(Finding::is_wrong) { Exit::Failure } else { Exit::Ok })
}

pub(super) fn import(file: &Path) -> Result<Exit> {
    let remedy = "name bouncy-sink's consume-mail.ini";
    let ini = std::fs::read(file).context(file.display()).map_err(|error| error.remedy(remedy))?;
    let beside = |name: &str| std::fs::read(file.parent().unwrap_or(Path::new(".")).join(name)).ok();
    let read = |name: &str| beside(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let imported = sink::import(&String::from_utf8_lossy(&ini), read)?;
    for note in &imported.notes {
        say(&format!("carom: {note}\n"));
    }
    print(imported.toml.as_bytes())
}
