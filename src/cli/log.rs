//! `carom log`: what happened to each message, and the state of its steps now.
//!
//! Not here: the log and its rows (`message_log`). Invariant: where no terminal is, nothing is cut.

use super::asked_store::{note_unread, note_unreadable_log};
use super::terminal::{self, Output, Terminal, fitted, note};
use super::typed_key::key;
use crate::clock::typed_time::time;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::{Error, Exit, Result};
use crate::mailbox_syntax::with_needed_quotes;
use crate::message_log::{
    Following, MessageLog, SoughtRecipient, Trail, TrailFilter, TrailRow, first_day, trail,
};
use crate::stats::render::wording::wrap;
use crate::store::{Store, moved_away, read_only};
use crate::text::one_line;
use clap::Args;
use serde_json::json;
use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Time for records that are new to the store.
const FOLDING: Duration = Duration::from_secs(5);
/// Lines that are shown without `--lines` and `--since`.
const SHOWN: usize = 50;
/// How often a log that is followed is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Columns of a recipient at most.
const RECIPIENT: usize = 40;
/// The words for the state of a message or a step.
const STATUSES: [&str; 10] = [
    "accepted",
    "refused",
    "deferred",
    "failed",
    "kept",
    "forwarded",
    "policy-failed",
    "pending",
    "parked",
    "given-up",
];

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    carom log --follow\n  \
    carom log --since 1h --status deferred,refused\n  \
    carom log --status parked,given-up --since 7d   steps that need an operator\n  \
    carom log --since 2026-01-31T14:00 --until 2026-01-31T15:00\n  \
    carom log --recipient ann@example.com --json")]
pub(crate) struct LogArgs {
    /// Show the newest N lines [default: 50, or with --since all]
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<usize>,
    /// Go on showing lines as they are written
    #[arg(long, short = 'f')]
    follow: bool,
    /// Only lines at or after TIME: RFC 3339, a date, 22:00, today, yesterday,
    /// or an age like 90m, 12h, 7d
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only lines before TIME, with what happened to their messages later
    #[arg(long, value_name = "TIME", value_parser = time, conflicts_with = "follow")]
    until: Option<i64>,
    /// Only messages to this address, before or after aliases, and reports about it
    #[arg(long, value_name = "ADDRESS", value_parser = key)]
    recipient: Option<String>,
    /// Only messages of this status now (repeat the option, or separate by commas): accepted,
    /// refused, deferred, failed (a file of a relay directory), kept, forwarded, policy-failed; or
    /// with a step that is pending, parked or given-up
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = status)]
    status: Vec<String>,
}

fn status(word: &str) -> Result<String, String> {
    let word = word.to_lowercase().replace('_', "-");
    match STATUSES.contains(&word.as_str()) {
        true => Ok(word),
        false => Err(format!("use {}", STATUSES.join(", "))),
    }
}

pub(crate) fn run(arguments: &LogArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let (mut store, fault) = opened(config);
    let LogArgs { lines, follow, since, until, recipient, status } = arguments;
    let lines = lines.or(if since.is_some() { None } else { Some(SHOWN) });
    let recipient = recipient.clone().map(|address| SoughtRecipient::new(config, address));
    let statuses = status.clone();
    let (since_ms, until_ms) = (*since, *until);
    let filter = TrailFilter { recipient, statuses, since_ms, until_ms, lines, ..TrailFilter::default() };
    note_unreadable_log(config);
    let mut following = Following::begin(config)?;
    let Trail { rows, unread } = trail(config, store.as_ref(), &filter)?;
    let mut out = Output::open();
    let table = terminal::table_width(terminal).map(|width| Table::of(&rows, width));
    let mut wants_more = match &table {
        Some(table) => out.write(table.header().as_bytes())?,
        None => true,
    };
    for row in &rows {
        wants_more = wants_more && out.write(shown(row, terminal, table.as_ref()).as_bytes())?;
        following.know(row);
    }
    if rows.is_empty() && read_only::is_missing(&config.log_dir()) {
        let directory = config.log_dir();
        note(format_args!("no message was logged yet: the first one makes {}", directory.display()));
    } else if rows.is_empty() {
        terminal.remark(&why_empty(config)?);
    }
    // What was not read is named after the rows.
    wants_more = wants_more && out.flush()?;
    let new = unread.into_iter().filter(|error| fault.iter().all(|fault| fault.text() != error.text()));
    let whole = note_unread(&fault.iter().cloned().chain(new).collect::<Vec<_>>());
    let ended = move |finished: Exit| if whole == Exit::Ok { finished } else { whole };
    if !follow {
        return out.finish().map(ended);
    }
    let mut known: HashSet<String> = rows.into_iter().map(|row| row.line).collect();
    let stop = terminal::stop_flag()?;
    while wants_more && !stop.load(Ordering::Relaxed) {
        wants_more = out.flush()?;
        if store.as_ref().is_none_or(Store::is_replaced) {
            (store, _) = opened(config);
        }
        for row in following.new_rows(config, store.as_ref())? {
            if !known.remove(&row.line) && filter.lets_through(&row) {
                wants_more = wants_more && out.write(shown(&row, terminal, table.as_ref()).as_bytes())?;
            }
        }
        wants_more = wants_more && out.flush()?;
        std::thread::sleep(LOOK);
    }
    out.finish().map(ended)
}

