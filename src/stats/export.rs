//! Files for others to read: monitors, spreadsheets, browsers, bouncy-sink's dashboards.
//!
//! Not here: how each looks (its renderer) and which are wanted (`[export]`). Invariant: a file is
//! written whole under its name; a file that cannot be written does not keep the others from being
//! written.

use super::figures::Figures;
use super::render::html::Page;
use super::render::prometheus::{Counted, Exposed};
use super::render::sheet::Sheet;
use super::render::{ReportForm, prometheus};
use super::{gather, period, sink_counters};
use crate::clock::{self, HOUR_MS};
use crate::config::{Config, ExportTable};
use crate::error::{Context, Error, Result};
use crate::files::publish::{self, publish};
use crate::index::Index;
use crate::shared::ExchangeState;
use crate::store::{AlertRecord, AlertState, Heartbeat, SinkMark, Store};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everyone may read the files: that is what they are for.
pub(crate) const MODE: u32 = publish::OUTPUT;
/// A report is written again after this time although nothing changed: its last hours move on.
const FRESH: Duration = Duration::from_secs(300);

/// The exposition for Prometheus, with a heartbeat that may not be stored yet.
pub(crate) fn exposition(
    config: &Config,
    store: &Store,
    index: Option<&Index>,
    heartbeat: Option<Heartbeat>,
) -> Result<String> {
    let now_ms = clock::now_ms();
    let lifelong = index.map(gather::lifelong).transpose()?.unwrap_or_default();
    let recent = index.map(|index| gather::figures(index, (now_ms - HOUR_MS, now_ms), now_ms)).transpose()?;
    let logs = index.map(Index::log_healths).transpose()?.unwrap_or_default().into_iter();
    let logs = logs.map(|(log, health)| (log, health.fault.is_some())).collect();
    let sinks = sinks_in_use(config, store)?;
    let shared = ExchangeState::read(config, store)?;
    let is_open = |alert: &AlertRecord| alert.state != AlertState::Resolved;
    let open = store.alerts()?.into_iter().filter(is_open);
    let alerts = open.map(|alert| (alert.rule, alert.subject, alert.state.name())).collect();
    let counted = Counted {
        counters: store.counters()?.1,
        logs,
        sinks,
        heartbeat,
        store: gather::of_store(store, now_ms)?,
        alerts,
        shared,
    };
    Ok(prometheus::render(&Exposed {
        lifelong: &lifelong,
        recent: recent.as_ref(),
        counted: &counted,
        most: config.export.get()?.top,
    }))
}

/// How far the sinks of the config are.
fn sinks_in_use(config: &Config, store: &Store) -> Result<Vec<(String, SinkMark)>> {
    let mut in_use: Vec<(String, SinkMark)> = Vec::new();
    for sink in config.events.get().into_iter().flatten() {
        let (mark, mut shown) = (store.sink_mark(&sink.name())?, sink.shown_name());
        // Two sinks may differ in what is not shown.
        if in_use.iter().any(|(other, _)| *other == shown) {
            shown = format!("{shown} ({})", in_use.len() + 1);
        }
        in_use.push((shown, mark));
    }
    Ok(in_use)
}

/// bouncy-sink's two documents and the report, as one JSON object.
pub(crate) fn whole(store: &Store, figures: &Figures) -> Result<String> {
    let mut object = sink_counters::json(store)?;
    object["ts-messages"] = sink_counters::series_json(store)?;
    object["report"] = serde_json::to_value(figures).context("JSON")?;
    Ok(format!("{object}\n"))
}

/// Writes the file for Prometheus, if it is wanted.
pub(crate) fn write_prometheus(
    config: &Config,
    store: &Store,
    index: Option<&Index>,
    heartbeat: Heartbeat,
) -> Result<()> {
    // `write` reports an [export] that is wrong.
    let Some(path) = config.export.get().ok().and_then(|export| export.prometheus.as_deref()) else {
        return Ok(());
    };
    config.may_publish(path)?;
    let text = exposition(config, store, index, Some(heartbeat))?;
    publish(path, text.as_bytes(), MODE)
}

