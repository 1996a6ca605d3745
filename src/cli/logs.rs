//! What operators of mail logs type: `cron`, `deliveries`, `reclassify`.
//!
//! Not here: what is done (`cron`, `ingest`, `store::index`); here it is asked for and shown.

use super::show::line;
use super::{print, say};
use crate::clock;
use crate::config::Config;
use crate::cron;
use crate::error::{Context, Error, Exit, Result};
use crate::index::{Filter, Index, StoredDelivery, UnclassifiedShape};
use crate::ingest::{self, Ingested, Watch};
use crate::maillog::DeliveryStatus;
use crate::text::one_line;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::{BufWriter, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Deliveries that people are shown unless they say how many.
const SHOWN: u64 = 100;

#[derive(Args, Debug)]
pub(crate) struct Cron {
    /// Count what the logs say, and keep no delivery: nothing can be looked up afterwards
    #[arg(long)]
    no_index: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Deliveries {
    /// Only those that failed: bounced, expired, rejected
    #[arg(long)]
    failed: bool,
    /// Failures that no rule knows, grouped by the shape of their text
    #[arg(long)]
    unclassified: bool,
    /// Only with this status (several: repeat, or separate by commas): sent, bounced, deferred, expired, deleted, discarded,
    /// held, rejected
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = status)]
    status: Vec<DeliveryStatus>,
    /// Only to this address, as it came in or after aliases
    #[arg(long, value_name = "ADDRESS")]
    recipient: Option<String>,
    /// Only of this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only with this queue id
    #[arg(long, value_name = "ID")]
    queue_id: Option<String>,
    /// Only with this Message-ID, with or without brackets
    #[arg(long, value_name = "ID")]
    message_id: Option<String>,
    /// Only last heard of at this time or later: RFC 3339, a date, or an age like 90m, 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only last heard of before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Of each recipient only the latest
    #[arg(long)]
    latest: bool,
    /// So many at most, the latest first [default: 100 for people, all with --json]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

fn status(word: &str) -> Result<DeliveryStatus, String> {
    let word = word.to_lowercase();
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|_| "use sent, bounced, deferred, expired, deleted, discarded, held or rejected".to_owned())
}

/// A point in time: RFC 3339, a local date with or without time, an age, seconds since 1970.
pub(crate) fn time(word: &str) -> Result<i64, String> {
    let ages = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 7 * 86_400)];
    for (unit, seconds) in ages {
        if let Some(many) = word.strip_suffix(unit).and_then(|many| many.parse::<i64>().ok()) {
            return Ok(clock::now_ms().saturating_sub(many.saturating_mul(seconds * 1000)));
        }
    }
    if let Ok(at) = word.parse::<jiff::Timestamp>() {
        return Ok(at.as_millisecond());
    }
    let local = word.parse::<jiff::civil::DateTime>().ok();
    let local = local.or_else(|| Some(word.parse::<jiff::civil::Date>().ok()?.at(0, 0, 0, 0)));
    let zoned = local.and_then(|local| local.to_zoned(clock::local_zone()).ok());
    let seconds = || word.parse::<i64>().ok().filter(|seconds| *seconds > 100_000_000);
    zoned
        .map(|zoned| zoned.timestamp().as_millisecond())
        .or_else(|| Some(seconds()? * 1000))
        .ok_or_else(|| "use 2026-01-31T12:00:00Z, 2026-01-31, or an age like 90m, 12h, 7d".to_owned())
}

pub(crate) fn deliveries(arguments: &Deliveries, config: &Config, json: bool) -> Result<Exit> {
    let filter = Filter {
        failed: arguments.failed,
        statuses: arguments.status.iter().map(|status| status.name().to_owned()).collect(),
        recipient: arguments.recipient.clone(),
        client: arguments.client.clone(),
        queue_id: arguments.queue_id.clone(),
        message_id: arguments.message_id.clone(),
        since_ms: arguments.since,
        until_ms: arguments.until,
        latest: arguments.latest,
        limit: arguments.limit.or((!json && !arguments.unclassified).then_some(SHOWN)),
    };
    let Some(index) = open(config)? else { return Ok(Exit::Ok) };
    if arguments.unclassified {
        return unclassified(&index.unclassified(&filter)?, json);
    }
    if !json {
        let mut rows = Vec::new();
        index.deliveries(&filter, |found| {
            rows.push(found);
            Ok(true)
        })?;
        let cut = arguments.limit.is_none() && rows.len() as u64 == SHOWN;
        let more = if cut { "only the latest are shown: see --limit\n" } else { "" };
        return print((table(&rows) + more).as_bytes());
    }
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut gone = false;
    index.deliveries(&filter, |found| {
        let written = serde_json::to_writer(&mut out, &found).map_err(std::io::Error::from);
        gone = written.and_then(|()| out.write_all(b"\n")).is_err();
        Ok(!gone)
    })?;
    // A reader that has gone away is no error.
    let _ = out.flush();
    Ok(Exit::Ok)
}

fn open(config: &Config) -> Result<Option<Index>> {
    let index = Index::look(&config.index_path())?;
    if index.is_none() {
        let hint = if config.logs.is_empty() { "add [[logs]] to the config, and run" } else { "run" };
        say(&format!("carom: no log was read yet; {hint} `carom cron`\n"));
    }
    Ok(index)
}