/// What is said to people where no row is shown.
fn why_empty(config: &Config) -> Result<String> {
    let directory = config.log_dir();
    Ok(match first_day(config)? {
        None => format!("no message was logged yet in {}\n", directory.display()),
        Some(first) => format!(
            "no message matches; the log begins on {first} (UTC). Try an earlier --since or fewer options, or carom find \
             ADDRESS, which searches the mail logs too\n"
        ),
    })
}

/// The store with new records, and why it is damaged or gone. `None`: there is none yet, or this
/// user may not read it.
fn opened(config: &Config) -> (Option<Store>, Option<Error>) {
    let path = config.store_path();
    match fold(config) {
        Ok(None) => (None, moved_away(&path, None)),
        Ok(Some(store)) => {
            let gone = store.moved_away();
            (Some(store), gone)
        }
        Err(error) => {
            tracing::debug!(%error, "the next tick takes new records");
            (Store::look(&path).ok(), Some(error).filter(Error::is_lasting))
        }
    }
}

/// Takes new records into the store, for whoever reads the counters next. The lines are shown
/// without it, to people who may not write the store too.
fn fold(config: &Config) -> Result<Option<Store>> {
    let store = Store::lazy(&config.store_path());
    if !store.exists() {
        return Ok(None);
    }
    MessageLog::open(config).fold(&store, Deadline::after(FOLDING))?;
    Ok(Some(store))
}

fn shown(row: &TrailRow, terminal: Terminal, table: Option<&Table>) -> String {
    let line = match table {
        _ if terminal.json => row.json().unwrap_or_else(|| json!({ "cut_off": row.line })).to_string(),
        Some(table) => table.row(row),
        None => row.text(),
    };
    line + "\n"
}

/// Columns for a terminal: time, status, recipient, queue id, and as much of the rest as fits. What
/// an operator needs is never cut.
struct Table {
    width: usize,
    recipient: usize,
    queue_id: usize,
}

/// Before the lines below a row.
const INDENT: &str = "    ";
/// Columns of the time to the second, and of the longest status.
const TIME: usize = 19;
const STATUS: usize = 10;

impl Table {
    fn of(rows: &[TrailRow], width: usize) -> Table {
        let longest = |of: &dyn Fn(&TrailRow) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let recipient =
            longest(&|row| recipient(row).chars().count()).clamp(9, RECIPIENT.min(width / 3).max(9));
        let queue_id = longest(&|row| row.queue_id().chars().count()).clamp(8, 16);
        Table { width, recipient, queue_id }
    }

    fn header(&self) -> String {
        self.line(["TIME (UTC)", "STATUS", "RECIPIENT", "QUEUE ID", "WHAT HAPPENED"]) + "\n"
    }

    /// The row, and below it whatever an operator may have to know and has no room there: the
    /// reason, each step that has not succeeded, and the command that tries it again.
    fn row(&self, row: &TrailRow) -> String {
        let Some(event) = &row.event else { return fitted(&row.text(), self.width) };
        let time = event.time.get(..TIME).unwrap_or(&event.time).replace('T', " ");
        let (headline, details) = (row.headline(), row.details());
        let reason = headline.strip_prefix(row.status()).unwrap_or(&headline).trim_start();
        let room = self.width.saturating_sub(self.columns());
        let has_room = reason.chars().count() <= room;
        let inline = if has_room { [reason, &details].join("  ") } else { String::new() };
        let first = self.line([&time, row.status(), &recipient(row), row.queue_id(), inline.trim_start()]);
        let mut lines = vec![first];
        if !has_room {
            lines.extend(self.below(reason));
        }
        for step in row.steps.iter().filter(|step| step.is_open()) {
            lines.extend(self.below(&one_line(&step.brief())));
            lines.extend(step.retry.as_ref().map(|retry| format!("{INDENT}to retry: {retry}")));
        }
        lines.join("\n")
    }

    /// Lines below a row.
    fn below(&self, text: &str) -> Vec<String> {
        let lines = wrap(text, self.width.saturating_sub(INDENT.len()));
        lines.into_iter().map(|line| format!("{INDENT}{line}")).collect()
    }

    /// The columns before what happened.
    fn columns(&self) -> usize {
        TIME + STATUS + self.recipient + self.queue_id + 4 * 2
    }

    fn line(&self, [time, status, recipient, queue_id, rest]: [&str; 5]) -> String {
        let recipient = fitted(recipient, self.recipient);
        let (of_recipient, of_id) = (self.recipient, self.queue_id);
        let line =
            format!("{time:TIME$}  {status:STATUS$}  {recipient:of_recipient$}  {queue_id:of_id$}  {rest}");
        fitted(line.trim_end(), self.width)
    }
}

fn recipient(row: &TrailRow) -> String {
    row.event.as_ref().map_or(String::new(), |event| one_line(&with_needed_quotes(&event.recipient)))
}
