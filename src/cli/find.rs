//! `carom find`: everything known about an address, a Message-ID or a queue id, and the reports
//! that were kept.
//!
//! Not here: finding it (`find`).

use super::asked_store::{note_unread, note_unreadable_log, store_or_fault};
use super::deliveries::{self, Times};
use super::removal_line::removal_line;
use super::suppression_line::shown_with_author;
use super::terminal::{self, Terminal, print};
use super::typed_key::key;
use crate::archive;
use crate::clock;
use crate::config::Config;
use crate::error::{Context, Error, Exit, Result};
use crate::files::command::quoted;
use crate::find::Known;
use crate::mailbox_syntax::with_needed_quotes;
use crate::message_log::{StepNow, TrailRow};
use crate::store::{PendingStep, Store};
use crate::text::{counted, one_line, steers};
use clap::Args;
use std::fmt::Write as _;

#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    carom find ann@example.com\n  \
    carom find 20260101.42@example.com        a Message-ID\n  \
    carom find ann@example.com --mail 2       the second newest report about her")]
pub(crate) struct FindArgs {
    /// The address, Message-ID or queue id
    #[arg(value_parser = key)]
    key: String,
    /// Print a report kept about the address: the newest, or the Nth newest
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "1")]
    mail: Option<usize>,
    /// Print all that is known about the address as JSON, with every delivery and the text of kept
    /// reports: what `carom erase` would remove
    #[arg(long, conflicts_with = "mail")]
    export: bool,
}

pub(crate) fn run(arguments: &FindArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let key = arguments.key.as_str();
    note_unreadable_log(config);
    if let Some(number) = arguments.mail {
        return mail(key, number, config);
    }
    let (store, fault) = store_or_fault(config)?;
    let known = Known::about(key, &store, config).with_fault(fault);
    if arguments.export {
        let whole = known.exported(&store, config);
        print(serde_json::to_string(&whole).context("export")? + "\n")?;
        return Ok(note_unread(&whole.known.unread));
    }
    let known = known.or_named(&store, config);
    terminal.show(&known, || words(&known, &store))?;
    Ok(note_unread(&known.unread))
}

fn words(known: &Known, store: &Store) -> String {
    let mut text = String::new();
    for entry in &known.suppressed {
        let _ = writeln!(text, "suppressed   {}", shown_with_author(entry, store));
    }
    for removal in &known.removals {
        let _ = writeln!(text, "removed      {}", removal_line(removal));
    }
    for one in &known.soft_bounces {
        let proven = if one.proven { "" } else { ", unproven" };
        let _ = writeln!(text, "soft bounce  {}  of mail of {}{proven}", one.time, one.sender_domain);
    }
    for one in &known.notifications {
        let (at, now) = (clock::rfc3339(one.at_ms), StepNow::of_notification(one));
        let _ = writeln!(text, "notification {at}  {}", one_line(&now.text()));
    }
    for (number, kept) in (1..).zip(&known.kept) {
        let at = clock::rfc3339(kept.at_ms);
        let why = kept.reason.and_then(archive::text_of).map(|why| format!("  ({why})")).unwrap_or_default();
        let typed = quoted(&known.key);
        let _ = writeln!(text, "kept         {at}  carom find {typed} --mail {number}{why}");
    }
    for row in &known.log {
        text.push_str(&message(row));
    }
    for steps in known.pending.chunk_by(|one, other| one.key == other.key) {
        text.push_str(&without_line(steps));
    }
    for delivery in deliveries::table(&known.deliveries, Times::Whole).lines() {
        let _ = writeln!(text, "delivery     {delivery}");
    }
    if known.is_nothing() {
        let what = if known.unread.is_empty() { "nothing is known" } else { "nothing can be read" };
        let _ = writeln!(text, "{what} about {}", known.key);
    }
    for one in &known.under_way {
        let host = if one.host.is_empty() { String::new() } else { format!(" on {}", one.host) };
        let _ = writeln!(
            text,
            "under way    {}{host}  in the queue of the mail server, by its log",
            one.queue_id
        );
    }
    if let Some(original) = &known.rewritten_from {
        let _ = writeln!(
            text,
            "rewritten    by a forwarder (SRS), which says it was {original}: see carom find {}",
            quoted(original)
        );
    }
    text
}

/// A message that the log has no line of yet, and its steps below it.
fn without_line(steps: &[PendingStep]) -> String {
    let Some(PendingStep { envelope, since_ms, .. }) = steps.first() else { return String::new() };
    let (since, queue_id) = (clock::rfc3339(*since_ms), envelope.queue_id.as_deref().unwrap_or("-"));
    let [sender, recipient] =
        [&envelope.sender, &envelope.recipient].map(|address| with_needed_quotes(address));
    let why = "in work, or its process was killed: its line is still to come";
    let first = format!("{since}  {queue_id}  <{sender}> to <{recipient}>  {why}");
    let steps =
        steps.iter().map(|step| format!("  step       {}\n", one_line(&StepNow::of_pending(step).text())));
    format!("message      {}\n", one_line(&first)) + &steps.collect::<String>()
}

/// A line of the log, and its steps below it.
fn message(row: &TrailRow) -> String {
    let Some(event) = &row.event else { return format!("message      {}\n", row.text()) };
    let first = row.beginning(event) + &row.outcome();
    let steps = row.steps.iter().map(|step| format!("  step       {}\n", one_line(&step.text())));
    format!("message      {}\n", one_line(&first)) + &steps.collect::<String>()
}

/// A report as it came; on a terminal without the control characters that would steer it.
fn mail(address: &str, number: usize, config: &Config) -> Result<Exit> {
    let (store, _) = store_or_fault(config)?;
    let kept = Known::about(address, &store, config).kept;
    let Some(one) = number.checked_sub(1).and_then(|place| kept.get(place)) else {
        let there = if kept.len() == 1 { "is" } else { "are" };
        let many = counted(kept.len() as u64, "kept report");
        return Err(Error::new(format_args!("{address}: there {there} {many}")).remedy(
            "list them with `carom find KEY`; to keep reports that count, set keep = true in [policy.bounce.settings]",
        ));
    };
    let raw = archive::read(one, config)?;
    if !terminal::is_shown_to_people() {
        return print(raw);
    }
    let steers = |c: char| steers(c) && c != '\n' && c != '\t';
    let text = String::from_utf8_lossy(&raw).replace("\r\n", "\n");
    print(text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect::<String>())
}