/// What the logs say about an address, a Message-ID or a queue id.
pub(crate) fn about(key: &str, config: &Config) -> Result<Vec<StoredDelivery>> {
    let Some(index) = Index::look(&config.index_path())? else { return Ok(Vec::new()) };
    let limit = Some(SHOWN);
    let filters = [
        Filter { recipient: Some(key.to_owned()), limit, ..Filter::default() },
        Filter { message_id: Some(key.to_owned()), limit, ..Filter::default() },
        Filter { queue_id: Some(key.to_owned()), limit, ..Filter::default() },
    ];
    let mut all = Vec::new();
    for filter in filters {
        index.deliveries(&filter, |found| {
            all.push(found);
            Ok(true)
        })?;
        if !all.is_empty() {
            break;
        }
    }
    Ok(all)
}

/// Columns: when, status, recipient, why.
pub(crate) fn table(rows: &[StoredDelivery]) -> String {
    let mut text = String::new();
    let width =
        rows.iter().map(|row| row.recipient.as_deref().unwrap_or("-").chars().count()).max().unwrap_or(0);
    let width = width.min(44);
    for row in rows {
        let recipient = one_line(row.recipient.as_deref().unwrap_or("-"));
        let ids = row.queue_id.as_deref().unwrap_or("NOQUEUE");
        let reason = row.reason.as_deref().map(|reason| format!("{reason}: ")).unwrap_or_default();
        let mut said = one_line(row.reply.as_deref().unwrap_or_default());
        if said.chars().count() > 160 {
            said = said.chars().take(159).chain(['…']).collect();
        }
        let time = clock::rfc3339(row.last_seen);
        let time = time.get(..19).unwrap_or(&time).replace('T', " ");
        let _ = writeln!(text, "{time}  {:9} {recipient:width$}  {ids:15}  {reason}{said}", row.status);
    }
    text
}

fn unclassified(shapes: &[UnclassifiedShape], json: bool) -> Result<Exit> {
    let mut text = String::new();
    for shape in shapes {
        if json {
            text.push_str(&line(shape)?);
        } else {
            let _ = writeln!(
                text,
                "{:>8}  {}\n{:>8}  {}",
                shape.count,
                one_line(&shape.shape),
                "",
                one_line(&shape.example)
            );
        }
    }
    if !json && shapes.is_empty() {
        text.push_str("every failure has a rule\n");
    }
    print(text.as_bytes())
}

/// A flag that a signal sets, and a bar on a terminal.
struct Stage {
    stop: Arc<AtomicBool>,
    bar: ProgressBar,
}

impl Stage {
    fn new(shown: bool, template: &str) -> Result<Stage> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
            signal_hook::flag::register(signal, stop.clone()).context("cannot wait for signals")?;
        }
        let shown = shown && std::io::stderr().is_terminal();
        let bar = if shown { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Ok(Stage { stop, bar })
    }

    fn watch<T>(&self, run: impl FnOnce(&Watch<'_>) -> Result<T>) -> Result<T> {
        let progress = |done: u64, left: u64| {
            self.bar.set_length(done + left);
            self.bar.set_position(done);
        };
        let done = run(&Watch { stop: &self.stop, progress: &progress });
        self.bar.finish_and_clear();
        done
    }
}

/// One tick.
pub(crate) fn cron(arguments: &Cron, mut config: Arc<Config>, json: bool, quiet: bool) -> Result<Exit> {
    if arguments.no_index {
        Arc::make_mut(&mut config).index.deliveries = false;
    }
    let stage =
        Stage::new(!quiet && !json, "{bar:30} {bytes}/{total_bytes} of logs, {bytes_per_sec}, {eta} left")?;
    let done = stage.watch(|watch| Ok(cron::tick(&config, watch)))?;
    if done.steps.failed > 0 {
        say(&format!("carom: {} steps were given up; see carom log\n", done.steps.failed));
    }
    for problem in &done.problems {
        say(&format!("carom: {problem}\n"));
    }
    for note in &done.logs.notes {
        say(&format!("carom: {note}\n"));
    }
    if done.logs.busy {
        say("carom: another tick is reading the logs\n");
    }
    if done.logs.stopped && stage.stop.load(Ordering::Relaxed) {
        say("carom: stopped before all was read; the next tick goes on from there\n");
    }
    let exit = if done.problems.is_empty() { Exit::Ok } else { Exit::Failure };
    if json {
        return print(line(&done)?.as_bytes()).map(|_| exit);
    }
    if std::io::stderr().is_terminal() && !quiet && done.logs.bytes > 0 {
        say(&summary(&done.logs));
    }
    Ok(exit)
}

fn summary(done: &Ingested) -> String {
    format!(
        "{} lines of logs ({} of other programs, {} not understood), {} deliveries changed\n",
        done.lines.total(),
        done.lines.foreign,
        done.lines.unknown,
        done.deliveries
    )
}

/// Asks the policy anew.
pub(crate) fn reclassify(config: &Arc<Config>, json: bool, quiet: bool) -> Result<Exit> {
    let stage = Stage::new(!quiet && !json, "{bar:30} {pos}/{len} deliveries, {eta} left")?;
    let Some((looked, changed)) = stage.watch(|watch| ingest::reclassify(config, watch))? else {
        return Err(Error::new("a tick is reading the logs").remedy("try again when it is over"));
    };
    let text = if json {
        line(&serde_json::json!({ "looked_at": looked, "changed": changed }))?
    } else {
        format!("{looked} failures looked at, {changed} have another reason now\n")
    };
    print(text.as_bytes())
}
