//! `carom outbox`: what is owed and what is parked, and what an operator does about it.
//!
//! Not here: doing it, which is the next tick's. Invariant: what a process is at is left to it.

use super::print;
use super::show::line;
use crate::clock;
use crate::config::Config;
use crate::error::{Error, Exit, Result};
use crate::store::{PendingStep, Store};
use clap::{Args, Subcommand};
use std::fmt::Write as _;

#[derive(Debug, Subcommand)]
pub(crate) enum Outbox {
    /// Try again at the next tick, as if for the first time
    Retry(Which),
    /// Give up: it is not done any more
    Drop(Which),
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// Ids as `carom outbox` shows them; all steps of a message by its key, or the first characters of it
    ids: Vec<String>,
    /// All that are parked or were tried in vain
    #[arg(long)]
    all: bool,
}

pub(crate) fn run(command: Option<&Outbox>, config: &Config, json: bool) -> Result<Exit> {
    let store = Store::open(&config.store_path())?;
    let owed = store.pending_steps()?;
    let (which, done) = match command {
        None => return show(&owed, json),
        Some(Outbox::Retry(which)) => (which, "due now: carom cron does them"),
        Some(Outbox::Drop(which)) => (which, "dropped"),
    };
    let steps = chosen(which, &owed)?;
    let many = match command {
        Some(Outbox::Drop(_)) => store.give_up(&steps, clock::now_ms())?,
        _ => store.retry(&steps, clock::now_ms())?,
    };
    let busy = steps.len() - many;
    if json {
        return print(line(&serde_json::json!({ "done": many, "under_way": busy }))?.as_bytes());
    }
    let left = if busy > 0 { format!(", {busy} are under way") } else { String::new() };
    print(format!("{many} {done}{left}\n").as_bytes())
}

fn show(owed: &[PendingStep], json: bool) -> Result<Exit> {
    let mut text = String::new();
    if !json && owed.is_empty() {
        text.push_str("nothing is owed\n");
    }
    for one in owed {
        if json {
            text.push_str(&line(one)?);
            continue;
        }
        let due = if one.state == "parked" { "parked".into() } else { clock::rfc3339(one.due_ms) };
        let whom = one.address.as_deref().unwrap_or(&one.recipient);
        let (since, tries, note) =
            (clock::rfc3339(one.since_ms), one.attempts, one.note.trim_start_matches('!'));
        let _ = writeln!(
            text,
            "{due:24} {:10} {whom:40} {tries:3} tries since {since}  {}  {note}",
            one.action, one.id
        );
    }
    print(text.as_bytes())
}

/// The steps that are meant. An id that means none, or several messages, is an error.
fn chosen(which: &Which, owed: &[PendingStep]) -> Result<Vec<(String, usize)>> {
    let step = |one: &PendingStep| (one.key.clone(), one.step);
    if which.all {
        let stuck = |one: &&PendingStep| one.state == "parked" || one.attempts > 0;
        return Ok(owed.iter().filter(stuck).map(step).collect());
    }
    let mut steps = Vec::new();
    for id in &which.ids {
        let exact: Vec<&PendingStep> = owed.iter().filter(|one| one.id == *id || one.key == *id).collect();
        let meant = if exact.is_empty() {
            owed.iter().filter(|one| one.key.starts_with(id)).collect()
        } else {
            exact
        };
        let remedy = "carom outbox shows the ids of all that is owed";
        let Some(first) = meant.first().filter(|_| !id.is_empty()) else {
            return Err(Error::new(format_args!("{id}: nothing is owed under this id")).remedy(remedy));
        };
        if meant.iter().any(|one| one.key != first.key) {
            return Err(Error::new(format_args!("{id}: several messages begin so")).remedy(remedy));
        }
        steps.extend(meant.into_iter().map(step));
    }
    Ok(steps)
}
