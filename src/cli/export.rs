//! `carom export`: one export now.
//!
//! Not here: what an export holds (`stats`).

use super::asked_store::folded_store;
use super::deliveries::open_index;
use super::report::PeriodArgs;
use super::terminal::{Output, print};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::files::publish::{make_output_directory, publish};
use crate::index::{Filter, Index};
use crate::stats::render::sheet::Sheet;
use crate::stats::render::{ReportForm, html, json};
use crate::stats::{Figures, export, gather};
use crate::store::Store;
use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Subcommand, Debug)]
#[command(after_help = "Examples:\n  \
    carom export prometheus\n  \
    carom export html --since 7d --output /var/www/mail.html\n  \
    carom export csv --list providers > providers.csv\n  \
    carom export events --since 1h | jq .reply")]
pub(crate) enum ExportCommand {
    /// Counters and gauges in the text format of Prometheus
    Prometheus(Destination),
    /// One JSON object: bouncy-sink's counters and minutes, and the report
    Json(Destination),
    /// The report as comma-separated values: one list, or all of them into a directory [default:
    /// series]
    Csv {
        /// series, reasons, rejects, recipient-domains, providers, sender-domains, clients, relays,
        /// sources, tls, provider-reasons, unknown
        #[arg(long, value_name = "LIST", value_parser = sheet)]
        list: Option<Sheet>,
        #[command(flatten)]
        output: Destination,
    },
    /// The report as one HTML page that needs no network
    Html(Destination),
    /// Deliveries as JSON Lines, newest first
    Events(Destination),
}

#[derive(Args, Debug)]
pub(crate) struct Destination {
    #[command(flatten)]
    period: PeriodArgs,
    /// Write this file, whole or not at all (csv without --list: every list into this directory)
    /// [default: standard output]
    #[arg(long, short, value_name = "PATH")]
    output: Option<PathBuf>,
}

fn sheet(name: &str) -> Result<Sheet, String> {
    let names = || Sheet::ALL.map(Sheet::name).join(", ");
    let found = Sheet::ALL.into_iter().find(|sheet| sheet.name() == name);
    found.ok_or_else(|| format!("use one of {}", names()))
}

pub(crate) fn run(what: &ExportCommand, config: &Config) -> Result<Exit> {
    what.destination().output.iter().try_for_each(|path| config.may_replace(path))?;
    let index = open_index(config)?;
    let index = index.as_ref();
    let now_ms = clock::now_ms();
    let figures = |to: &Destination| {
        let figures = gather::of_host(index, config.hostname(), to.period.period(index)?)?;
        let store = Store::to_read(&config.store_path())?;
        let store = if store.exists() { gather::of_store(&store, now_ms)? } else { None };
        Ok::<_, Error>(Figures { store, ..figures })
    };
    match what {
        ExportCommand::Prometheus(to) => {
            let store = folded_store(config)?;
            to.put(&export::exposition(config, &store, index, store.heartbeat()?)?)
        }
        ExportCommand::Json(to) => {
            let store = folded_store(config)?;
            to.put(&export::whole(&store, &figures(to)?)?)
        }
        ExportCommand::Html(to) => {
            let present = index.map(|index| gather::present(index, now_ms)).transpose()?;
            let top = config.export.get()?.top;
            let page = html::Page { made_ms: now_ms, top, present: present.as_ref() };
            to.put(&ReportForm::Html(page).render(&figures(to)?)?)
        }
        ExportCommand::Csv { list: None, output: Destination { output: Some(directory), period } } => {
            let figures = gather::of_host(index, config.hostname(), period.period(index)?)?;
            sheets(directory, &figures)
        }
        ExportCommand::Csv { list, output: to } => {
            to.put(&ReportForm::Csv(list.unwrap_or(Sheet::Series)).render(&figures(to)?)?)
        }
        ExportCommand::Events(to) => events(to, index),
    }
}

fn sheets(directory: &std::path::Path, figures: &Figures) -> Result<Exit> {
    make_output_directory(directory)?;
    for (form, path) in export::sheets(directory) {
        export::put(form, &path, figures)?;
    }
    Ok(Exit::Ok)
}

impl ExportCommand {
    fn destination(&self) -> &Destination {
        match self {
            ExportCommand::Csv { output, .. } => output,
            ExportCommand::Prometheus(to)
            | ExportCommand::Json(to)
            | ExportCommand::Html(to)
            | ExportCommand::Events(to) => to,
        }
    }
}

impl Destination {
    fn put(&self, text: &str) -> Result<Exit> {
        match &self.output {
            Some(path) => publish(path, text.as_bytes(), export::MODE).map(|()| Exit::Ok),
            None => print(text),
        }
    }
}

/// Row by row: there may be millions.
fn events(to: &Destination, index: Option<&Index>) -> Result<Exit> {
    let Some(index) = index else { return Ok(Exit::Ok) };
    let (since, until) = to.period.period(Some(index))?;
    let filter = Filter { since_ms: Some(since), until_ms: Some(until), ..Filter::default() };
    if let Some(path) = &to.output {
        let mut bytes = Vec::new();
        index.deliveries(&filter, |found| json::lines(&mut bytes, [found]).map(|_| true))?;
        return publish(path, &bytes, export::MODE).map(|()| Exit::Ok);
    }
    let mut out = Output::open();
    index.deliveries(&filter, |found| out.row(&found))?;
    out.finish()
}