/// Writes everything else that `[export]` asks for, and returns what went wrong. Reports are
/// written only if `changed`, or if they are missing or no longer fresh.
pub(crate) fn write(config: &Config, store: &Store, index: Option<&Index>, changed: bool) -> Vec<Error> {
    let now_ms = clock::now_ms();
    let wanted = match config.export.get() {
        Ok(wanted) => wanted,
        Err(error) => return vec![error],
    };
    let mut wrong = Vec::new();
    if let Some(directory) = &wanted.json {
        wrong.extend(counters(config, store, directory).err());
    }
    let mut due = reports(wanted, now_ms);
    due.retain(|(_, path)| config.may_publish(path).map_err(|error| wrong.push(error)).is_ok());
    due.retain(|(_, path)| changed || !is_fresh(path));
    if due.is_empty() {
        return wrong;
    }
    if let Some(directory) = &wanted.csv {
        make_directory(directory);
    }
    let last_hours = period::last_hours(wanted.hours, now_ms);
    match gather::of_host(index, config.hostname(), last_hours) {
        Ok(mut figures) => {
            match gather::of_store(store, now_ms) {
                Ok(found) => figures.store = found,
                Err(error) => wrong.push(error),
            }
            let present = index.map(|index| gather::present(index, now_ms)).transpose();
            let present = present.unwrap_or_else(|error| {
                wrong.push(error);
                None
            });
            for (form, path) in due {
                let form = match form {
                    ReportForm::Html(page) => ReportForm::Html(Page { present: present.as_ref(), ..page }),
                    other => other,
                };
                wrong.extend(put(form, &path, &figures).err());
            }
        }
        Err(error) => wrong.push(error),
    }
    wrong
}

/// The reports that `[export]` asks for, each with its file.
fn reports(wanted: &ExportTable, now_ms: i64) -> Vec<(ReportForm<'static>, PathBuf)> {
    let page = Page { made_ms: now_ms, top: wanted.top, present: None };
    let html = wanted.html.iter().map(|path| (ReportForm::Html(page), path.clone()));
    let json = wanted.json.iter().map(|directory| (ReportForm::Json, directory.join("report.json")));
    html.chain(json).chain(wanted.csv.iter().flat_map(|directory| sheets(directory))).collect()
}

/// Every sheet with its file in a directory.
pub(crate) fn sheets(directory: &Path) -> impl Iterator<Item = (ReportForm<'static>, PathBuf)> {
    Sheet::ALL
        .into_iter()
        .map(move |sheet| (ReportForm::Csv(sheet), directory.join(format!("{}.csv", sheet.name()))))
}

pub(crate) fn put(form: ReportForm<'_>, path: &Path, figures: &Figures) -> Result<()> {
    publish(path, form.render(figures)?.as_bytes(), MODE)
}

fn age(path: &Path) -> Option<Duration> {
    path.metadata().and_then(|about| about.modified()).ok().and_then(clock::age)
}

fn is_fresh(path: &Path) -> bool {
    age(path).is_some_and(|age| age < FRESH)
}

/// bouncy-sink's two documents.
fn counters(config: &Config, store: &Store, directory: &Path) -> Result<()> {
    config.may_fill(directory)?;
    let stats = sink_counters::json(store)?;
    publish_in_directory(&directory.join("stats.json"), format!("{stats}\n").as_bytes())?;
    let minutes = sink_counters::series_json(store)?;
    publish_in_directory(&directory.join("ts-messages.json"), format!("{minutes}\n").as_bytes())
}

fn publish_in_directory(path: &Path, bytes: &[u8]) -> Result<()> {
    path.parent().into_iter().for_each(make_directory);
    publish(path, bytes, MODE)
}

/// If it fails, publishing into it says so.
fn make_directory(directory: &Path) {
    let _ = publish::make_output_directory(directory);
}
