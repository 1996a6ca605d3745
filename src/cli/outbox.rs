//! `carom outbox`: pending and parked steps, and what an operator does about them.
//!
//! Not here: running them, which the next tick does. Invariant: a step that a process is working on
//! is left to it.

use super::asked_store::{store_to_read, store_to_remove_from};
use super::terminal::{self, Output, Terminal, fitted};
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::journal::meant_steps::{self, StepName};
use crate::mailbox_syntax::normal_domain;
use crate::message_log::MessageLog;
use crate::store::{PendingStep, Store, WAITING_STATES};
use crate::text::{counted, one_line};
use clap::{Args, Subcommand};
use serde_json::json;

/// Steps of one transaction.
const TOGETHER: usize = 500;

/// Which steps are shown, or what is done about them.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct OutboxArgs {
    /// Show only steps in this state: pending steps are due at their time, paused ones are pending
    /// and held back by the config, parked ones wait for you
    #[arg(long, value_parser = WAITING_STATES)]
    status: Option<String>,
    /// Show only steps that do this: bounce, complaint, notify ...
    #[arg(long)]
    action: Option<String>,
    #[command(subcommand)]
    command: Option<OutboxCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OutboxCommand {
    /// Run steps at the next tick, whenever they are due
    Retry(Which),
    /// Give steps up: they will not run
    Drop(Which),
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// Ids as `carom outbox` shows them, the key of a message (its first characters are enough) for
    /// all its steps, or an address
    ids: Vec<String>,
    /// All steps that are parked, have failed before, or were held back (paused = true)
    #[arg(long)]
    all: bool,
    /// All notifications for one application: its sender_domain in the config, or the domain
    /// that the mail was sent from
    #[arg(long, value_name = "DOMAIN")]
    application: Option<String>,
}

pub(crate) fn run(arguments: &OutboxArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let store = match &arguments.command {
        None => store_to_read(config)?,
        Some(_) => store_to_remove_from(config)?,
    };
    let Some(command) = &arguments.command else { return show(&store, arguments, terminal) };
    let (OutboxCommand::Retry(which) | OutboxCommand::Drop(which)) = command;
    let (steps, now_ms, mut done) = (chosen(which, &store, config)?, clock::now_ms(), 0);
    let what = match command {
        OutboxCommand::Retry(_) => "due now: the next carom cron runs them",
        OutboxCommand::Drop(_) => "dropped",
    };
    let log = MessageLog::open(config);
    for some in steps.chunks(TOGETHER) {
        done += match command {
            OutboxCommand::Retry(_) => store.retry(some, now_ms)?,
            OutboxCommand::Drop(_) => {
                let pending = store.steps_at(some)?;
                let given_up = store.give_up(some, now_ms)?;
                log.append_given_up(&meant_steps::dropped(&given_up, pending));
                given_up.len()
            }
        };
    }
    let busy = steps.len() - done;
    terminal.show(&json!({ "done": done, "under_way": busy }), || {
        let left = if busy > 0 { format!(", {busy} are being worked on") } else { String::new() };
        format!("{done} {what}{left}\n")
    })
}

/// Step by step: there may be very many.
fn show(store: &Store, wanted: &OutboxArgs, terminal: Terminal) -> Result<Exit> {
    let (state, action) = (wanted.status.as_deref(), wanted.action.as_deref());
    let (mut out, width, mut is_empty) = (Output::open(), terminal::table_width(terminal), true);
    store.visit_shown_steps(&mut |step| {
        if !step.is_of(state, action) {
            return Ok(true);
        }
        let is_first = std::mem::replace(&mut is_empty, false);
        match width {
            None if terminal.json => out.row(&step),
            None => out.write((row(&step) + "\n").as_bytes()),
            Some(width) if is_first => out.write((heading(width) + &table_row(&step, width)).as_bytes()),
            Some(width) => out.write(table_row(&step, width).as_bytes()),
        }
    })?;
    if is_empty && !terminal.json {
        let nothing = match (state, action) {
            (None, None) => "nothing is pending\n",
            _ => "no step is like that: carom outbox shows all\n",
        };
        out.write(nothing.as_bytes())?;
    }
    out.finish()
}

fn row(step: &PendingStep) -> String {
    let due = if step.is_parked() { "parked".into() } else { clock::rfc3339(step.due_ms) };
    let target = one_line(step.target());
    let since = clock::rfc3339(step.since_ms);
    let tries = if step.attempts == 0 { "not tried".into() } else { counted(step.attempts, "try") };
    let (action, id, note) = (&step.action, &step.id, one_line(&step.note));
    format!("{due:24} {action:10} {target:40} {tries:>9} since {since}  {id}  {note}")
}

/// The first line of a table for a terminal.
fn heading(width: usize) -> String {
    table_line(["NEXT TRY (UTC)", "STEP", "TRIES", "FOR"], width)
}

/// Two lines for each step, the second with its id, which is never cut; and what the last try said.
fn table_row(step: &PendingStep, width: usize) -> String {
    let at = clock::rfc3339(step.due_ms);
    let at = at.get(..19).unwrap_or(&at).replace('T', " ");
    let due = if step.is_parked() { "parked" } else { &at };
    let (tries, target) = (step.attempts.to_string(), one_line(step.target()));
    let mut text = table_line([due, &step.action, &tries, &target], width);
    text.push_str(&format!("  {}\n", step.id));
    if !step.note.is_empty() {
        text.push_str(&fitted(&format!("  {}", one_line(&step.note)), width));
        text.push('\n');
    }
    text
}

fn table_line([due, action, tries, target]: [&str; 4], width: usize) -> String {
    fitted(&format!("{due:19}  {action:13}  {tries:>8}  {target}"), width) + "\n"
}

/// The key and number of each step that is meant. An id that fits no step, or several messages, is
/// an error.
fn chosen(which: &Which, store: &Store, config: &Config) -> Result<Vec<StepName>> {
    let that = |fits: &dyn Fn(&PendingStep) -> bool| {
        let mut steps = Vec::new();
        store.visit_steps(&mut |step| {
            if fits(&step) {
                steps.push((step.key, step.step));
            }
            Ok(true)
        })?;
        Ok::<_, Error>(steps)
    };
    if which.all {
        return that(&|step| step.is_parked() || step.attempts > 0 || step.paused);
    }
    let Some(application) = &which.application else { return meant_steps::of_ids(&which.ids, store) };
    let steps = that(&|step| is_notification_for(step, application, config))?;
    if steps.is_empty() && !config.applications.names(application) {
        let known: Vec<&str> =
            config.applications.all().iter().map(|one| one.sender_domain().unwrap_or("*")).collect();
        let fix = match known.is_empty() {
            true => "there is none in the config; see carom outbox".to_owned(),
            false => format!("name one of them: {}", known.join(", ")),
        };
        let what =
            format_args!("no application has the sender domain {application:?}, and no step is for it");
        return Err(Error::new(what).remedy(fix));
    }
    Ok(steps)
}

/// Whether a step notifies the application of this sender domain. The application may have left the
/// config.
fn is_notification_for(step: &PendingStep, application: &str, config: &Config) -> bool {
    let Some(sender_domain) = &step.sender_domain else { return false };
    let configured = config.applications.of(sender_domain).map(|one| one.sender_domain().unwrap_or("*"));
    let application = normal_domain(application);
    normal_domain(sender_domain) == application || configured.is_some_and(|name| name == application)
}
