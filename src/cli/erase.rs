//! `carom erase`: what is known about an address goes.
//!
//! Not here: what that is (`erase`).

use super::asked_store::{folded_store, store_to_remove_from};
use super::terminal::Terminal;
use super::typed_key::key;
use crate::config::Config;
use crate::erase::{self, Erasure};
use crate::error::{Exit, Result};
use crate::files::command::quoted;
use crate::text::counted;
use clap::Args;
use std::fmt::Write as _;
use std::path::Path;

#[derive(Args, Debug)]
#[command(after_help = "It covers the index of mail logs, kept reports, the suppression list, the store, \
    events that wait, the message log and carom's own log. Counters and statistics name no address, and stay: figures are by domain. To see everything \
    first: `carom find ADDRESS --export`.\n\n\
    Not covered: the mail server's own logs and queue, files that carom has exported, events that were sent, messages that a \
    relay directory keeps in done/ and failed/, and backups.\n\n\
    Examples:\n  \
    carom erase ann@example.com --dry-run\n  \
    carom erase ann@example.com --keep-suppression     she asked for no more mail, too")]
pub(crate) struct EraseArgs {
    /// The address
    #[arg(value_parser = key)]
    address: String,
    /// Only count what would go
    #[arg(long)]
    dry_run: bool,
    /// Leave the address on the suppression list, so that it gets no more mail
    #[arg(long)]
    keep_suppression: bool,
}

/// Queue ids that are named at most.
const NAMED: usize = 10;

pub(crate) fn run(arguments: &EraseArgs, config: &Config, terminal: Terminal) -> Result<Exit> {
    let address = arguments.address.as_str();
    let store = match arguments.dry_run {
        true => folded_store(config)?,
        false => store_to_remove_from(config)?,
    };
    let erased = erase::erase(config, &store, address, arguments.keep_suppression, arguments.dry_run)?;
    if !arguments.dry_run && store.exists() {
        tracing::info!("an address was erased");
    }
    terminal.show(&erased, || words(&erased, &config.log_dir()))?;
    Ok(if erased.is_whole() { Exit::Ok } else { Exit::Failure })
}

fn words(erased: &Erasure, logs: &Path) -> String {
    let mut text = String::new();
    let removed = if erased.dry_run { "would remove" } else { "removed" };
    let blanked = if erased.dry_run { "would blank" } else { "blanked" };
    for (done, many, one, more) in [
        (removed, erased.suppressions, "suppression entry", "suppression entries"),
        (removed, erased.soft_bounces, "soft bounce", "soft bounces"),
        (removed, erased.deliveries, "delivery", "deliveries"),
        (removed, erased.kept_reports, "kept report", "kept reports"),
        (removed, erased.differences, "difference between policies", "differences between policies"),
        (blanked, erased.messages, "message in the store", "messages in the store"),
        (blanked, erased.log_places, "place in the logs", "places in the logs"),
        (blanked, erased.event_places, "place in waiting events", "places in waiting events"),
    ] {
        if many > 0 {
            let _ = writeln!(text, "{done:12} {many:>6} {}", if many == 1 { one } else { more });
        }
    }
    let ids: Vec<&str> = erased.log_messages.iter().take(NAMED).map(|one| one.queue_id.as_str()).collect();
    if !ids.is_empty() {
        let (many, ids) = (erased.log_messages.len(), ids.join(", "));
        let what = if many == 1 { "message" } else { "messages" };
        let more = if many > NAMED { ", …" } else { "" };
        let why = "of the mail logs, kept for later lines";
        let _ = writeln!(text, "{removed:12} {many:>6} {what} {why}: {ids}{more}");
    }
    tell_what_is_left(&mut text, erased, logs);
    if erased.is_nothing() {
        let _ = writeln!(text, "nothing is known about {}", erased.address);
    }
    text
}

fn tell_what_is_left(text: &mut String, erased: &Erasure, logs: &Path) {
    let left = &erased.left;
    if left.pending_messages > 0 {
        let _ = writeln!(
            text,
            "left         {:>6} pending in the outbox: `carom outbox retry` or `drop` it, run `carom cron`, and erase again",
            left.pending_steps
        );
    }
    if left.pending_deliveries > 0 {
        let _ = writeln!(
            text,
            "left         {:>6} under way in the mail logs: erase again when they have ended",
            left.pending_deliveries
        );
    }
    for path in &left.compressed_logs {
        let _ = writeln!(text, "left         {}: compressed; search and remove it", path.display());
    }
    for path in &left.moved_away {
        let _ =
            writeln!(text, "left         {}: moved away; remove it when it is not needed", path.display());
    }
    if erased.cut_return_paths > 0 {
        let many = counted(erased.cut_return_paths as u64, "return path");
        let local = erased.address.rsplit_once('@').map_or("", |(local, _)| local);
        let [joined, plain] = ["=", "@"].map(|after| quoted(&format!("{local}{after}")));
        let _ = writeln!(
            text,
            "left         {many} in logs and databases, cut after {local} or within the domain: nothing tells whose \
             they are"
        );
        let _ = writeln!(
            text,
            "             in the logs: grep -iF -e {joined} -e {plain} {}/*.log",
            logs.display()
        );
    }
}
