//! What people read of the statistics: `report` on a terminal, and one `export` now.
//!
//! Not here: figures and how they look (`stats`). Here a period is asked for, and the result goes where it is wanted.

use super::logs::time;
use super::{print, say};
use crate::clock;
use crate::config::Config;
use crate::error::{Context, Error, Exit, Result};
use crate::files::publish::publish;
use crate::index::{Filter, Index};
use crate::stats::render::terminal::{self, Look};
use crate::stats::render::{csv, html, json};
use crate::stats::{Figures, export, gather, sink_counters};
use crate::store::Store;
use clap::{Args, Subcommand};
use jiff::Zoned;
use jiff::civil::Date;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Lines of each list, unless somebody says how many.
const TOP: usize = 10;
const HOUR_MS: i64 = 3_600_000;

/// Which period is wanted.
#[derive(Args, Debug)]
pub(crate) struct Period {
    /// From this time on: RFC 3339, a date, or an age like 90m, 12h, 7d [default: the day's beginning]
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Until this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// today, yesterday, or a date like 2026-01-31 [default: today, or the latest day with deliveries]
    #[arg(value_name = "DAY", conflicts_with_all = ["since", "until"], value_parser = day)]
    day: Option<Date>,
    #[command(flatten)]
    period: Period,
    /// Lines of each list
    #[arg(long, value_name = "N", default_value_t = TOP)]
    top: usize,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Export {
    /// Counters and gauges in the text format of Prometheus
    Prometheus(Output),
    /// One JSON object: the counters as bouncy-sink had them, its minutes, and the report
    Json(Output),
    /// The report as comma-separated values: one list, or all of them into a directory [default: series]
    Csv {
        /// series, reasons, rejects, recipient-domains, providers, sender-domains, clients, relays, provider-reasons, unknown
        #[arg(long, value_name = "LIST", value_parser = sheet)]
        list: Option<csv::Sheet>,
        #[command(flatten)]
        output: Output,
    },
    /// The report as one HTML page that needs no network
    Html(Output),
    /// Deliveries as JSON Lines, the latest first
    Events(Output),
}

#[derive(Args, Debug)]
pub(crate) struct Output {
    #[command(flatten)]
    period: Period,
    /// Write to this file (for csv without --list: every list into this directory), whole or not at all [default: standard output]
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

fn day(word: &str) -> Result<Date, String> {
    let today = Zoned::now().date();
    match word {
        "today" => Ok(today),
        "yesterday" => today.yesterday().map_err(|error| error.to_string()),
        date => date.parse().map_err(|_| "use today, yesterday, or a date like 2026-01-31".to_owned()),
    }
}

fn sheet(name: &str) -> Result<csv::Sheet, String> {
    let found = csv::Sheet::ALL.into_iter().find(|(_, known)| *known == name).map(|(sheet, _)| sheet);
    let names = || csv::Sheet::ALL.map(|(_, name)| name).join(", ");
    found.ok_or_else(|| format!("use one of {}", names()))
}

/// The local day, as milliseconds since 1970.
fn bounds(day: Date) -> Result<(i64, i64)> {
    let start = |day: Date| day.to_zoned(clock::local_zone()).map(|at| at.timestamp().as_millisecond());
    Ok((start(day).context("date")?, day.tomorrow().and_then(start).context("date")?))
}

fn figures(index: Option<&Index>, config: &Config, (from, to): (i64, i64)) -> Result<Figures> {
    let figures = index.map(|index| gather::figures(index, from, to, clock::now_ms())).transpose()?;
    let empty = || Figures { from_ms: from, to_ms: to, ..Figures::default() };
    Ok(Figures { host: config.hostname(), ..figures.unwrap_or_else(empty) })
}

/// What was asked for; else the day's beginning until now.
fn asked(period: &Period, index: Option<&Index>) -> Result<(i64, i64)> {
    let now = clock::now_ms();
    let (from, to) = match (period.since, period.until) {
        (None, None) => bounds(latest_day(index)?)?,
        (Some(since), until) => (since, until.unwrap_or(now)),
        (None, Some(until)) => (until - 24 * HOUR_MS, until),
    };
    if from >= to {
        return Err(Error::new("the period ends before it begins").remedy("let --since be before --until"));
    }
    Ok((from, to))
}

/// Today, or the latest day that the logs say anything of.
fn latest_day(index: Option<&Index>) -> Result<Date> {
    let today = Zoned::now().date();
    let newest = index.map(|index| index.newest(clock::now_ms())).transpose()?.flatten();
    let newest = newest.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    Ok(newest.map_or(today, |at| at.to_zoned(clock::local_zone()).date().min(today)))
}

fn index(config: &Config) -> Result<Option<Index>> {
    let index = Index::look(&config.index_path())?;
    if index.is_none() {
        let hint = if config.logs.is_empty() { "add [[logs]] to the config, and run" } else { "run" };
        say(&format!("carom: no log was read yet; {hint} `carom cron`\n"));
    }
    Ok(index)
}

/// A day on a terminal.
pub(crate) fn report(arguments: &Report, config: &Config, as_json: bool) -> Result<Exit> {
    let index = index(config)?;
    let period = match arguments.day {
        Some(day) => bounds(day)?,
        None => asked(&arguments.period, index.as_ref())?,
    };
    let figures = figures(index.as_ref(), config, period)?;
    if as_json {
        return print(json::figures(&figures)?.as_bytes());
    }
    let terminal = std::io::stdout().is_terminal();
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let columns = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let width = columns.filter(|columns| *columns > 0).unwrap_or(Look::default().width);
    let look = Look { width, colour: terminal && !plain, top: arguments.top };
    print(terminal::render(&figures, &look).as_bytes())
}

/// One export now.
pub(crate) fn export(what: &Export, config: &Config) -> Result<Exit> {
    let index = index(config)?;
    let of = |output: &Output| figures(index.as_ref(), config, asked(&output.period, index.as_ref())?);
    match what {
        Export::Prometheus(output) => {
            let store = Store::open(&config.store_path())?;
            let text = export::exposition(config, &store, index.as_ref(), clock::now_ms())?;
            deliver(output.output.as_deref(), &text)
        }
        Export::Json(output) => {
            let store = Store::open(&config.store_path())?;
            let mut object = sink_counters::json(&store)?;
            object["ts-messages"] = sink_counters::series_json(&store)?;
            object["report"] = serde_json::to_value(of(output)?).context("JSON")?;
            deliver(output.output.as_deref(), &format!("{object}\n"))
        }
        Export::Html(output) => {
            let page = html::Page { made_ms: clock::now_ms(), top: config.export.top };
            deliver(output.output.as_deref(), &html::render(&of(output)?, &page))
        }
        Export::Csv { list: Some(list), output } => {
            deliver(output.output.as_deref(), &csv::sheet(&of(output)?, *list))
        }
        Export::Csv { list: None, output } => {
            let Some(directory) = &output.output else {
                return print(csv::sheet(&of(output)?, csv::Sheet::Series).as_bytes());
            };
            std::fs::create_dir_all(directory).context(directory.display())?;
            let figures = of(output)?;
            for (list, name) in csv::Sheet::ALL {
                let path = directory.join(format!("{name}.csv"));
                publish(&path, csv::sheet(&figures, list).as_bytes(), 0o644)?;
            }
            Ok(Exit::Ok)
        }
        Export::Events(output) => events(output, index.as_ref()),
    }
}

fn deliver(path: Option<&Path>, text: &str) -> Result<Exit> {
    match path {
        Some(path) => publish(path, text.as_bytes(), 0o644).map(|()| Exit::Ok),
        None => print(text.as_bytes()),
    }
}

/// Row by row, however many there are.
fn events(output: &Output, index: Option<&Index>) -> Result<Exit> {
    let Some(index) = index else { return Ok(Exit::Ok) };
    let (since, until) = asked(&output.period, Some(index))?;
    let filter = Filter { since_ms: Some(since), until_ms: Some(until), ..Filter::default() };
    if let Some(path) = &output.output {
        let mut bytes = Vec::new();
        index.deliveries(&filter, |found| json::lines(&mut bytes, [found]).map(|_| true))?;
        return publish(path, &bytes, 0o644).map(|()| Exit::Ok);
    }
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    // A reader that has gone away is no error.
    index.deliveries(&filter, |found| Ok(json::lines(&mut out, [found]).is_ok()))?;
    let _ = out.flush();
    Ok(Exit::Ok)
}
