//! `carom outbox`: pending and parked steps, and what an operator does about them.
//!
//! Not here: running them, which the next tick does. Invariant: a step that a process is working on
//! is left to it.

use super::asked_store::{store_to_read, store_to_remove_from};
use super::terminal::{self, Terminal, fitted, print};
use crate::clock;
use crate::config::Config;
use crate::error::{Exit, Result};
use crate::journal::meant_steps;
use crate::message_log::MessageLog;
use crate::store::PendingStep;
use crate::text::{counted, one_line};
use clap::{Args, Subcommand};
use serde_json::json;

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
    /// All steps that are parked or have failed before
    #[arg(long)]
    all: bool,
    /// All notifications for one application: its sender_domain in the config, or the domain
    /// that the mail was sent from
    #[arg(long, value_name = "DOMAIN")]
    application: Option<String>,
}

pub(crate) fn run(command: Option<&OutboxCommand>, config: &Config, terminal: Terminal) -> Result<Exit> {
    let store = match command {
        None => store_to_read(config)?,
        Some(_) => store_to_remove_from(config)?,
    };
    let pending = store.pending_steps()?;
    let Some(command) = command else {
        return match terminal::table_width(terminal) {
            Some(width) if !pending.is_empty() => print(table(&pending, width)),
            _ => terminal.rows(&pending, "nothing is pending\n", row),
        };
    };
    let now_ms = clock::now_ms();
    let (steps, done, what) = match command {
        OutboxCommand::Retry(which) => {
            let steps = chosen(which, &pending, config)?;
            let done = store.retry(&steps, now_ms)?;
            (steps, done, "due now: the next carom cron runs them")
        }
        OutboxCommand::Drop(which) => {
            let steps = chosen(which, &pending, config)?;
            let given_up = store.give_up(&steps, now_ms)?;
            MessageLog::open(config).append_given_up(&meant_steps::dropped(&given_up, pending));
            (steps, given_up.len(), "dropped")
        }
    };
    let busy = steps.len() - done;
    terminal.show(&json!({ "done": done, "under_way": busy }), || {
        let left = if busy > 0 { format!(", {busy} are being worked on") } else { String::new() };
        format!("{done} {what}{left}\n")
    })
}

pub(super) fn row(step: &PendingStep) -> String {
    let due = if step.state == "parked" { "parked".into() } else { clock::rfc3339(step.due_ms) };
    let target = one_line(step.target());
    let (since, tries) = (clock::rfc3339(step.since_ms), counted(step.attempts, "try"));
    let (action, id, note) = (&step.action, &step.id, one_line(&step.note));
    format!("{due:24} {action:10} {target:40} {tries:>9} since {since}  {id}  {note}")
}

/// The same for a terminal: two lines for each step, the second with its id, which is never cut.
fn table(steps: &[PendingStep], width: usize) -> String {
    let line = |due: &str, action: &str, tries: &str, target: &str| {
        fitted(&format!("{due:19}  {action:13}  {tries:>8}  {target}"), width) + "\n"
    };
    let mut text = line("NEXT TRY (UTC)", "STEP", "TRIES", "FOR");
    for step in steps {
        let at = clock::rfc3339(step.due_ms);
        let at = at.get(..19).unwrap_or(&at).replace('T', " ");
        let due = if step.state == "parked" { "parked" } else { &at };
        text.push_str(&line(due, &step.action, &step.attempts.to_string(), &one_line(step.target())));
        text.push_str(&format!("  {}\n", step.id));
        if !step.note.is_empty() {
            text.push_str(&fitted(&format!("  {}", one_line(&step.note)), width));
            text.push('\n');
        }
    }
    text
}

/// The key and number of each step that is meant. An id that fits no step, or several messages, is
/// an error.
fn chosen(which: &Which, pending: &[PendingStep], config: &Config) -> Result<Vec<(String, usize)>> {
    let key = |step: &PendingStep| (step.key.clone(), step.step);
    if which.all {
        let is_stuck = |step: &&PendingStep| step.state == "parked" || step.attempts > 0;
        return Ok(pending.iter().filter(is_stuck).map(key).collect());
    }
    if let Some(application) = &which.application {
        let is_for = |step: &&PendingStep| is_notification_for(step, application, config);
        return Ok(pending.iter().filter(is_for).map(key).collect());
    }
    let mut steps = Vec::new();
    for id in &which.ids {
        steps.extend(meant_steps::of_id(id, pending)?.into_iter().map(key));
    }
    Ok(steps)
}

/// Whether a step notifies the application of this sender domain. The application may have left the
/// config.
fn is_notification_for(step: &PendingStep, application: &str, config: &Config) -> bool {
    let Some(sender_domain) = &step.sender_domain else { return false };
    let configured = config.applications.of(sender_domain).map(|one| one.sender_domain().unwrap_or("*"));
    sender_domain.eq_ignore_ascii_case(application)
        || configured.is_some_and(|name| name.eq_ignore_ascii_case(application))
}
