//! Files for others to read: monitors, spreadsheets, browsers, bouncy-sink's dashboards.
//!
//! Not here: how each looks (its renderer) and which are wanted (`[export]`). Invariant: a file is written whole under its name; one
//! that cannot be written does not keep the others from being written.

use super::figures::Figures;
use super::render::prometheus::{Counted, Exposition};
use super::render::{csv, html, json, prometheus};
use super::{gather, sink_counters};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::files::publish::publish;
use crate::index::{Index, PendingWork};
use crate::store::Store;
use std::path::Path;
use std::time::Duration;

/// Everyone may read them: they are there to be read.
const MODE: u32 = 0o644;
const HOUR_MS: i64 = 3_600_000;
/// A report that nothing has changed is written anew after this.
const STANDS: Duration = Duration::from_secs(300);
/// Deliveries in one file of events.
const EVENTS: usize = 50_000;

/// The figures of the last hours, the one that has begun included.
pub(crate) fn recent(index: &Index, hours: u32, now_ms: i64) -> Result<Figures> {
    let to = now_ms.div_euclid(HOUR_MS) * HOUR_MS + HOUR_MS;
    gather::figures(index, to - i64::from(hours) * HOUR_MS, to, now_ms)
}

/// The exposition for Prometheus.
pub(crate) fn exposition(
    config: &Config,
    store: &Store,
    index: Option<&Index>,
    now_ms: i64,
) -> Result<String> {
    let lifelong = index.map(gather::lifelong).transpose()?.unwrap_or_default();
    let recent = index.map(|index| gather::figures(index, now_ms - HOUR_MS, now_ms, now_ms)).transpose()?;
    let counted = Counted { counters: store.counters()?.1, heartbeat: store.heartbeat()? };
    Ok(prometheus::render(&Exposition {
        lifelong: &lifelong,
        recent: recent.as_ref(),
        counted: &counted,
        most: config.export.top,
    }))
}

/// Writes the file for Prometheus, if it is wanted.
pub(crate) fn write_prometheus(config: &Config, store: &Store, index: Option<&Index>) -> Result<()> {
    let Some(path) = &config.export.prometheus else { return Ok(()) };
    let text = exposition(config, store, index, clock::now_ms())?;
    publish(path, text.as_bytes(), MODE)
}

/// Writes what else is wanted of `[export]`. The report is written anew only if `changed`, or if it is not there or has stood for a while: the
/// config may be another, and the last hours go on. Returns what went wrong.
pub(crate) fn write(config: &Config, store: &Store, index: Option<&Index>, changed: bool) -> Vec<Error> {
    let export = &config.export;
    let now_ms = clock::now_ms();
    let mut wrong = Vec::new();
    let mut told = |done: Result<()>| wrong.extend(done.err());
    if let Some(directory) = &export.json {
        told(counters(store, directory));
    }
    if let (Some(directory), Some(index)) = (&export.events, index) {
        told(events(index, directory, now_ms));
        expire(directory, export.events_keep_days);
    }
    let stands = |path: &Path| {
        let written = path.metadata().and_then(|about| about.modified()).ok();
        written.and_then(|at| at.elapsed().ok()).is_some_and(|elapsed| elapsed < STANDS)
    };
    let is_old = |path: &Path| changed || !stands(path);
    let html = export.html.as_deref().filter(|path| is_old(path));
    let report = export.json.as_deref().map(|directory| directory.join("report.json"));
    let report = report.filter(|path| is_old(path));
    let sheets = export.csv.as_deref().filter(|directory| is_old(&directory.join("series.csv")));
    if html.is_none() && report.is_none() && sheets.is_none() {
        return wrong;
    }
    let figures = match index.map(|index| recent(index, export.hours, now_ms)).transpose() {
        Ok(figures) => Figures { host: config.hostname(), ..figures.unwrap_or_default() },
        Err(error) => {
            wrong.push(error);
            return wrong;
        }
    };
    let mut told = |done: Result<()>| wrong.extend(done.err());
    if let Some(path) = html {
        let page = html::Page { made_ms: now_ms, top: export.top };
        told(publish(path, html::render(&figures, &page).as_bytes(), MODE));
    }
    if let Some(path) = report {
        told(json::figures(&figures).and_then(|text| made_for(&path, text.as_bytes())));
    }
    if let Some(directory) = sheets {
        for (sheet, name) in csv::Sheet::ALL {
            let path = directory.join(format!("{name}.csv"));
            told(made_for(&path, csv::sheet(&figures, sheet).as_bytes()));
        }
    }
    wrong
}

/// bouncy-sink's two documents.
fn counters(store: &Store, directory: &Path) -> Result<()> {
    for (name, value) in
        [("stats", sink_counters::json(store)?), ("ts-messages", sink_counters::series_json(store)?)]
    {
        made_for(&directory.join(format!("{name}.json")), format!("{value}\n").as_bytes())?;
    }
    Ok(())
}

/// Deliveries that changed, in files of their own. What is written is forgotten afterwards, so that each is there at least once.
fn events(index: &Index, directory: &Path, now_ms: i64) -> Result<()> {
    for part in 0.. {
        let Some(due) = index.pending_work(PendingWork::Event, EVENTS)? else { break };
        let mut text = Vec::new();
        json::lines(&mut text, due.deliveries.into_iter().map(|(_, found)| found))?;
        // All of one length, so that names are in order of time.
        let name = clock::rfc3339_ms(now_ms).replace(':', "");
        made_for(&directory.join(format!("{name}-{part:04}.jsonl")), &text)?;
        index.finish_work(PendingWork::Event, due.last)?;
    }
    Ok(())
}

/// Removes files of events that are too old.
fn expire(directory: &Path, days: u32) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let age = Duration::from_secs(u64::from(days) * 86_400);
    for path in entries.flatten().map(|entry| entry.path()).filter(|_| days > 0) {
        let is_events = path.extension().is_some_and(|ending| ending == "jsonl");
        let written = path.metadata().and_then(|about| about.modified()).ok();
        let is_old = written.and_then(|at| at.elapsed().ok()).is_some_and(|elapsed| elapsed > age);
        if is_events && is_old {
            // The next tick tries again.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Publishes in a directory that is made if it is missing.
fn made_for(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
        // Whether that worked is seen at once.
        let _ = std::fs::create_dir_all(directory);
    }
    publish(path, bytes, MODE)
}
